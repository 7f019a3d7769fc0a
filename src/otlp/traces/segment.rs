use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::facts::{ResourceFacts, SpanFacts};
use crate::otlp::json::{Object, any, text_of};
use crate::telemetry::{TraceId, TraceSegment};

/// Source: X-Ray Developer Guide, "Segment documents".
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
const NAME_CHARACTERS_MAX: usize = 200;

/// What a document is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Segment,
    Subsegment,
}

/// Writes the documents of a span.
///
/// Errors: why the span makes none.
pub(super) fn write(
    span: &Span,
    resource: &ResourceFacts<'_>,
    out: &mut Vec<TraceSegment>,
) -> Result<(), &'static str> {
    let trace_id = <[u8; 16]>::try_from(span.trace_id.as_slice()).ok();
    let trace_id = trace_id.filter(|id| *id != [0; 16]).ok_or("a span has no valid trace_id")?;
    let id = id_of(&span.span_id).ok_or("a span has no valid span_id")?;
    let facts = SpanFacts::of(&span.attributes);
    let parent = id_of(&span.parent_span_id);
    let kind = span.kind();
    let written =
        Written { span, kind, resource, facts: &facts, trace_id: TraceId::from_bytes(trace_id) };
    let is_local_root = facts.span_kind == Some("LOCAL_ROOT");
    if is_local_root && !matches!(kind, SpanKind::Server | SpanKind::Internal) {
        // The service, and beneath it its call to another.
        let digest = xxhash_rust::xxh3::xxh3_64(id.as_bytes());
        let service: Arc<str> = format!("{digest:016x}").into();
        out.push(written.document(&service, (Shape::Segment, parent.as_deref()), true)?);
        out.push(written.document(&id, (Shape::Subsegment, Some(&service)), false)?);
        return Ok(());
    }
    let is_call = kind != SpanKind::Server && parent.is_some();
    let shape = if is_call { Shape::Subsegment } else { Shape::Segment };
    out.push(written.document(&id, (shape, parent.as_deref()), false)?);
    Ok(())
}

fn id_of(bytes: &[u8]) -> Option<Arc<str>> {
    let bytes = <[u8; 8]>::try_from(bytes).ok().filter(|id| *id != [0; 8])?;
    let mut digits = [0_u8; 16];
    hex::encode_to_slice(bytes, &mut digits).ok()?;
    std::str::from_utf8(&digits).ok().map(Arc::from)
}

struct Written<'s> {
    span: &'s Span,
    kind: SpanKind,
    resource: &'s ResourceFacts<'s>,
    facts: &'s SpanFacts<'s>,
    trace_id: TraceId,
}

impl Written<'_> {
    /// `is_service` is the service's half of a span that stands for its call as well.
    fn document(
        &self,
        id: &Arc<str>,
        (shape, parent): (Shape, Option<&str>),
        is_service: bool,
    ) -> Result<TraceSegment, &'static str> {
        let (span, facts) = (self.span, self.facts);
        let mut text = String::with_capacity(768 + self.resource.metadata.len());
        let mut object = Object::begin(&mut text);
        let name = if is_service { facts.local_service } else { None };
        let name = name.map_or_else(|| self.name(is_service), Cow::Borrowed);
        object.text("name", &name);
        object.text("id", id);
        object.text("trace_id", &self.trace_id.to_string());
        object.optional("parent_id", parent);
        object.seconds("start_time", span.start_time_unix_nano);
        let end = Some(span.end_time_unix_nano).filter(|end| *end > 0);
        let end = end.map(|end| end.max(span.start_time_unix_nano));
        match end {
            Some(end) => object.seconds("end_time", end),
            None => object.flag("in_progress", true),
        }
        match shape {
            Shape::Subsegment => {
                object.text("type", "subsegment");
                object.optional("namespace", self.namespace());
            }
            Shape::Segment => {
                object.optional("origin", self.resource.origin);
                object.optional("user", facts.user);
                if !self.resource.service.is_empty() {
                    object.raw("service", &self.resource.service);
                }
            }
        }
        let aws = if shape == Shape::Segment { self.resource.aws.as_str() } else { "" };
        self.write_aws(&mut object, aws);
        self.write_flags(&mut object);
        if !is_service {
            object.filled("http", |http| self.write_http(http, shape));
            self.write_sql(&mut object);
        }
        self.write_cause(&mut object, id);
        self.write_links(&mut object);
        self.write_attributes(&mut object, shape);
        object.end();
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err("a span makes a document larger than 64 KB");
        }
        Ok(TraceSegment {
            trace_id: self.trace_id,
            id: Arc::clone(id),
            start_time: seconds(span.start_time_unix_nano),
            end_time: end.map(seconds),
            document: text.into(),
        })
    }

    /// Source: the awsxray exporter, `MakeSegment`: the first of these that there is.
    fn name(&self, is_service: bool) -> Cow<'_, str> {
        let facts = self.facts;
        let is_server = self.kind == SpanKind::Server || is_service;
        let is_root = self.kind == SpanKind::Internal && facts.span_kind == Some("LOCAL_ROOT");
        let calls = matches!(self.kind, SpanKind::Client | SpanKind::Producer | SpanKind::Consumer);
        let remote = facts.remote_service.filter(|_| calls && !is_service).map(|name| match facts
            .rpc_system
        {
            Some("aws-api") => name.trim_start_matches("AWS.SDK.").trim_start_matches("AWS::"),
            _ => name,
        });
        let database = || {
            let host = facts.db_connection.and_then(|text| url::Url::parse(text).ok());
            let host = host.and_then(|url| url.host_str().map(str::to_owned));
            facts.db_name.map(|name| match host {
                Some(host) => Cow::Owned(format!("{name}@{host}")),
                None => Cow::Borrowed(name),
            })
        };
        let found = facts
            .local_service
            .filter(|_| is_server || is_root)
            .or(remote)
            .or(facts.peer_service)
            .or(facts.aws_service)
            .map(Cow::Borrowed)
            .or_else(database)
            .or(self.resource.service_name.filter(|_| is_server).map(Cow::Borrowed))
            .or(facts.rpc_service.map(Cow::Borrowed))
            .or(facts.http_host.map(Cow::Borrowed))
            .or(facts.server_address.map(Cow::Borrowed));
        valid_name(found.unwrap_or(Cow::Borrowed(&self.span.name)))
    }

    fn namespace(&self) -> Option<&'static str> {
        match self.kind {
            _ if self.facts.is_aws() => Some("aws"),
            SpanKind::Client => Some("remote"),
            _ => None,
        }
    }

    fn write_aws(&self, object: &mut Object<'_>, resource: &str) {
        let facts = self.facts;
        let members = [
            ("operation", facts.operation.filter(|_| facts.is_aws())),
            ("region", facts.region),
            ("request_id", facts.request_id),
            ("queue_url", facts.queue_url),
            ("table_name", facts.table_name),
            ("bucket_name", facts.bucket_name),
            ("topic_arn", facts.topic_arn),
        ];
        if members.iter().all(|(_, value)| value.is_none()) {
            if !resource.is_empty() {
                object.raw("aws", resource);
            }
            return;
        }
        object.object("aws", |aws| {
            for (name, value) in members {
                aws.optional(name, value);
            }
            aws.members_of(resource);
        });
    }

    /// Source: as above, `MakeCause`.
    fn write_flags(&self, object: &mut Object<'_>) {
        let failed = self.span.status.as_ref().is_some_and(|s| s.code() == StatusCode::Error);
        let status = self.facts.http_status.unwrap_or(0);
        let is_error = (400..500).contains(&status);
        object.flag("error", is_error);
        object.flag("throttle", status == 429);
        object.flag("fault", (500..600).contains(&status) || (failed && !is_error));
    }

    fn write_http(&self, http: &mut Object<'_>, shape: Shape) {
        let facts = self.facts;
        http.filled("request", |request| {
            request.optional("method", facts.http_method);
            if let Some(url) = self.url() {
                request.text("url", &url);
            }
            request.optional("user_agent", facts.user_agent);
            match facts.client_ip {
                Some(client) => {
                    request.text("client_ip", client);
                    request.flag("x_forwarded_for", shape == Shape::Segment);
                }
                None if self.kind == SpanKind::Server => {
                    request.optional("client_ip", facts.peer_ip);
                }
                None => {}
            }
        });
        http.filled("response", |response| {
            if let Some(status) = facts.http_status {
                response.integer("status", status);
            }
            if let Some(length) = facts.content_length {
                response.integer("content_length", length);
            }
        });
    }

    fn url(&self) -> Option<Cow<'_, str>> {
        let facts = self.facts;
        if let Some(url) = facts.http_url {
            return Some(Cow::Borrowed(url));
        }
        facts.http_method?;
        let host = facts.http_host.or(facts.server_address)?;
        let port = match (facts.http_host, facts.server_port) {
            (None, Some(port)) if port != 80 && port != 443 => format!(":{port}"),
            _ => String::new(),
        };
        let scheme = facts.http_scheme.unwrap_or("http");
        let target = facts.http_target.unwrap_or("/");
        Some(Cow::Owned(format!("{scheme}://{host}{port}{target}")))
    }

    fn write_sql(&self, object: &mut Object<'_>) {
        let facts = self.facts;
        if !facts.is_sql() {
            return;
        }
        object.object("sql", |sql| {
            let name = facts.db_name.unwrap_or_default();
            let server = facts.db_connection.or(facts.server_address).unwrap_or("localhost");
            sql.text("url", &format!("{server}/{name}"));
            sql.optional("database_type", facts.db_system);
            sql.optional("user", facts.db_user);
            sql.optional("sanitized_query", facts.db_statement);
        });
    }

    fn write_cause(&self, object: &mut Object<'_>, id: &str) {
        let is_remote = matches!(self.kind, SpanKind::Client | SpanKind::Producer);
        let events = self.span.events.iter().filter(|event| event.name == "exception");
        let mut exceptions: Vec<(Option<&Event>, &str)> =
            events.map(|event| (Some(event), "")).collect();
        let status = self.span.status.as_ref().filter(|s| s.code() == StatusCode::Error);
        if let (true, Some(status)) = (exceptions.is_empty(), status)
            && !status.message.is_empty()
        {
            exceptions.push((None, &status.message));
        }
        if exceptions.is_empty() {
            return;
        }
        object.object("cause", |cause| {
            cause.list("exceptions", exceptions.iter().enumerate(), |out, (at, exception)| {
                let seed = format!("{id}{at}");
                let digest = xxhash_rust::xxh3::xxh3_64(seed.as_bytes());
                let mut object = Object::begin(out);
                object.text("id", &format!("{digest:016x}"));
                let (event, message) = exception;
                let text = |key: &str| {
                    let attributes = event.iter().flat_map(|event| &event.attributes);
                    attributes.into_iter().find(|a| a.key == key).and_then(text_of)
                };
                object.optional("type", text("exception.type"));
                object.text("message", text("exception.message").unwrap_or(message));
                object.flag("remote", is_remote);
                if let Some(stack) = text("exception.stacktrace") {
                    write_stack(&mut object, stack, self.resource.language);
                }
                object.end();
            });
        });
    }

    fn write_links(&self, object: &mut Object<'_>) {
        let links = self.span.links.iter().filter_map(|link| {
            let trace = <[u8; 16]>::try_from(link.trace_id.as_slice()).ok()?;
            Some((TraceId::from_bytes(trace), id_of(&link.span_id)?, &link.attributes))
        });
        let links: Vec<_> = links.collect();
        if links.is_empty() {
            return;
        }
        object.list("links", links, |out, (trace, id, attributes)| {
            let mut link = Object::begin(out);
            link.text("trace_id", &trace.to_string());
            link.text("id", &id);
            link.filled("attributes", |members| members.attributes(attributes));
            link.end();
        });
    }

    /// What X-Ray has no member for: annotations where they can be searched, metadata otherwise.
    fn write_attributes(&self, object: &mut Object<'_>, shape: Shape) {
        let facts = self.facts;
        let listed = |key: &str| match facts.listed {
            Some(Value::ArrayValue(list)) => list
                .values
                .iter()
                .any(|value| matches!(&value.value, Some(Value::StringValue(name)) if name == key)),
            _ => true,
        };
        let is_annotation = |key: &str, value: &Value| {
            let is_plain = match value {
                Value::StringValue(_) | Value::BoolValue(_) | Value::IntValue(_) => true,
                Value::DoubleValue(number) => number.is_finite(),
                _ => false,
            };
            is_plain && !key.starts_with("aws.xray.") && listed(key)
        };
        object.filled("annotations", |annotations| {
            for (key, value) in facts.others.iter().filter(|(key, value)| is_annotation(key, value))
            {
                annotations.value(&annotation_key(key), value);
            }
        });
        let rest = facts.others.iter().filter(|(key, value)| !is_annotation(key, value));
        let mut own = String::new();
        for (key, value) in rest.clone().filter(|(key, _)| !key.starts_with(NAMESPACE)) {
            own.push(',');
            crate::otlp::json::string(&mut own, key);
            own.push(':');
            any(&mut own, value, 0);
        }
        let resource = if shape == Shape::Segment { self.resource.metadata.as_str() } else { "" };
        object.filled("metadata", |metadata| {
            if !(own.is_empty() && resource.is_empty()) {
                let members = [own.as_str(), resource].concat();
                let members = members.get(1..).unwrap_or_default();
                metadata.raw("default", &["{", members, "}"].concat());
            }
            for (key, value) in rest {
                let parsed = match (key.strip_prefix(NAMESPACE), value) {
                    (Some(name), Value::StringValue(text)) => Some((name, text)),
                    _ => None,
                };
                if let Some((name, text)) = parsed
                    && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
                {
                    metadata.raw(name, text);
                }
            }
        });
    }
}

/// Attributes that are the JSON of a namespace of metadata.
const NAMESPACE: &str = "aws.xray.metadata.";

#[expect(clippy::cast_precision_loss, reason = "X-Ray's own form of an instant")]
fn seconds(nanos: u64) -> f64 {
    (nanos / 1000) as f64 / 1e6
}

/// Removes what a name may not hold.
fn valid_name(name: Cow<'_, str>) -> Cow<'_, str> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/%&#=+\\-@".contains(c);
    let is_short = name.len() <= NAME_CHARACTERS_MAX;
    if is_short && !name.is_empty() && name.chars().all(allowed) {
        return name;
    }
    let kept: String = name.chars().filter(|c| allowed(*c)).take(NAME_CHARACTERS_MAX).collect();
    Cow::Owned(if kept.is_empty() { "span".to_owned() } else { kept })
}

fn annotation_key(key: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    if key.chars().all(allowed) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(key.chars().map(|c| if allowed(c) { c } else { '_' }).collect())
}

/// The frames of a stack trace, in the form that the language prints them.
fn write_stack(object: &mut Object<'_>, stack: &str, language: Option<&str>) {
    /// BOUND: deeper frames say little and documents are small.
    const FRAMES_MAX: usize = 100;
    let frame: fn(&str) -> Option<(String, i64, String)> = match language {
        Some("python") => python_frame,
        _ => bracketed_frame,
    };
    let mut frames: Vec<_> = stack.lines().filter_map(frame).take(FRAMES_MAX).collect();
    if language == Some("python") {
        frames.reverse();
    }
    if frames.is_empty() {
        return;
    }
    object.list("stack", frames, |out, (path, line, label)| {
        let mut frame = Object::begin(out);
        frame.text("path", &path);
        frame.integer("line", line);
        frame.text("label", &label);
        frame.end();
    });
}

/// `  File "/app/shop.py", line 12, in pay`
fn python_frame(line: &str) -> Option<(String, i64, String)> {
    let (path, rest) = line.trim().strip_prefix("File \"")?.split_once('"')?;
    let rest = rest.strip_prefix(", line ")?;
    let (number, label) = rest.split_once(", in ").unwrap_or((rest, ""));
    Some((path.to_owned(), number.trim().parse().ok()?, label.to_owned()))
}

/// `    at com.shop.Pay.charge(Pay.java:12)` and `    at pay (/app/shop.js:12:5)`
fn bracketed_frame(line: &str) -> Option<(String, i64, String)> {
    let line = line.trim().strip_prefix("at ")?;
    let (label, place) = line.split_once('(').unwrap_or(("", line));
    let place = place.trim_end_matches(')');
    let mut parts = place.rsplitn(3, ':').collect::<Vec<_>>();
    parts.reverse();
    let (path, number) = match parts.as_slice() {
        [path, line, column] if column.parse::<i64>().is_ok() && line.parse::<i64>().is_ok() => {
            ((*path).to_owned(), line.parse().ok()?)
        }
        [path @ .., line] => (path.join(":"), line.parse().unwrap_or(0)),
        [] => return None,
    };
    Some((path, number, label.trim().to_owned()))
}

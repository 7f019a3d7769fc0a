//! Log records to log events.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::json::{Object, text_of};
use super::rejected::Rejected;
use crate::telemetry::{LogBatch, LogEvent};
use crate::time::Timestamp;

/// Source: CloudWatch Logs quotas.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
const NAME_CHARACTERS_MAX: usize = 512;

/// The group and stream that a request's headers name.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) group: Option<String>,
    pub(super) stream: Option<String>,
}

/// The log events of a request, by stream, and the records that make none.
///
/// A record goes where the headers say; else where the resource's `aws.log.group.names` and
/// `aws.log.stream.names` say; else to `/otlp/<service.name>`, one stream an instance.
/// Source: CloudWatch Logs User Guide, "OTLP endpoint": the headers, and the shape of an event.
pub(super) fn events(
    request: &ExportLogsServiceRequest,
    target: &Target,
    now: Timestamp,
) -> (Vec<LogBatch>, Rejected) {
    let mut rejected = Rejected::default();
    let mut found: BTreeMap<(Arc<str>, Arc<str>), Vec<LogEvent>> = BTreeMap::new();
    for resource in &request.resource_logs {
        let attributes = resource.resource.as_ref().map_or(&[][..], |r| &r.attributes);
        let events = found.entry(place(attributes, target)).or_default();
        for scope in &resource.scope_logs {
            for record in &scope.log_records {
                let message = message(record, attributes, scope.scope.as_ref());
                if message.len() > EVENT_BYTES_MAX {
                    rejected.add(1, "a log record is larger than 1 MiB");
                    continue;
                }
                events.push(LogEvent { timestamp: instant(record, now), message });
            }
        }
    }
    let batch = |((group, stream), mut events): ((Arc<str>, Arc<str>), Vec<LogEvent>)| {
        events.sort_by_key(|event| event.timestamp);
        LogBatch { group, stream, events }
    };
    let filled = found.into_iter().filter(|(_, events)| !events.is_empty());
    (filled.map(batch).collect(), rejected)
}

fn place(resource: &[KeyValue], target: &Target) -> (Arc<str>, Arc<str>) {
    let text = |key: &str| {
        let text = resource.iter().find(|attribute| attribute.key == key).and_then(text_of);
        text.filter(|text| !text.is_empty())
    };
    let first = |key: &str| text(key).and_then(|names| names.split('&').next());
    let service = || format!("/otlp/{}", text("service.name").unwrap_or("unknown_service"));
    let group = target.group.clone().or_else(|| first("aws.log.group.names").map(str::to_owned));
    let instance = || text("service.instance.id").or(text("host.name")).unwrap_or("default");
    let stream = target.stream.as_deref().or(first("aws.log.stream.names"));
    let stream = stream.unwrap_or_else(instance);
    let in_group = |c: char| c.is_ascii_alphanumeric() || "_./#-".contains(c);
    let in_stream = |c: char| c != ':' && c != '*';
    (named(&group.unwrap_or_else(service), in_group), named(stream, in_stream))
}

/// A name with what it may not hold replaced.
fn named(name: &str, allowed: impl Fn(char) -> bool) -> Arc<str> {
    let kept = name.chars().map(|c| if allowed(c) { c } else { '_' });
    kept.take(NAME_CHARACTERS_MAX).collect::<String>().into()
}

fn instant(record: &LogRecord, now: Timestamp) -> Timestamp {
    let nanos = [record.time_unix_nano, record.observed_time_unix_nano];
    match nanos.into_iter().find(|nanos| *nanos > 0) {
        Some(nanos) => Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)),
        None => now,
    }
}

fn message(
    record: &LogRecord,
    resource: &[KeyValue],
    scope: Option<&InstrumentationScope>,
) -> String {
    let mut text = String::with_capacity(512);
    let mut object = Object::begin(&mut text);
    object.filled("resource", |inner| {
        inner.filled("attributes", |members| members.attributes(resource));
    });
    object.filled("scope", |inner| {
        if let Some(scope) = scope {
            inner.optional("name", Some(scope.name.as_str()).filter(|name| !name.is_empty()));
            let version = Some(scope.version.as_str());
            inner.optional("version", version.filter(|version| !version.is_empty()));
            inner.filled("attributes", |members| members.attributes(&scope.attributes));
        }
    });
    for (name, nanos) in [
        ("timeUnixNano", record.time_unix_nano),
        ("observedTimeUnixNano", record.observed_time_unix_nano),
    ] {
        if nanos > 0 {
            object.raw(name, &nanos.to_string());
        }
    }
    if record.severity_number != 0 {
        object.integer("severityNumber", record.severity_number.into());
    }
    let texts = [("severityText", &record.severity_text), ("eventName", &record.event_name)];
    for (name, value) in texts {
        object.optional(name, Some(value.as_str()).filter(|text| !text.is_empty()));
    }
    if let Some(body) = record.body.as_ref().and_then(|body| body.value.as_ref()) {
        object.value("body", body);
    }
    object.filled("attributes", |members| members.attributes(&record.attributes));
    if record.flags != 0 {
        object.integer("flags", record.flags.into());
    }
    for (name, id) in [("traceId", &record.trace_id), ("spanId", &record.span_id)] {
        if !id.is_empty() {
            object.text(name, &hex::encode(id));
        }
    }
    object.end();
    text
}

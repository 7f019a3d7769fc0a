//! Segment documents of runs to spans.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::Value;

use super::shapes::{attribute, text};
use crate::telemetry::TraceSegment;

/// The spans of a run: the run itself, its attempts and steps, and each request as a client span.
///
/// Source: OpenTelemetry semantic conventions, `test.*` and HTTP client spans;
/// `user_agent.synthetic.type` tells that nobody waited for the answer.
pub(super) fn spans(segment: &TraceSegment) -> Vec<Span> {
    let Ok(document) = serde_json::from_str::<Value>(&segment.document) else {
        return Vec::new();
    };
    let trace = document.get("trace_id").and_then(Value::as_str).unwrap_or_default();
    // `1-<8 hex>-<24 hex>` is the same 16 bytes.
    let digits = trace.strip_prefix("1-").unwrap_or(trace).replace('-', "");
    let trace_id = hex::decode(digits).unwrap_or_default();
    let mut spans = Vec::new();
    add(&document, (&trace_id, &[]), Depth::Run, &mut spans);
    spans
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Run,
    Step,
}

fn add(document: &Value, (trace_id, parent): (&[u8], &[u8]), depth: Depth, out: &mut Vec<Span>) {
    let of = |pointer: &str| document.pointer(pointer);
    let word = |pointer: &str| of(pointer).and_then(Value::as_str);
    let is_set = |name: &str| document.get(name).and_then(Value::as_bool) == Some(true);
    let name = word("/name").unwrap_or_default();
    let is_remote = word("/namespace") == Some("remote");
    let failed = is_set("fault") || is_set("error") || is_set("throttle");
    let mut attributes = Vec::new();
    if is_remote {
        attributes = of_request(document);
    } else if depth == Depth::Run {
        attributes.push(attribute("test.suite.name", text(name)));
        let status = if failed { "failure" } else { "success" };
        attributes.push(attribute("test.suite.run.status", text(status)));
        attributes.push(attribute("user_agent.synthetic.type", text("test")));
        for (key, value) in of("/annotations").and_then(Value::as_object).into_iter().flatten() {
            attributes.push(attribute(&format!("coalmine.{key}"), super::shapes::value(value)));
        }
    } else {
        attributes.push(attribute("test.case.name", text(name)));
        let status = if failed { "fail" } else { "pass" };
        attributes.push(attribute("test.case.result.status", text(status)));
    }
    let exception = of("/cause/exceptions/0");
    let part = |name: &str| {
        exception.and_then(|exception| exception.get(name)?.as_str()).unwrap_or_default()
    };
    if exception.is_some() {
        attributes.push(attribute("error.type", text(part("type"))));
    }
    let id = hex::decode(word("/id").unwrap_or_default()).unwrap_or_default();
    let method = word("/http/request/method").filter(|_| is_remote);
    let end_nanos = nanos(of("/end_time"));
    out.push(Span {
        trace_id: trace_id.to_vec(),
        span_id: id.clone(),
        parent_span_id: parent.to_vec(),
        name: method.unwrap_or(name).to_owned(),
        kind: if is_remote { SpanKind::Client } else { SpanKind::Internal }.into(),
        start_time_unix_nano: nanos(of("/start_time")),
        end_time_unix_nano: end_nanos,
        attributes,
        events: exception
            .map(|_| event(end_nanos, part("type"), part("message")))
            .into_iter()
            .collect(),
        status: failed.then(|| Status {
            code: StatusCode::Error.into(),
            message: part("message").to_owned(),
        }),
        ..Span::default()
    });
    for inner in of("/subsegments").and_then(Value::as_array).into_iter().flatten() {
        add(inner, (trace_id, &id), Depth::Step, out);
    }
}

fn of_request(document: &Value) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    let request = |name: &str| document.pointer(&format!("/http/request/{name}"));
    if let Some(method) = request("method").and_then(Value::as_str) {
        attributes.push(attribute("http.request.method", text(method)));
    }
    if let Some(address) = request("url").and_then(Value::as_str) {
        attributes.push(attribute("url.full", text(address)));
        if let Ok(url) = url::Url::parse(address) {
            attributes.push(attribute("server.address", text(url.host_str().unwrap_or_default())));
            let port = url.port_or_known_default().map(Value::from);
            attributes.extend(port.map(|p| attribute("server.port", super::shapes::value(&p))));
        }
    }
    if let Some(status) = document.pointer("/http/response/status") {
        attributes.push(attribute("http.response.status_code", super::shapes::value(status)));
    }
    attributes.push(attribute("user_agent.synthetic.type", text("test")));
    attributes
}

fn event(time_unix_nano: u64, kind: &str, message: &str) -> Event {
    Event {
        time_unix_nano,
        name: "exception".to_owned(),
        attributes: vec![
            attribute("exception.type", text(kind)),
            attribute("exception.message", text(message)),
        ],
        dropped_attributes_count: 0,
    }
}

/// Seconds since the epoch; a double holds them to some hundred nanoseconds.
fn nanos(seconds: Option<&Value>) -> u64 {
    let seconds = seconds.and_then(Value::as_f64).unwrap_or(0.0).max(0.0);
    u64::try_from(std::time::Duration::from_secs_f64(seconds.min(1e10)).as_nanos()).unwrap_or(0)
}

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::canary::report::{
    AttemptReport, ExchangeReport, Failure, RunOutcome, RunReport, StepOutcome, StepReport,
};
use crate::telemetry::TraceSegment;
use crate::time::Timestamp;

/// The run as one segment: a subsegment for each step, and inside of it one for each exchange.
/// Runs of several attempts have a subsegment for each attempt in between.
///
/// Source: X-Ray Developer Guide, "Segment documents".
pub(super) fn segment(report: &RunReport) -> TraceSegment {
    let id = span_id(report, "run");
    let ended = report.started.plus(report.elapsed);
    let mut subsegments = Vec::new();
    for attempt in &report.attempts {
        let steps = steps(report, attempt);
        if report.attempts.len() > 1 {
            subsegments.push(of_attempt(report, attempt, steps));
        } else {
            subsegments.extend(steps);
        }
    }
    let mut annotations = Map::new();
    annotations.insert("canary".into(), json!(report.canary));
    annotations.insert("run_id".into(), json!(report.id));
    annotations.insert("outcome".into(), json!(report.outcome.as_str()));
    for (key, value) in &report.annotations {
        // Source: annotation keys are letters, digits and underscores; values are scalars.
        let key: String =
            key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let value = match value {
            Value::Array(_) | Value::Object(_) | Value::Null => Value::from(value.to_string()),
            scalar => scalar.clone(),
        };
        annotations.insert(key, value);
    }
    let mut document = json!({
        "name": report.canary,
        "id": id,
        "trace_id": report.trace,
        "start_time": report.started.as_secs_f64(),
        "end_time": ended.as_secs_f64(),
        "origin": "AWS::Synthetics::Canary",
        "annotations": annotations,
        "metadata": { "coalmine": { "file": report.file, "parameters": report.parameters } },
        "subsegments": subsegments,
    });
    let failed = matches!(report.outcome, RunOutcome::Failed | RunOutcome::Error);
    if failed && let Some((_, failure)) = report.failure() {
        mark_fault(&mut document, report, failure);
    }
    TraceSegment {
        trace_id: report.trace,
        id,
        start_time: report.started.as_secs_f64(),
        end_time: Some(ended.as_secs_f64()),
        document: document.to_string().into(),
    }
}

/// 16 hex digits that are the same for the same part of the same run.
fn span_id(report: &RunReport, part: &str) -> Arc<str> {
    format!("{:016x}", xxh3_64(format!("{}/{part}", report.id).as_bytes())).into()
}

fn timed(name: &str, id: Arc<str>, started: Timestamp, elapsed: Duration) -> Value {
    let start = started.as_secs_f64();
    let end = start + elapsed.as_secs_f64();
    json!({ "name": name, "id": id, "start_time": start, "end_time": end })
}

fn put(document: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = document {
        members.insert(key.to_owned(), value);
    }
}

fn mark_fault(document: &mut Value, report: &RunReport, failure: &Failure) {
    put(document, "fault", json!(true));
    let id = span_id(report, &failure.message);
    let exception =
        json!({ "id": id, "type": failure.verdict.as_str(), "message": failure.message });
    put(document, "cause", json!({ "exceptions": [exception] }));
}

fn of_attempt(report: &RunReport, attempt: &AttemptReport, steps: Vec<Value>) -> Value {
    let name = format!("attempt {}", attempt.number);
    let id = span_id(report, &name);
    let mut document = timed(&name, id, attempt.started, attempt.elapsed);
    put(&mut document, "subsegments", Value::Array(steps));
    if let Some(failure) = &attempt.failure {
        mark_fault(&mut document, report, failure);
    } else if attempt.outcome == RunOutcome::Failed {
        put(&mut document, "fault", json!(true));
    }
    document
}

fn steps(report: &RunReport, attempt: &AttemptReport) -> Vec<Value> {
    let reached = attempt.steps.iter().filter(|step| step.outcome != StepOutcome::Skipped);
    reached.map(|step| of_step(report, attempt.number, step)).collect()
}

fn of_step(report: &RunReport, attempt: u32, step: &StepReport) -> Value {
    let part = format!("{attempt}/{}", step.index);
    let id = span_id(report, &part);
    let mut document = timed(&step.name, id, step.started, step.elapsed);
    if let StepOutcome::Failed(failure) = &step.outcome {
        mark_fault(&mut document, report, failure);
    }
    let exchanges: Vec<Value> = step
        .exchanges
        .iter()
        .enumerate()
        .map(|(at, exchange)| of_exchange(report, exchange, &format!("{part}/{at}")))
        .collect();
    if !exchanges.is_empty() {
        put(&mut document, "subsegments", Value::Array(exchanges));
    }
    document
}

fn of_exchange(report: &RunReport, exchange: &ExchangeReport, part: &str) -> Value {
    // What the target was told as its parent, so that its own segments hang below.
    let id = exchange.span.clone().unwrap_or_else(|| span_id(report, part));
    let url = url::Url::parse(&exchange.url).ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or(&exchange.url);
    let mut document = timed(host, id, exchange.started, exchange.elapsed);
    put(&mut document, "namespace", json!("remote"));
    let mut http = json!({ "request": { "method": exchange.method, "url": exchange.url } });
    if let Some(status) = exchange.status {
        let response = json!({ "status": status, "content_length": exchange.wire_bytes });
        put(&mut http, "response", response);
        match status {
            429 => {
                put(&mut document, "throttle", json!(true));
                put(&mut document, "error", json!(true));
            }
            400..=499 => put(&mut document, "error", json!(true)),
            500..=599 => put(&mut document, "fault", json!(true)),
            _ => {}
        }
    }
    put(&mut document, "http", http);
    let timings = serde_json::to_value(exchange.timings).unwrap_or_default();
    put(&mut document, "metadata", json!({ "coalmine": { "timings": timings } }));
    if let Some(error) = &exchange.error {
        put(&mut document, "fault", json!(true));
        let exception =
            json!({ "id": span_id(report, part), "type": "no-answer", "message": error });
        put(&mut document, "cause", json!({ "exceptions": [exception] }));
    }
    document
}

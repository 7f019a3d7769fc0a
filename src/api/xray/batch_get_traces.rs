use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::INVALID_REQUEST;
use crate::api::call::{Answer, Call};
use crate::store::Trace;
use crate::telemetry::TraceId;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trace_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    traces: Vec<Document>,
    unprocessed_trace_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    id: String,
    duration: f64,
    limit_exceeded: bool,
    segments: Vec<Segment>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Segment {
    id: Arc<str>,
    document: Arc<str>,
}

/// Source: X-Ray API Reference, BatchGetTraces.
/// Differs: documents are given as they were sent; inferred segments are not made up.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let mut ids = Vec::with_capacity(input.trace_ids.len());
    for text in &input.trace_ids {
        let id = TraceId::parse(text);
        ids.push(id.map_err(|_bad| INVALID_REQUEST.because(format!("Invalid trace id: {text}")))?);
    }
    let found = call.state().store.traces().get(call.scope(), &ids).await?;
    let is_found = |id: &TraceId| found.iter().any(|trace| trace.id == *id);
    let absent = ids.iter().filter(|id| !is_found(id)).map(ToString::to_string).collect();
    Ok(Output { traces: found.into_iter().map(document).collect(), unprocessed_trace_ids: absent })
}

fn document(trace: Trace) -> Document {
    let starts = trace.segments.iter().map(|segment| segment.start_time);
    let ends = trace.segments.iter().filter_map(|segment| segment.end_time);
    let (start, end) = (starts.fold(f64::INFINITY, f64::min), ends.fold(0.0, f64::max));
    let segment = |segment: &Arc<crate::telemetry::TraceSegment>| Segment {
        id: Arc::clone(&segment.id),
        document: Arc::clone(&segment.document),
    };
    Document {
        id: trace.id.to_string(),
        duration: (end - start).max(0.0),
        limit_exceeded: false,
        segments: trace.segments.iter().map(segment).collect(),
    }
}

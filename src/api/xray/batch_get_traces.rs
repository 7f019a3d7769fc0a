use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reading::{check_one_page, trace_ids};
use crate::api::call::{Answer, Call};
use crate::query::trace::{ProcessedDocument, processed};
use crate::store::Trace;

/// Source: X-Ray Developer Guide, quotas: above this AWS may drop segments of a trace.
const TRACE_BYTES_MAX: usize = 500 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trace_ids: Vec<String>,
    next_token: Option<String>,
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

/// Source: X-Ray API Reference, BatchGetTraces: segments hold their subsegments, and callees that
/// sent nothing are inferred.
/// Differs: segments of a trace that is too large are all kept; `LimitExceeded` only says so.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    check_one_page("BatchGetTraces", input.next_token.as_deref())?;
    let ids = trace_ids(&input.trace_ids)?;
    let found = call.state().store.traces().get(call.scope(), &ids).await?;
    let absent = ids.iter().filter(|id| !found.iter().any(|trace| trace.id == **id));
    let unprocessed_trace_ids = absent.map(ToString::to_string).collect();
    Ok(Output { traces: found.into_iter().map(document).collect(), unprocessed_trace_ids })
}

fn document(trace: Trace) -> Document {
    let starts = trace.segments.iter().map(|segment| segment.start_time);
    let ends = trace.segments.iter().filter_map(|segment| segment.end_time);
    let start = starts.fold(f64::INFINITY, f64::min);
    let end = ends.fold(start, f64::max);
    let bytes: usize = trace.segments.iter().map(|segment| segment.document.len()).sum();
    let segment = |ProcessedDocument { id, text }| Segment { id, document: text };
    Document {
        id: trace.id.to_string(),
        duration: end - start,
        limit_exceeded: bytes > TRACE_BYTES_MAX,
        segments: processed(trace.id, &trace.segments).into_iter().map(segment).collect(),
    }
}

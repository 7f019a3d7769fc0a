use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::call::{Answer, Call};
use crate::query::trace::read_document;
use crate::telemetry::TelemetryBatch;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trace_segment_documents: Vec<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    unprocessed_trace_segments: Vec<Unprocessed>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unprocessed {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    error_code: &'static str,
    message: String,
}

/// Takes segment documents: each on its own, those taken together in one batch.
///
/// Source: X-Ray API Reference, PutTraceSegments; X-Ray Developer Guide, "Segment documents".
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let mut batch = TelemetryBatch::new(call.scope().clone());
    let mut unprocessed_trace_segments = Vec::new();
    for document in input.trace_segment_documents {
        match read_document(document) {
            Ok(segment) => batch.traces.push(segment),
            Err((id, fault)) => {
                let error_code = fault.code();
                let message = format!("Invalid segment. ErrorCode: {error_code}: {fault}");
                unprocessed_trace_segments.push(Unprocessed { id, error_code, message });
            }
        }
    }
    if !batch.traces.is_empty() {
        call.append(batch).await?;
    }
    Ok(Output { unprocessed_trace_segments })
}

//! X-Ray: segments in, traces and summaries out, in REST JSON.

mod batch_get_traces;
mod get_trace_summaries;
mod put_trace_segments;

use http::Method;

use super::error::Fault;
use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};

const INVALID_REQUEST: Fault = Fault::plain("InvalidRequestException", 400);

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "X-Ray",
        signing_name: "xray",
        event_source: "xray.amazonaws.com",
        dialects: Dialects::default(),
        error_namespace: "",
        refuse: |error| refuse_as_validator(INVALID_REQUEST, error),
        operations: vec![
            operation("BatchGetTraces", Effect::ReadsData, batch_get_traces::run)
                .at(Method::POST, "/Traces"),
            operation("GetTraceSummaries", Effect::ReadsData, get_trace_summaries::run)
                .at(Method::POST, "/TraceSummaries"),
            operation("PutTraceSegments", Effect::WritesData, put_trace_segments::run)
                .at(Method::POST, "/TraceSegments"),
        ],
    }
}

use serde::{Deserialize, Serialize};

use super::INVALID_REQUEST;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::wire::Instant;
use crate::store::TraceSummary;
use crate::time::{TimeRange, Timestamp};

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    start_time: Instant,
    end_time: Instant,
    filter_expression: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    trace_summaries: Vec<Summary>,
    approximate_time: Instant,
    traces_processed_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    start_time: Instant,
    duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time: Option<f64>,
    has_fault: bool,
    has_error: bool,
    has_throttle: bool,
    is_partial: bool,
}

/// Source: X-Ray API Reference, GetTraceSummaries: newest first.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    if let Some(filter) = input.filter_expression.filter(|filter| !filter.trim().is_empty()) {
        let why = format!("FilterExpression is not supported here yet: {filter}");
        return Err(INVALID_REQUEST.because(why));
    }
    let (start, end) = (input.start_time.0, input.end_time.0);
    if start > end {
        return Err(INVALID_REQUEST.because("StartTime must be before EndTime."));
    }
    let skipped: Option<usize> = page::open("GetTraceSummaries", input.next_token.as_deref())
        .map_err(|_token| INVALID_REQUEST.because("Invalid NextToken."))?;
    let skipped = skipped.unwrap_or(0);
    let range = TimeRange::new(start, end);
    let found = call.state().store.traces().summaries(call.scope(), range).await?;
    let traces_processed_count = found.len();
    let mut trace_summaries =
        found.iter().skip(skipped).take(PAGE + 1).map(summary).collect::<Vec<_>>();
    let next_token = page::cut(&mut trace_summaries, PAGE)
        .map(|_last| page::seal("GetTraceSummaries", &(skipped + PAGE)));
    let approximate_time = call.now().into();
    Ok(Output { trace_summaries, approximate_time, traces_processed_count, next_token })
}

fn summary(found: &TraceSummary) -> Summary {
    Summary {
        id: found.id.to_string(),
        start_time: Timestamp::from_secs_f64(found.start_time).into(),
        duration: found.duration,
        response_time: found.response_time,
        has_fault: found.has_fault,
        has_error: found.has_error,
        has_throttle: found.has_throttle,
        is_partial: found.is_partial,
    }
}

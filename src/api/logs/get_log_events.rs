use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, no_stream};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::store::{Direction, LogRead};
use crate::time::{TimeRange, Timestamp};

const EVENTS_MAX: i64 = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Option<Arc<str>>,
    log_group_identifier: Option<Arc<str>>,
    log_stream_name: Arc<str>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
    unmask: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    events: Vec<OutputLogEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputLogEvent {
    timestamp: i64,
    message: Arc<str>,
    ingestion_time: i64,
}

/// Source: CloudWatch Logs API Reference, GetLogEvents.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, EVENTS_MAX).done(INVALID_PARAMETER)?;
    let group = group::either(&call, input.log_group_name, input.log_group_identifier)?;
    group::check_stream_name(&input.log_stream_name)?;
    group::existing(&call, &group)?;
    let logs = call.state().store.logs();
    let stream = input.log_stream_name;
    logs.stream(call.scope(), &group, &stream).ok_or_else(no_stream)?;
    let start = input.start_time.map_or(Timestamp::MIN, Timestamp::from_millis);
    let end = input.end_time.map_or(Timestamp::MAX, Timestamp::from_millis);
    let read = LogRead {
        group: &group,
        stream: &stream,
        range: TimeRange::new(start, end),
        direction: match input.start_from_head {
            Some(true) => Direction::OldestFirst,
            _ => Direction::NewestFirst,
        },
        token: input.next_token.as_deref(),
        limit: usize::try_from(input.limit.unwrap_or(EVENTS_MAX)).unwrap_or(usize::MAX),
    };
    let page = logs.get_events(call.scope(), &read).await?;
    let mask = group::mask(&call, &group, input.unmask);
    let event = |event: crate::store::StoredLogEvent| OutputLogEvent {
        timestamp: event.timestamp.as_millis(),
        message: mask.shared(event.ingestion_time, &event.message),
        ingestion_time: event.ingestion_time.as_millis(),
    };
    Ok(Output {
        events: page.events.into_iter().map(event).collect(),
        next_forward_token: page.forward_token,
        next_backward_token: page.backward_token,
    })
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, no_stream};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::query::filter_pattern::FilterPattern;
use crate::store::{Direction, LogSearch, StoredLogEvent, StreamSelection};
use crate::time::{TimeRange, Timestamp};

const EVENTS_MAX: i64 = 10_000;
/// 2024-01-01T00:00Z: newest first is for starts from then on.
const BACKWARD_FROM_MILLIS: i64 = 1_704_067_200_000;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    log_group_name: Option<Arc<str>>,
    log_group_identifier: Option<Arc<str>>,
    log_stream_names: Vec<Arc<str>>,
    log_stream_name_prefix: Option<Arc<str>>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
    unmask: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    events: Vec<FilteredLogEvent>,
    /// Source: FilterLogEvents: always empty.
    searched_log_streams: Vec<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredLogEvent {
    log_stream_name: Arc<str>,
    timestamp: i64,
    message: Arc<str>,
    ingestion_time: i64,
    event_id: String,
}

/// Source: CloudWatch Logs API Reference, FilterLogEvents.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new()
        .range("limit", input.limit, 1, EVENTS_MAX)
        .count("logStreamNames", input.log_stream_names.len(), 0, 100)
        .done(INVALID_PARAMETER)?;
    let pattern = FilterPattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|fault| INVALID_PARAMETER.because(format!("Invalid filter pattern: {fault}")))?;
    let direction = direction(&input)?;
    let group = group::either(&call, input.log_group_name, input.log_group_identifier)?;
    group::existing(&call, &group)?;
    let logs = call.state().store.logs();
    for stream in &input.log_stream_names {
        logs.stream(call.scope(), &group, stream).ok_or_else(no_stream)?;
    }
    let names = input.log_stream_names.iter().map(|name| &**name).collect::<Vec<_>>();
    let streams = match (names.as_slice(), &input.log_stream_name_prefix) {
        ([_, ..], Some(_)) => {
            let why = "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.";
            return Err(INVALID_PARAMETER.because(why));
        }
        ([], Some(prefix)) => StreamSelection::Prefix(prefix),
        ([], None) => StreamSelection::All,
        (names, None) => StreamSelection::Named(names),
    };
    let start = input.start_time.map_or(Timestamp::MIN, Timestamp::from_millis);
    // Source: FilterLogEvents: events later than the end are excluded, one at the end is not.
    let end =
        input.end_time.map_or(Timestamp::MAX, |end| Timestamp::from_millis(end).plus_millis(1));
    let search = LogSearch {
        group: &group,
        streams,
        range: TimeRange::new(start, end),
        direction,
        token: input.next_token.as_deref(),
        limit: usize::try_from(input.limit.unwrap_or(EVENTS_MAX)).unwrap_or(usize::MAX),
    };
    let matches = |event: &StoredLogEvent| pattern.matches(&event.message);
    let found = logs.filter_events(call.scope(), &search, &matches).await?;
    let mask = group::mask(&call, &group, input.unmask);
    let event = |event: StoredLogEvent| FilteredLogEvent {
        event_id: event.id(),
        log_stream_name: event.stream,
        timestamp: event.timestamp.as_millis(),
        message: mask.shared(event.ingestion_time, &event.message),
        ingestion_time: event.ingestion_time.as_millis(),
    };
    let events = found.events.into_iter().map(event).collect();
    Ok(Output { events, searched_log_streams: Vec::new(), next_token: found.next_token })
}

fn direction(input: &Input) -> Answer<Direction> {
    if input.start_from_head.unwrap_or(true) {
        return Ok(Direction::OldestFirst);
    }
    match input.start_time {
        Some(start) if start >= BACKWARD_FROM_MILLIS => Ok(Direction::NewestFirst),
        _ => Err(INVALID_PARAMETER.because(
            "startFromHead can be false only with a startTime of 2024-01-01T00:00:00Z or later.",
        )),
    }
}

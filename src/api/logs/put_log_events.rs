use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, no_group, no_stream};
use super::group::{check_name, check_stream_name};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Protocol;
use crate::telemetry::{LogBatch, LogEvent, TelemetryBatch};
use crate::time::Timestamp;

/// COMPAT: clients of before 2023 pass back what they were given; nobody reads it.
pub(super) const SEQUENCE_TOKEN: &str = "49039859602450133733529364127436229137187135684713481986";

const EVENTS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 1_048_576;
/// What each event counts over its message.
const EVENT_OVERHEAD_BYTES: usize = 26;
const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);
const AHEAD_MAX: Duration = Duration::from_secs(2 * 3600);
const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
    log_stream_name: Arc<str>,
    log_events: Vec<InputLogEvent>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct InputLogEvent {
    timestamp: i64,
    message: String,
}

/// An input of the usual members, and no others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UsualInput {
    log_group_name: Arc<str>,
    log_stream_name: Arc<str>,
    log_events: Vec<UsualLogEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualLogEvent {
    timestamp: i64,
    message: String,
}

/// Reads a JSON body of the usual form without a tree; `None` for every other.
pub(super) fn read_usual(protocol: Protocol, body: &[u8]) -> Option<Input> {
    if !matches!(protocol, Protocol::Json(_)) {
        return None;
    }
    let usual: UsualInput = serde_json::from_slice(body).ok()?;
    let event = |UsualLogEvent { timestamp, message }| InputLogEvent { timestamp, message };
    Some(Input {
        log_group_name: usual.log_group_name,
        log_stream_name: usual.log_stream_name,
        log_events: usual.log_events.into_iter().map(event).collect(),
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    next_sequence_token: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_events_info: Option<Rejected>,
}

/// Which events were not taken, by their places in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    #[serde(skip_serializing_if = "Option::is_none")]
    too_new_log_event_start_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    too_old_log_event_end_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_log_event_end_index: Option<usize>,
}

/// Takes log events: all that are in time, or none when the request is at fault.
///
/// Source: CloudWatch Logs API Reference, PutLogEvents. Differs: the entity is not kept.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    check_name(&input.log_group_name)?;
    check_stream_name(&input.log_stream_name)?;
    check_events(&input.log_events)?;
    let logs = call.state().store.logs();
    let (group, stream) = (input.log_group_name, input.log_stream_name);
    let found = logs.group(call.scope(), &group).ok_or_else(no_group)?;
    logs.stream(call.scope(), &group, &stream).ok_or_else(no_stream)?;
    let retention = found.retention_days.map(|days| DAY * days);
    let times = input.log_events.iter().map(|event| event.timestamp);
    let rejected = reject(times, call.now(), retention);
    let events = accepted(input.log_events, rejected);
    if !events.is_empty() {
        let mut batch = TelemetryBatch::new(call.scope().clone());
        batch.logs.push(LogBatch { group, stream, events });
        call.ingest(batch).await?;
    }
    let rejected_log_events_info = (rejected != Rejected::default()).then_some(rejected);
    Ok(Output { next_sequence_token: SEQUENCE_TOKEN, rejected_log_events_info })
}

fn check_events(events: &[InputLogEvent]) -> Answer<()> {
    Constraints::new().count("logEvents", events.len(), 1, EVENTS_MAX).done(INVALID_PARAMETER)?;
    let mut total = 0;
    for event in events {
        let bytes = event.message.len() + EVENT_OVERHEAD_BYTES;
        total += bytes;
        if event.message.is_empty() {
            return Err(INVALID_PARAMETER.because(
                "1 validation error detected: Value '' at 'logEvents.1.member.message' failed to \
                 satisfy constraint: Member must have length greater than or equal to 1",
            ));
        }
        if bytes > BATCH_BYTES_MAX {
            return Err(INVALID_PARAMETER.because(format!(
                "Log event too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
            )));
        }
    }
    if total > BATCH_BYTES_MAX {
        return Err(INVALID_PARAMETER.because(format!(
            "Upload too large: {total} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(INVALID_PARAMETER.because(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let first = events.first().map_or(0, |event| event.timestamp);
    let last = events.last().map_or(0, |event| event.timestamp);
    let span = i64::try_from(SPAN_MAX.as_millis()).unwrap_or(i64::MAX);
    if last.saturating_sub(first) > span {
        return Err(INVALID_PARAMETER.because(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 \
             hours.",
        ));
    }
    Ok(())
}

/// Times are sorted, so what is too old or expired is at the front and what is too new at the end.
fn reject(
    times: impl Iterator<Item = i64>,
    now: Timestamp,
    retention: Option<Duration>,
) -> Rejected {
    let mut rejected = Rejected::default();
    for (index, at) in times.map(Timestamp::from_millis).enumerate() {
        if at > now.plus(AHEAD_MAX) {
            rejected.too_new_log_event_start_index.get_or_insert(index);
        } else if retention.is_some_and(|kept| at < now.minus(kept)) {
            rejected.expired_log_event_end_index = Some(index + 1);
        } else if at < now.minus(AGE_MAX) {
            rejected.too_old_log_event_end_index = Some(index + 1);
        }
    }
    rejected
}

fn accepted(events: Vec<InputLogEvent>, rejected: Rejected) -> Vec<LogEvent> {
    let old = rejected.too_old_log_event_end_index.unwrap_or(0);
    let first = old.max(rejected.expired_log_event_end_index.unwrap_or(0));
    let last = rejected.too_new_log_event_start_index.unwrap_or(events.len());
    let event = |event: InputLogEvent| LogEvent {
        timestamp: Timestamp::from_millis(event.timestamp),
        message: event.message,
    };
    events.into_iter().take(last).skip(first).map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::JsonVersion;

    fn event(timestamp: i64, message: &str) -> InputLogEvent {
        InputLogEvent { timestamp, message: message.to_owned() }
    }

    /// Source: PutLogEvents, `RejectedLogEventsInfo`: one start that is inclusive, two ends that
    /// are exclusive.
    #[test]
    fn events_out_of_time_are_told_by_their_places() {
        let day = 86_400_000;
        let now = Timestamp::from_millis(100 * day);
        let times = |days: &[i64]| days.iter().map(|d| d * day).collect::<Vec<_>>();
        let kept = Some(DAY * 7);
        for (days, retention, old, expired, new) in [
            (vec![99, 100], None, None, None, None),
            (vec![80, 85, 99], None, Some(2), None, None),
            (vec![80, 92, 99], kept, None, Some(2), None),
            (vec![99, 101, 102], None, None, None, Some(1)),
            (vec![50, 99, 101], kept, None, Some(1), Some(2)),
        ] {
            let rejected = reject(times(&days).into_iter(), now, retention);
            let expected = Rejected {
                too_old_log_event_end_index: old,
                expired_log_event_end_index: expired,
                too_new_log_event_start_index: new,
            };
            assert_eq!(rejected, expected, "{days:?}");
            let events = days.iter().map(|d| event(d * day, "x")).collect();
            let first = old.max(expired).unwrap_or(0);
            let count = new.unwrap_or(days.len()) - first;
            assert_eq!(accepted(events, rejected).len(), count, "{days:?}");
        }
    }

    #[test]
    fn what_is_read_without_a_tree_is_what_the_tree_reads() {
        let names = r#""logGroupName": "g", "logStreamName": "s""#;
        let json = Protocol::Json(JsonVersion::V1_1);
        for (events, is_usual) in [
            (r#"[{"timestamp": 1, "message": "a\n\u00e9 \"b\""}]"#, true),
            (r#"[]"#, true),
            (r#"[{"message": "x", "timestamp": -5}, {"timestamp": 2, "message": ""}]"#, true),
            (r#"[{"timestamp": 1.0, "message": "a"}]"#, false),
            (r#"[{"timestamp": 1, "message": "a", "more": 1}]"#, false),
            (r#"[{"timestamp": 1}]"#, false),
            (r#"[{"timestamp": 1, "message": "\ud800"}]"#, false),
            (r#"[{"timestamp": 99999999999999999999, "message": "a"}]"#, false),
        ] {
            let body = format!(r#"{{{names}, "logEvents": {events}}}"#);
            let usual = read_usual(json, body.as_bytes());
            assert_eq!(usual.is_some(), is_usual, "{events}");
            if let Some(usual) = usual {
                let input = json.read(body.as_bytes()).unwrap().decode::<Input>();
                assert_eq!(input, Ok(usual));
            }
        }
    }

    #[test]
    fn a_request_that_breaks_a_rule_fails_as_a_whole() {
        let message = |events: &[InputLogEvent]| check_events(events).unwrap_err().message;
        assert!(message(&[]).starts_with("1 validation error detected"));
        assert!(message(&[event(0, "")]).contains("length greater than or equal to 1"));
        assert!(message(&[event(2, "a"), event(1, "b")]).contains("chronological order"));
        assert!(message(&[event(0, "a"), event(86_400_001, "b")]).contains("24 hours"));
        let half = "x".repeat(524_288);
        assert_eq!(
            message(&[event(0, &half), event(0, &half)]),
            "Upload too large: 1048628 bytes exceeds limit of 1048576"
        );
        let whole = "x".repeat(1_048_551);
        assert_eq!(
            message(&[event(0, &whole)]),
            "Log event too large: 1048577 bytes exceeds limit of 1048576"
        );
        assert_eq!(check_events(&[event(0, &whole[1..])]), Ok(()));
    }
}

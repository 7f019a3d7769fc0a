//! Single events by the pointer that queries show, and which fields a group's events have.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, NOT_FOUND};
use super::group;
use crate::api::call::{Answer, Call};
use crate::query::insights::{Body, Pointer, Record};
use crate::store::{Direction, LogSearch, StoredLogEvent, StreamSelection};
use crate::time::{TimeRange, Timestamp};

/// Source: GetLogGroupFields: 8 minutes before and after a time, or the last 15 minutes.
const AROUND_MILLIS: i64 = 8 * 60_000;
const LATEST_MILLIS: i64 = 15 * 60_000;
/// So many events are looked at.
const SAMPLE_MAX: usize = 10_000;

/// What the pointers to a group's events start with; the event's id follows.
pub(super) fn pointer_start(group: &str) -> String {
    format!("{}.", URL_SAFE_NO_PAD.encode(group))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetInput {
    log_record_pointer: String,
    unmask: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetOutput {
    log_record: BTreeMap<String, String>,
}

/// Source: CloudWatch Logs API Reference, GetLogRecord.
pub(super) async fn get(call: Call, input: GetInput) -> Answer<GetOutput> {
    let invalid = || INVALID_PARAMETER.because("The specified log record pointer is invalid.");
    let pointer = input.log_record_pointer;
    let (group, id) = pointer.split_once('.').ok_or_else(invalid)?;
    let group = URL_SAFE_NO_PAD.decode(group).map_err(|_fault| invalid())?;
    let group = String::from_utf8(group).map_err(|_fault| invalid())?;
    group::check_name(&group).map_err(|_fault| invalid())?;
    group::existing(&call, &group)?;
    // An id is the place of its event, so a search from there finds it first.
    let from_there = format!("f/{id}/s");
    let search = LogSearch {
        group: &group,
        streams: StreamSelection::All,
        range: TimeRange::new(Timestamp::MIN, Timestamp::MAX),
        direction: Direction::OldestFirst,
        token: Some(&from_there),
        limit: 1,
    };
    let found = call.state().store.logs().filter_events(call.scope(), &search, &|_| true).await;
    let found = found.map_err(|_fault| invalid())?.events.into_iter().next();
    let event = found
        .filter(|event| event.id() == id)
        .ok_or_else(|| NOT_FOUND.because("The specified log record does not exist."))?;
    let mask = group::mask(&call, &group, input.unmask);
    let message = mask.apply(event.ingestion_time, &event.message);
    let log = format!("{}:{group}", call.scope().account);
    let text = &*message;
    let record = record(&event, &text, (&log, Pointer(&pointer)));
    let mut log_record = record.discovered_fields().into_iter().collect::<BTreeMap<_, _>>();
    for (name, value) in [
        ("@timestamp", event.timestamp.as_millis().to_string()),
        ("@ingestionTime", event.ingestion_time.as_millis().to_string()),
        ("@message", message.to_string()),
        ("@logStream", event.stream.to_string()),
        ("@log", log.clone()),
        ("@ptr", pointer.clone()),
    ] {
        log_record.insert(name.to_owned(), value);
    }
    Ok(GetOutput { log_record })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldsInput {
    log_group_name: Option<Arc<str>>,
    log_group_identifier: Option<Arc<str>>,
    time: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldsOutput {
    log_group_fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: String,
    percent: usize,
}

/// Source: CloudWatch Logs API Reference, GetLogGroupFields; `time` is in seconds.
pub(super) async fn fields(call: Call, input: FieldsInput) -> Answer<FieldsOutput> {
    let group = group::either(&call, input.log_group_name, input.log_group_identifier)?;
    group::existing(&call, &group)?;
    let range = match input.time {
        Some(seconds) => {
            let middle = Timestamp::from_secs(seconds);
            TimeRange::new(middle.plus_millis(-AROUND_MILLIS), middle.plus_millis(AROUND_MILLIS))
        }
        None => TimeRange::new(call.now().plus_millis(-LATEST_MILLIS), Timestamp::MAX),
    };
    let search = LogSearch {
        group: &group,
        streams: StreamSelection::All,
        range,
        direction: Direction::OldestFirst,
        token: None,
        limit: SAMPLE_MAX,
    };
    let logs = call.state().store.logs();
    let found = logs.filter_events(call.scope(), &search, &|_| true).await?.events;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in &found {
        let system = ["@ingestionTime", "@log", "@logStream", "@message", "@timestamp"];
        let known = system.map(ToOwned::to_owned).into_iter();
        let own =
            record(event, &&*event.message, ("", Pointer(&""))).discovered_fields().into_iter();
        for name in known.chain(own.map(|(name, _)| name)) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let percent =
        |(name, count): (String, usize)| Field { name, percent: count * 100 / found.len() };
    let mut log_group_fields = counts.into_iter().map(percent).collect::<Vec<_>>();
    log_group_fields.sort_by_key(|field| std::cmp::Reverse(field.percent));
    Ok(FieldsOutput { log_group_fields })
}

fn record<'a>(
    event: &'a StoredLogEvent,
    body: &'a dyn Body,
    (log, pointer): (&'a str, Pointer<'a>),
) -> Record<'a> {
    Record {
        timestamp: event.timestamp,
        ingestion_time: event.ingestion_time,
        body,
        log,
        stream: &event.stream,
        pointer,
    }
}

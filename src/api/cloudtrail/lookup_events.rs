use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{
    INVALID_EVENT_CATEGORY, INVALID_LOOKUP_ATTRIBUTES, INVALID_MAX_RESULTS, INVALID_NEXT_TOKEN,
    INVALID_TIME_RANGE, refused,
};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::wire::Instant;
use crate::store::{AuditAttribute, AuditQuery};
use crate::telemetry::AuditRecord;
use crate::time::{TimeRange, Timestamp};

/// How far back management events can be looked up.
const KEPT: Duration = Duration::from_secs(90 * 86_400);
const PAGE: i64 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    #[serde(default)]
    lookup_attributes: Vec<LookupAttribute>,
    start_time: Option<Instant>,
    end_time: Option<Instant>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LookupAttribute {
    attribute_key: AttributeKey,
    attribute_value: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum AttributeKey {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    events: Vec<FoundEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FoundEvent {
    event_id: String,
    event_name: String,
    read_only: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    event_time: Instant,
    event_source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    resources: Vec<Resource>,
    cloud_trail_event: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    resource_type: String,
    resource_name: String,
}

/// Where a page ends: the instant of its last event, and how many events of that instant it holds.
///
/// Events are only ever added, and newer ones come first, so what lies past a place stays the same.
type Place = (i64, usize);

/// Source: CloudTrail API Reference, LookupEvents: management events of 90 days, newest first.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let limit = limit(&input)?;
    let mut range = range(&call, &input)?;
    let attribute = attribute(&input)?;
    if input.event_category.is_some() {
        return insights(&call, range, limit, input.next_token.as_deref()).await;
    }
    let place: Option<Place> = page::open("LookupEvents", input.next_token.as_deref())
        .map_err(|_token| INVALID_NEXT_TOKEN.because("The NextToken is not valid."))?;
    let mut skipped = 0;
    if let Some((at, seen)) = place {
        range.end = range.end.min(Timestamp::from_millis(at).plus_millis(1));
        skipped = seen;
    }
    // Calls that were answered before this one must be found, also those that only read.
    call.trail().settle().await;
    let query = AuditQuery { attribute, range, after: None, limit: skipped + limit + 1 };
    let found = call.state().store.audit().lookup(call.scope(), &query).await?;
    let mut records = found.into_iter().map(|(_, record)| record).skip(skipped).collect::<Vec<_>>();
    let last = page::cut(&mut records, limit).map(|last| last.event_time);
    let next_token = last.map(|last| {
        let here = records.iter().filter(|record| record.event_time == last).count();
        let before = if place.is_some_and(|(at, _)| at == last.as_millis()) { skipped } else { 0 };
        page::seal("LookupEvents", &(last.as_millis(), before + here))
    });
    Ok(Output { events: records.iter().map(|record| show(record)).collect(), next_token })
}

/// Source: CloudTrail API Reference, LookupEvents, EventCategory `insight`.
async fn insights(
    call: &Call,
    range: TimeRange,
    limit: usize,
    token: Option<&str>,
) -> Answer<Output> {
    const OPERATION: &str = "LookupEvents insight";
    let skipped: usize = page::open(OPERATION, token)
        .map_err(|_token| INVALID_NEXT_TOKEN.because("The NextToken is not valid."))?
        .unwrap_or(0);
    let account = call.scope().account.as_str();
    let found = call.state().monitor.trails().insights(call.scope(), range).await;
    let found = found.map_err(|error| refused(error, ("", account)))?;
    let more = found.len() > skipped.saturating_add(limit);
    let events = found.into_iter().skip(skipped).take(limit).map(|record| {
        let text = |pointer: &str| {
            let found = record.pointer(pointer).and_then(serde_json::Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        FoundEvent {
            event_id: text("/eventID"),
            event_name: text("/insightDetails/eventName"),
            read_only: "false".to_owned(),
            access_key_id: None,
            event_time: Timestamp::parse(&text("/eventTime")).unwrap_or(range.start).into(),
            event_source: text("/insightDetails/eventSource"),
            username: None,
            resources: Vec::new(),
            cloud_trail_event: record.to_string(),
        }
    });
    let next_token = more.then(|| page::seal(OPERATION, &(skipped + limit)));
    Ok(Output { events: events.collect(), next_token })
}

fn limit(input: &Input) -> Answer<usize> {
    let limit = input.max_results.unwrap_or(PAGE);
    match usize::try_from(limit) {
        Ok(most) if (1..=PAGE).contains(&limit) => Ok(most),
        _ => Err(INVALID_MAX_RESULTS.because("MaxResults must be between 1 and 50.")),
    }
}

fn range(call: &Call, input: &Input) -> Answer<TimeRange> {
    if let Some(category) = input.event_category.as_ref().filter(|name| *name != "insight") {
        let why = format!("Event category {category} is not recorded here.");
        return Err(INVALID_EVENT_CATEGORY.because(why));
    }
    if input.start_time.zip(input.end_time).is_some_and(|(start, end)| start > end) {
        return Err(INVALID_TIME_RANGE.because("The start time must not be after the end time."));
    }
    let oldest = call.now().minus(KEPT);
    let start = input.start_time.map_or(oldest, |start| start.0.max(oldest));
    let end = input.end_time.map_or(call.now(), |end| end.0);
    Ok(TimeRange::new(start, end.plus_millis(1)))
}

fn attribute(input: &Input) -> Answer<Option<AuditAttribute>> {
    let one = match input.lookup_attributes.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => {
            let why = "You can only specify one lookup attribute.";
            return Err(INVALID_LOOKUP_ATTRIBUTES.because(why));
        }
    };
    let value = one.attribute_value.as_str();
    Ok(Some(match one.attribute_key {
        AttributeKey::EventId => AuditAttribute::EventId(value.into()),
        AttributeKey::EventName => AuditAttribute::EventName(value.into()),
        AttributeKey::ReadOnly => AuditAttribute::ReadOnly(value == "true"),
        AttributeKey::Username => AuditAttribute::Username(value.into()),
        AttributeKey::ResourceType => AuditAttribute::ResourceType(value.into()),
        AttributeKey::ResourceName => AuditAttribute::ResourceName(value.into()),
        AttributeKey::EventSource => AuditAttribute::EventSource(value.into()),
        AttributeKey::AccessKeyId => AuditAttribute::AccessKeyId(value.into()),
    }))
}

fn show(record: &AuditRecord) -> FoundEvent {
    let resource = |(kind, name): &(std::sync::Arc<str>, std::sync::Arc<str>)| Resource {
        resource_type: kind.to_string(),
        resource_name: name.to_string(),
    };
    FoundEvent {
        event_id: record.event_id.to_string(),
        event_name: record.event_name.to_string(),
        read_only: record.read_only.to_string(),
        access_key_id: record.access_key_id.as_ref().map(ToString::to_string),
        event_time: record.event_time.into(),
        event_source: record.event_source.to_string(),
        username: record.username.as_ref().map(ToString::to_string),
        resources: record.resources.iter().map(resource).collect(),
        cloud_trail_event: record.record.to_string(),
    }
}

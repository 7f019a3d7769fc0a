use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    INVALID_EVENT_CATEGORY, INVALID_LOOKUP_ATTRIBUTES, INVALID_MAX_RESULTS, INVALID_NEXT_TOKEN,
    INVALID_TIME_RANGE,
};
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::store::{AuditKey, AuditQuery, ReadError};
use crate::telemetry::AuditRecord;
use crate::time::TimeRange;

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

/// Source: CloudTrail API Reference, LookupEvents: management events of 90 days, newest first.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let query = query(&call, input)?;
    // Calls that were answered before this one must be found, also those that only read.
    call.trail().settle().await;
    let found = call.state().store.audit().lookup(call.scope(), &query).await;
    let (records, next_token) = found.map_err(|error| match error {
        ReadError::Token => INVALID_NEXT_TOKEN.because("The NextToken is not valid."),
        other => other.into(),
    })?;
    Ok(Output { events: records.into_iter().map(show).collect(), next_token })
}

fn query(call: &Call, input: Input) -> Answer<AuditQuery> {
    let limit = input.max_results.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(INVALID_MAX_RESULTS.because("MaxResults must be between 1 and 50."));
    }
    if let Some(category) = input.event_category {
        let why = format!("Event category {category} is not recorded here.");
        return Err(INVALID_EVENT_CATEGORY.because(why));
    }
    let oldest = call.now().minus(KEPT);
    let start = input.start_time.map_or(oldest, |start| start.0.max(oldest));
    let end = input.end_time.map_or(call.now().plus_millis(1), |end| end.0.plus_millis(1));
    if input.start_time.zip(input.end_time).is_some_and(|(start, end)| start > end) {
        return Err(INVALID_TIME_RANGE.because("The start time must not be after the end time."));
    }
    let mut attributes = input.lookup_attributes.into_iter();
    let attribute =
        attributes.next().map(|one| (key(one.attribute_key), one.attribute_value.into()));
    if attributes.next().is_some() {
        let why = "You can only specify one lookup attribute.";
        return Err(INVALID_LOOKUP_ATTRIBUTES.because(why));
    }
    Ok(AuditQuery {
        range: TimeRange::new(start, end),
        attribute,
        after: input.next_token,
        limit: usize::try_from(limit).unwrap_or(1),
    })
}

const fn key(key: AttributeKey) -> AuditKey {
    match key {
        AttributeKey::EventId => AuditKey::EventId,
        AttributeKey::EventName => AuditKey::EventName,
        AttributeKey::ReadOnly => AuditKey::ReadOnly,
        AttributeKey::Username => AuditKey::Username,
        AttributeKey::ResourceType => AuditKey::ResourceType,
        AttributeKey::ResourceName => AuditKey::ResourceName,
        AttributeKey::EventSource => AuditKey::EventSource,
        AttributeKey::AccessKeyId => AuditKey::AccessKeyId,
    }
}

fn show(record: AuditRecord) -> FoundEvent {
    let text = |text: std::sync::Arc<str>| text.to_string();
    let resource = |(kind, name)| Resource { resource_type: text(kind), resource_name: text(name) };
    FoundEvent {
        event_id: text(record.event_id),
        event_name: text(record.event_name),
        read_only: record.read_only.to_string(),
        access_key_id: record.access_key_id.map(text),
        event_time: record.event_time.into(),
        event_source: text(record.event_source),
        username: record.username.map(text),
        resources: record.resources.into_iter().map(resource).collect(),
        cloud_trail_event: record.record.to_string(),
    }
}

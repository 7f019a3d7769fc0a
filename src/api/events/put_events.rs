use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bus;
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::bus::{BusError, RefusalKind, bus_of_arn};
use crate::telemetry::{Event, Scope, TelemetryBatch};

const ENTRIES_MAX: usize = 10;
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// What an entry with a time counts over its texts.
const TIME_BYTES: usize = 14;
const DETAIL_TYPE_CHARACTERS_MAX: usize = 128;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    time: Option<Instant>,
    source: Option<String>,
    resources: Vec<Arc<str>>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    trace_header: Option<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    failed_entry_count: usize,
    entries: Vec<EntryResult>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EntryResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// Why one entry is not taken.
type Fault = (&'static str, String);

/// Takes events: each entry on its own, those taken together in one batch.
///
/// Source: EventBridge API Reference, PutEvents.
/// Differs: an event for a bus that does not exist fails its entry; AWS loses it silently.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().count("entries", input.entries.len(), 1, ENTRIES_MAX).done(VALIDATION)?;
    if input.entries.iter().map(size).sum::<usize>() >= REQUEST_BYTES_MAX {
        let why = "Total size of the entries in the request is over the limit.";
        return Err(VALIDATION.because(why));
    }
    let mut batches: BTreeMap<Scope, Vec<Event>> = BTreeMap::new();
    let mut entries = Vec::with_capacity(input.entries.len());
    for entry in input.entries {
        entries.push(match read(&call, entry).await? {
            Ok((scope, event)) => {
                let event_id = Some(event.id.to_string());
                batches.entry(scope).or_default().push(event);
                EntryResult { event_id, ..EntryResult::default() }
            }
            Err((code, message)) => EntryResult {
                error_code: Some(code),
                error_message: Some(message),
                ..EntryResult::default()
            },
        });
    }
    let failed_entry_count = entries.iter().filter(|entry| entry.error_code.is_some()).count();
    for (scope, events) in batches {
        let batch = TelemetryBatch { events, ..TelemetryBatch::new(scope) };
        if batch.scope == *call.scope() {
            call.append(batch).await?;
        } else {
            call.state().store.append(batch).await?;
        }
    }
    Ok(Output { failed_entry_count, entries })
}

/// Source: EventBridge User Guide, "Calculating PutEvents event entry size".
fn size(entry: &Entry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let time = if entry.time.is_some() { TIME_BYTES } else { 0 };
    let resources = entry.resources.iter().map(|resource| resource.len()).sum::<usize>();
    time + text(&entry.source) + text(&entry.detail_type) + text(&entry.detail) + resources
}

/// An event, and the scope of the bus that it is for.
type Addressed = (Scope, Event);

/// A bus of another account is named by its ARN, and its policy must allow the caller.
async fn read(call: &Call, entry: Entry) -> Answer<Result<Addressed, Fault>> {
    let given = entry.event_bus_name.as_deref();
    let (scope, bus) = match given.and_then(bus_of_arn) {
        Some(foreign) => foreign,
        None => match bus::name_of(call, given) {
            Ok(bus) => (call.scope().clone(), bus),
            Err(refused) => return Ok(Err(("InvalidArgument", refused.message))),
        },
    };
    match bus::handle(call).check_put((&scope, &bus), call.scope()).await {
        Ok(()) => Ok(event(call, entry, bus).map(|event| (scope, event))),
        Err(BusError::Refused { kind: RefusalKind::AccessDenied, message }) => {
            Ok(Err(("AccessDeniedException", message.into())))
        }
        Err(BusError::Refused { message, .. }) => Ok(Err(("InvalidArgument", message.into()))),
        Err(other) => Err(other.into()),
    }
}

fn event(call: &Call, entry: Entry, bus: Arc<str>) -> Result<Event, Fault> {
    let required = |name: &str, value: Option<String>| match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err((
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )),
    };
    let source = required("Source", entry.source)?;
    let detail_type = required("DetailType", entry.detail_type)?;
    let detail = required("Detail", entry.detail)?;
    if source.starts_with("aws.") {
        let why = "Parameter Source is not valid. Reason: Source cannot start with 'aws.'.";
        return Err(("NotAuthorizedForSourceException", why.to_owned()));
    }
    if detail_type.chars().count() > DETAIL_TYPE_CHARACTERS_MAX {
        let why = "Parameter DetailType is not valid. Reason: longer than 128 characters.";
        return Err(("InvalidArgument", why.to_owned()));
    }
    let detail = match serde_json::from_str::<Value>(&detail) {
        Ok(detail) if detail.is_object() => detail,
        _ => return Err(("MalformedDetail", "Detail is malformed.".to_owned())),
    };
    Ok(Event {
        bus,
        id: uuid::Uuid::new_v4().to_string().into(),
        source: source.into(),
        detail_type: detail_type.into(),
        time: entry.time.map_or(call.now(), |time| time.0),
        resources: entry.resources,
        detail,
        trace_header: entry.trace_header,
    })
}

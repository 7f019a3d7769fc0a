use serde::{Deserialize, Serialize};

use super::bus::{self, EventBus, Tag};
use super::fault::{ALREADY_EXISTS, VALIDATION};
use crate::api::call::{Answer, Call};
use crate::store::{AppendError, ResourceChanges};
use crate::telemetry::DEFAULT_EVENT_BUS;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
    event_source_name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    event_bus_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// Source: EventBridge API Reference, CreateEventBus. Partner buses are not supported.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let name = bus::name_of(&call, Some(&input.name))?;
    if let Some(source) = input.event_source_name {
        let why = format!("Partner event sources are not supported here: {source}");
        return Err(VALIDATION.because(why));
    }
    if name.contains('/') {
        let why = "Event bus name starting with 'aws.' or containing '/' is not valid.";
        return Err(VALIDATION.because(why));
    }
    let taken = || ALREADY_EXISTS.because(format!("Event bus {name} already exists."));
    if &*name == DEFAULT_EVENT_BUS {
        return Err(taken());
    }
    call.concerns("AWS::Events::EventBus", &name);
    let (created, modified) = (call.now(), call.now());
    let description = input.description;
    let made = EventBus { description: description.clone(), created, modified, tags: input.tags };
    match call.apply(ResourceChanges::new().put_new(bus::KIND, &name, &made)?).await {
        Ok(()) => Ok(Output { event_bus_arn: bus::arn(call.scope(), &name), description }),
        Err(AppendError::Conflict { .. }) => Err(taken()),
        Err(other) => Err(other.into()),
    }
}

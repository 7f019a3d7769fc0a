use serde::Deserialize;

use super::bus;
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::store::ResourceChanges;
use crate::telemetry::DEFAULT_EVENT_BUS;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
}

/// Source: EventBridge API Reference, DeleteEventBus: one that is not there is deleted silently.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let name = bus::name_of(&call, Some(&input.name))?;
    if &*name == DEFAULT_EVENT_BUS {
        return Err(VALIDATION.because("Cannot delete event bus default."));
    }
    call.concerns("AWS::Events::EventBus", &name);
    if bus::exists(&call, &name).await? {
        call.apply(ResourceChanges::new().delete(bus::KIND, &name)).await?;
    }
    Ok(())
}

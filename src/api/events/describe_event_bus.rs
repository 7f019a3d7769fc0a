use serde::Deserialize;

use super::bus::{self, Described};
use crate::api::call::{Answer, Call};
use crate::telemetry::DEFAULT_EVENT_BUS;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: Option<String>,
}

/// Source: EventBridge API Reference, DescribeEventBus.
pub(super) async fn run(call: Call, input: Input) -> Answer<Described> {
    let name = bus::name_of(&call, input.name.as_deref())?;
    if &*name == DEFAULT_EVENT_BUS {
        return Ok(Described::default_bus(call.scope()));
    }
    match bus::get(&call, &name).await? {
        Some(found) => Ok(Described::custom(call.scope(), &name, found)),
        None => Err(bus::no_bus(&name)),
    }
}

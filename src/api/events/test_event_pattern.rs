use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::bus::read_pattern;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    event_pattern: String,
    event: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    result: bool,
}

/// What an event must have.
///
/// Source: EventBridge API Reference, TestEventPattern.
const REQUIRED: &[&str] =
    &["id", "account", "source", "time", "region", "resources", "detail-type"];

/// Source: EventBridge API Reference, TestEventPattern.
pub(super) async fn run(_call: Call, input: Input) -> Answer<Output> {
    let pattern = read_pattern(&input.event_pattern)?;
    let refused =
        |why: &str| VALIDATION.because(format!("Parameter Event is not valid. Reason: {why}"));
    let event: Value =
        serde_json::from_str(&input.event).map_err(|_fault| refused("Event is not valid JSON."))?;
    if !event.is_object() {
        return Err(refused("Event must be a JSON object."));
    }
    if let Some(missing) = REQUIRED.iter().find(|name| event.get(**name).is_none()) {
        return Err(refused(&format!("Event must contain the field '{missing}'.")));
    }
    Ok(Output { result: pattern.matches(&event) })
}

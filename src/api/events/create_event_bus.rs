use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bus::{self, BusSettings, check_tags};
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::{DeadLetterConfig, EventBus, Tag, bus_arn};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
    event_source_name: Option<String>,
    description: Option<String>,
    kms_key_identifier: Option<String>,
    dead_letter_config: Option<DeadLetterConfig>,
    log_config: Option<bus::LogConfig>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    event_bus_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_config: Option<Value>,
}

/// Source: EventBridge API Reference, CreateEventBus. Partner buses are not supported.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let name = bus::name_of(&call, Some(&input.name))?;
    if let Some(source) = input.event_source_name {
        let why = format!("Partner event sources are not supported here: {source}");
        return Err(VALIDATION.because(why));
    }
    if name.contains('/') || name.starts_with("aws.") {
        let why = "Event bus name starting with 'aws.' or containing '/' is not valid.";
        return Err(VALIDATION.because(why));
    }
    let settings = BusSettings {
        description: input.description,
        kms_key_identifier: input.kms_key_identifier,
        dead_letter_config: input.dead_letter_config,
        log_config: input.log_config,
    };
    let constraints = check_tags(&input.tags, Constraints::new());
    settings.check(constraints).done(VALIDATION)?;
    call.concerns("AWS::Events::EventBus", &name);
    let mut made = EventBus { tags: input.tags, ..EventBus::new(call.now()) };
    settings.apply(&mut made);
    bus::handle(&call).create_bus(call.scope(), &name, &made).await?;
    Ok(Output {
        event_bus_arn: bus_arn(call.scope(), &name),
        description: made.description,
        kms_key_identifier: made.kms_key_identifier,
        dead_letter_config: made.dead_letter,
        log_config: made.log_config,
    })
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::{BusHandle, DeadLetterConfig, EventBus, RefusalKind, Tag, bus_arn, bus_of_arn};
use crate::telemetry::{DEFAULT_EVENT_BUS, Scope};
use crate::time::Timestamp;

/// A bus as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms_key_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) creation_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_modified_time: Option<f64>,
}

impl Described {
    pub(super) fn new(scope: &Scope, name: &str, bus: EventBus) -> Self {
        let time = |at: Timestamp| (at != Timestamp::EPOCH).then(|| at.as_secs_f64());
        Self {
            name: name.to_owned(),
            arn: bus_arn(scope, name),
            description: bus.description,
            kms_key_identifier: bus.kms_key_identifier,
            dead_letter_config: bus.dead_letter,
            policy: bus.policy.map(|policy| policy.to_string()),
            log_config: bus.log_config,
            creation_time: time(bus.created),
            last_modified_time: time(bus.modified),
        }
    }
}

/// The members that a bus is made or changed with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BusSettings {
    pub(super) description: Option<String>,
    pub(super) kms_key_identifier: Option<String>,
    pub(super) dead_letter_config: Option<DeadLetterConfig>,
    pub(super) log_config: Option<LogConfig>,
}

/// What a bus logs; kept as it was given.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LogConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_detail: Option<IncludeDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<LogLevel>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum IncludeDetail {
    None,
    Full,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum LogLevel {
    Off,
    Error,
    Info,
    Trace,
}

impl BusSettings {
    pub(super) fn check(&self, constraints: Constraints) -> Constraints {
        let description = self.description.as_deref().unwrap_or_default();
        constraints.length("description", description, 0, 512)
    }

    /// Sets what is given.
    pub(super) fn apply(self, bus: &mut EventBus) {
        bus.description = self.description;
        bus.kms_key_identifier = self.kms_key_identifier;
        bus.dead_letter = self.dead_letter_config;
        bus.log_config = self.log_config.and_then(|config| serde_json::to_value(config).ok());
    }
}

/// The bus of this account that a name or ARN names; absent means the default one.
pub(super) fn name_of(call: &Call, name_or_arn: Option<&str>) -> Answer<Arc<str>> {
    let given = name_or_arn.unwrap_or(DEFAULT_EVENT_BUS);
    if !given.starts_with("arn:") {
        check_name(given)?;
        return Ok(given.into());
    }
    match bus_of_arn(given) {
        Some((scope, name)) if scope == *call.scope() => Ok(name),
        _ => {
            let why = format!("Event bus {given} does not exist.");
            Err(RefusalKind::NotFound.because(why).into())
        }
    }
}

/// The bus.
pub(super) fn handle(call: &Call) -> &BusHandle {
    &call.state().bus
}

/// Checks tags as the service model does.
pub(super) fn check_tags(tags: &[Tag], mut constraints: Constraints) -> Constraints {
    for (at, tag) in (1..).zip(tags) {
        constraints = constraints
            .length(&format!("tags.{at}.member.key"), &tag.key, 1, 128)
            .length(&format!("tags.{at}.member.value"), &tag.value, 0, 256);
    }
    constraints
}

fn check_name(name: &str) -> Answer<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/.-_".contains(&b);
    Constraints::new()
        .length("name", name, 1, 256)
        .pattern("name", name, name.bytes().all(allowed), r"[/\.\-_A-Za-z0-9]+")
        .done(VALIDATION)
}

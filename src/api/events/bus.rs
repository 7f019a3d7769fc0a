use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{NOT_FOUND, VALIDATION};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::telemetry::{DEFAULT_EVENT_BUS, Scope};
use crate::time::Timestamp;

/// Custom buses are resources of this kind.
pub(super) const KIND: &str = "event-bus";

/// A custom bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EventBus {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// When it was made.
    pub(super) created: Timestamp,
    /// When it was last changed.
    pub(super) modified: Timestamp,
    /// Its tags.
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    /// Its key.
    pub(super) key: String,
    /// Its value.
    pub(super) value: String,
}

/// A bus as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) creation_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_modified_time: Option<f64>,
}

impl Described {
    /// The bus that every account has.
    pub(super) fn default_bus(scope: &Scope) -> Self {
        Self {
            name: DEFAULT_EVENT_BUS.to_owned(),
            arn: arn(scope, DEFAULT_EVENT_BUS),
            description: None,
            creation_time: None,
            last_modified_time: None,
        }
    }

    /// A custom bus.
    pub(super) fn custom(scope: &Scope, name: &str, bus: EventBus) -> Self {
        Self {
            name: name.to_owned(),
            arn: arn(scope, name),
            description: bus.description,
            creation_time: Some(bus.created.as_secs_f64()),
            last_modified_time: Some(bus.modified.as_secs_f64()),
        }
    }
}

/// `arn:aws:events:<region>:<account>:event-bus/<name>`.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("events", format_args!("event-bus/{name}"))
}

/// The bus that a name or ARN of this account names; absent means the default one.
pub(super) fn name_of(call: &Call, name_or_arn: Option<&str>) -> Answer<Arc<str>> {
    let given = name_or_arn.unwrap_or(DEFAULT_EVENT_BUS);
    if !given.starts_with("arn:") {
        check_name(given)?;
        return Ok(given.into());
    }
    match given.strip_prefix(&arn(call.scope(), "")) {
        Some(name) => Ok(name.into()),
        None => Err(no_bus(given)),
    }
}

/// Whether the bus exists.
pub(super) async fn exists(call: &Call, name: &str) -> Answer<bool> {
    Ok(name == DEFAULT_EVENT_BUS || get(call, name).await?.is_some())
}

/// Reads a custom bus.
pub(super) async fn get(call: &Call, name: &str) -> Answer<Option<EventBus>> {
    Ok(call.state().store.resources().get(call.scope(), KIND, name).await?)
}

/// The refusal for a bus that is not there.
pub(super) fn no_bus(name: &str) -> crate::api::error::ApiError {
    NOT_FOUND.because(format!("Event bus {name} does not exist."))
}

fn check_name(name: &str) -> Answer<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/.-_".contains(&b);
    Constraints::new()
        .length("name", name, 1, 256)
        .pattern("name", name, name.bytes().all(allowed), r"[/\.\-_A-Za-z0-9]+")
        .done(VALIDATION)
}

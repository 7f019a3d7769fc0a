use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, no_group};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::monitor::LogMask;
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

/// What the API keeps of a group beside what the store knows: resources of this kind.
pub(super) const KIND: &str = "log-group";

const GROUP_PATTERN: &str = r"[\.\-_/#A-Za-z0-9]+";
const STREAM_PATTERN: &str = "[^:*]*";

/// The settings of a group that only the API reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct GroupSettings {
    /// Its class; absent means `STANDARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<LogGroupClass>,
    /// Kept as given; nothing is encrypted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kms_key_id: Option<String>,
    /// Whether it cannot be deleted.
    #[serde(default)]
    pub(super) deletion_protected: bool,
    /// Its tags.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

/// What may be done with a group's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum LogGroupClass {
    /// Everything.
    Standard,
    /// Queries only.
    InfrequentAccess,
    /// Delivery only.
    Delivery,
    /// A reduced standard.
    Essentials,
}

/// A group that exists, by name or ARN.
pub(super) fn existing(call: &Call, name: &str) -> Answer<()> {
    let found = call.state().store.logs().group(call.scope(), name);
    found.map(|_group| ()).ok_or_else(no_group)
}

/// Reads a group's settings; a group that was made by writing to it has the defaults.
pub(super) async fn settings(call: &Call, name: &str) -> Answer<GroupSettings> {
    Ok(call.one(KIND, name).await?.unwrap_or_default())
}

/// Writes a group's settings.
pub(super) async fn put_settings(call: &Call, name: &str, settings: &GroupSettings) -> Answer<()> {
    call.apply(ResourceChanges::new().put(KIND, name, settings)?).await?;
    Ok(())
}

/// What is masked in a group's events, unless they are asked for as they are.
pub(super) fn mask(call: &Call, name: &str, unmask: Option<bool>) -> LogMask {
    match unmask {
        Some(true) => LogMask::none(),
        _ => call.state().monitor.logs().mask(call.scope(), name),
    }
}

/// `arn:aws:logs:<region>:<account>:log-group:<name>`, without the `:*` of the older form.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("logs", format_args!("log-group:{name}"))
}

/// The group that `logGroupName` or `logGroupIdentifier` names; exactly one must be there.
pub(super) fn either(
    call: &Call,
    name: Option<Arc<str>>,
    identifier: Option<Arc<str>>,
) -> Answer<Arc<str>> {
    match (name, identifier) {
        (Some(name), None) => {
            check_name(&name)?;
            Ok(name)
        }
        (None, Some(identifier)) => by_identifier(call, &identifier),
        (Some(_), Some(_)) => Err(INVALID_PARAMETER
            .because("LogGroupName and LogGroupIdentifier cannot be both specified")),
        (None, None) => Err(INVALID_PARAMETER
            .because("At least one of logGroupName or logGroupIdentifier must be specified")),
    }
}

/// The group that a name or ARN of this account and region names.
pub(super) fn by_identifier(call: &Call, identifier: &str) -> Answer<Arc<str>> {
    if !identifier.starts_with("arn:") {
        check_name(identifier)?;
        return Ok(identifier.into());
    }
    let own = arn(call.scope(), "");
    match identifier.strip_prefix(&own) {
        Some(name) => {
            let name = name.strip_suffix(":*").unwrap_or(name);
            check_name(name)?;
            Ok(name.into())
        }
        // Another account's group is as absent as one that never was.
        None => Err(no_group()),
    }
}

/// Checks a group's name.
pub(super) fn check_name(name: &str) -> Answer<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    Constraints::new()
        .length("logGroupName", name, 1, 512)
        .pattern("logGroupName", name, name.bytes().all(allowed), GROUP_PATTERN)
        .done(INVALID_PARAMETER)
}

/// Checks a stream's name.
pub(super) fn check_stream_name(name: &str) -> Answer<()> {
    Constraints::new()
        .length("logStreamName", name, 1, 512)
        .pattern("logStreamName", name, !name.contains([':', '*']), STREAM_PATTERN)
        .done(INVALID_PARAMETER)
}

/// Checks tags as a whole.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Answer<()> {
    let mut constraints = Constraints::new().count("tags", tags.len(), 0, 50);
    for (key, value) in tags {
        constraints = constraints.length("tags", key, 1, 128).length("tags", value, 0, 256);
    }
    constraints.done(INVALID_PARAMETER)
}

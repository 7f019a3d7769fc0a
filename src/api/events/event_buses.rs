//! Buses: described, listed, changed, deleted.

use serde::{Deserialize, Serialize};

use super::bus::{self, BusSettings, Described};
use super::fault::VALIDATION;
use super::listing::{Listed, Paging};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: Option<String>,
}

/// Source: EventBridge API Reference, DeleteEventBus: one that is not there is deleted silently.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    let name = bus::name_of(&call, input.name.as_deref())?;
    call.concerns("AWS::Events::EventBus", &name);
    Ok(bus::handle(&call).delete_bus(call.scope(), &name).await?)
}

/// Source: EventBridge API Reference, DescribeEventBus.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let name = bus::name_of(&call, input.name.as_deref())?;
    let found = bus::handle(&call).bus(call.scope(), &name).await?;
    Ok(Described::new(call.scope(), &name, found))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    event_buses: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListEventBuses; the default bus first, then by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let prefix = input.name_prefix.unwrap_or_default();
    let found = bus::handle(&call).buses(call.scope(), &prefix).await?;
    let Listed { items, next_token } = paging.cut("ListEventBuses", found, |(name, _)| {
        // The default bus comes before every other.
        if name == "default" { String::new() } else { name.clone() }
    })?;
    let show = |(name, bus): (String, _)| Described::new(call.scope(), &name, bus);
    let event_buses = items.into_iter().map(show).collect();
    Ok(ListOutput { event_buses, next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    name: Option<String>,
    description: Option<String>,
    kms_key_identifier: Option<String>,
    dead_letter_config: Option<crate::bus::DeadLetterConfig>,
    log_config: Option<bus::LogConfig>,
}

/// Source: EventBridge API Reference, UpdateEventBus: what is left out is cleared.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Described> {
    let name = bus::name_of(&call, input.name.as_deref())?;
    let settings = BusSettings {
        description: input.description,
        kms_key_identifier: input.kms_key_identifier,
        dead_letter_config: input.dead_letter_config,
        log_config: input.log_config,
    };
    settings.check(Constraints::new()).done(VALIDATION)?;
    call.concerns("AWS::Events::EventBus", &name);
    let changed = bus::handle(&call)
        .change_bus(call.scope(), &name, |bus| {
            settings.apply(bus);
            Ok(())
        })
        .await?;
    let shown = Described::new(call.scope(), &name, changed);
    Ok(Described { policy: None, creation_time: None, last_modified_time: None, ..shown })
}

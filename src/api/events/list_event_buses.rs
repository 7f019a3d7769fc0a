use serde::{Deserialize, Serialize};

use super::bus::{self, Described, EventBus};
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::Page;
use crate::telemetry::DEFAULT_EVENT_BUS;

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    event_buses: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListEventBuses; the default bus first, then by name.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, 100).done(VALIDATION)?;
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE);
    let after: Option<String> = page::open("ListEventBuses", input.next_token.as_deref())
        .map_err(|_token| VALIDATION.because("NextToken is not valid."))?;
    let prefix = input.name_prefix.unwrap_or_default();
    let mut buses = Vec::new();
    if after.is_none() && DEFAULT_EVENT_BUS.starts_with(&prefix) {
        buses.push(Described::default_bus(call.scope()));
    }
    // The default bus is no resource, so its name as a cursor means "before the first".
    let after = after.filter(|after| after != DEFAULT_EVENT_BUS);
    let page = Page { prefix: &prefix, after: after.as_deref(), limit: limit + 1 };
    let found: Vec<(String, EventBus)> =
        call.state().store.resources().list(call.scope(), bus::KIND, &page).await?;
    buses.extend(found.into_iter().map(|(name, bus)| Described::custom(call.scope(), &name, bus)));
    let next_token =
        page::cut(&mut buses, limit).map(|last| page::seal("ListEventBuses", &last.name));
    Ok(Output { event_buses: buses, next_token })
}

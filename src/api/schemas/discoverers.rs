use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{BAD_REQUEST, bad_request, bad_token, not_found, refused};
use super::registries::{PAGE_MAX, check_tags};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::bus::{Discoverer, Tags, bus_arn, bus_of_arn};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    source_arn: String,
    description: Option<String>,
    cross_account: Option<bool>,
    #[serde(default, rename = "tags")]
    tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    discoverer_id: String,
    description: Option<String>,
    cross_account: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IdInput {
    discoverer_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    discoverer_arn: String,
    discoverer_id: Arc<str>,
    source_arn: String,
    state: &'static str,
    cross_account: bool,
    #[serde(rename = "tags")]
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Switched {
    discoverer_id: Arc<str>,
    state: &'static str,
}

fn show(call: &Call, discoverer: Discoverer) -> Described {
    Described {
        discoverer_arn: discoverer.arn(call.scope()),
        source_arn: bus_arn(call.scope(), &discoverer.bus),
        state: state(&discoverer),
        description: discoverer.description,
        discoverer_id: discoverer.id,
        cross_account: discoverer.cross_account,
        tags: discoverer.tags,
    }
}

fn state(discoverer: &Discoverer) -> &'static str {
    if discoverer.is_started { "STARTED" } else { "STOPPED" }
}

/// Source: Schemas API Reference, CreateDiscoverer: it is started.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Described> {
    let description = input.description.as_deref().unwrap_or_default();
    let constraints = Constraints::new().length("sourceArn", &input.source_arn, 20, 1600).length(
        "description",
        description,
        0,
        256,
    );
    check_tags(constraints, &input.tags).done(BAD_REQUEST)?;
    let (scope, bus) = bus_of_arn(&input.source_arn)
        .ok_or_else(|| bad_request(format!("{} is no ARN of an event bus.", input.source_arn)))?;
    if scope != *call.scope() {
        return Err(not_found(format!("Event bus {} does not exist.", input.source_arn)));
    }
    let id: Arc<str> = format!("events-event-bus-{bus}").into();
    let discoverer = Discoverer {
        id,
        bus,
        description: input.description,
        cross_account: input.cross_account.unwrap_or(true),
        is_started: true,
        tags: input.tags,
    };
    call.concerns("AWS::EventSchemas::Discoverer", &discoverer.id);
    call.state().bus.create_discoverer(call.scope(), &discoverer).await.map_err(refused)?;
    Ok(show(&call, discoverer))
}

/// Source: Schemas API Reference, DescribeDiscoverer.
pub(super) async fn describe(call: Call, input: IdInput) -> Answer<Described> {
    let found = call.state().bus.discoverer(call.scope(), &input.discoverer_id).await;
    Ok(show(&call, found.map_err(refused)?))
}

/// Source: Schemas API Reference, UpdateDiscoverer.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Described> {
    let description = input.description.as_deref().unwrap_or_default();
    Constraints::new().length("description", description, 0, 256).done(BAD_REQUEST)?;
    let changed = change(&call, &input.discoverer_id, |found| {
        found.description = input.description.or_else(|| found.description.take());
        found.cross_account = input.cross_account.unwrap_or(found.cross_account);
    });
    let changed = changed.await?;
    Ok(show(&call, changed))
}

/// Source: Schemas API Reference, StartDiscoverer.
pub(super) async fn start(call: Call, input: IdInput) -> Answer<Switched> {
    let changed = change(&call, &input.discoverer_id, |found| found.is_started = true).await?;
    Ok(Switched { state: state(&changed), discoverer_id: changed.id })
}

/// Source: Schemas API Reference, StopDiscoverer.
pub(super) async fn stop(call: Call, input: IdInput) -> Answer<Switched> {
    let changed = change(&call, &input.discoverer_id, |found| found.is_started = false).await?;
    Ok(Switched { state: state(&changed), discoverer_id: changed.id })
}

async fn change(call: &Call, id: &str, change: impl FnOnce(&mut Discoverer)) -> Answer<Discoverer> {
    call.concerns("AWS::EventSchemas::Discoverer", id);
    call.state().bus.change_discoverer(call.scope(), id, change).await.map_err(refused)
}

/// Source: Schemas API Reference, DeleteDiscoverer.
pub(super) async fn delete(call: Call, input: IdInput) -> Answer<()> {
    call.concerns("AWS::EventSchemas::Discoverer", &input.discoverer_id);
    let gone = call.state().bus.delete_discoverer(call.scope(), &input.discoverer_id);
    gone.await.map_err(refused)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInput {
    discoverer_id_prefix: Option<String>,
    source_arn_prefix: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    discoverers: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: Schemas API Reference, ListDiscoverers.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("limit", input.limit, 1, PAGE_MAX).done(BAD_REQUEST)?;
    let mut found = call.state().bus.discoverers(call.scope()).await.map_err(refused)?;
    let id = input.discoverer_id_prefix.unwrap_or_default();
    let source = input.source_arn_prefix.unwrap_or_default();
    found.retain(|discoverer| {
        discoverer.id.starts_with(&id)
            && bus_arn(call.scope(), &discoverer.bus).starts_with(&source)
    });
    let asked = (input.next_token.as_deref(), page::size(input.limit, 100));
    let (found, next_token) =
        page::of("ListDiscoverers", found, |discoverer| discoverer.id.to_string(), asked)
            .map_err(bad_token)?;
    let shown =
        found.into_iter().map(|found| Described { description: None, ..show(&call, found) });
    Ok(ListOutput { discoverers: shown.collect(), next_token })
}

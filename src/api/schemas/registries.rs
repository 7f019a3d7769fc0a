use serde::{Deserialize, Serialize};

use super::fault::{BAD_REQUEST, bad_request, bad_token, refused};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::bus::{AWS_EVENTS, Registry, Tags};

/// How long a page may be, and is where nobody says.
pub(super) const PAGE_MAX: i64 = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    registry_name: String,
    description: Option<String>,
    #[serde(default, rename = "tags")]
    tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    registry_name: String,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NameInput {
    #[serde(rename = "RegistryName")]
    registry_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    registry_arn: String,
    registry_name: String,
    #[serde(rename = "tags")]
    tags: Tags,
}

fn show(call: &Call, name: String, registry: Registry) -> Described {
    let registry_arn = Registry::arn(call.scope(), &name);
    let Registry { description, tags, .. } = registry;
    Described { description, registry_arn, registry_name: name, tags }
}

/// Refuses a name that is not that of a registry or schema.
pub(super) fn check_name(path: &str, name: &str, most: usize) -> Constraints {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_@".contains(&b);
    Constraints::new().length(path, name, 1, most).pattern(
        path,
        name,
        name.bytes().all(allowed),
        "[0-9A-Za-z_.@-]+",
    )
}

/// Refuses tags that AWS refuses.
pub(super) fn check_tags(mut constraints: Constraints, tags: &Tags) -> Constraints {
    constraints = constraints.count("tags", tags.len(), 0, 50);
    for (key, value) in tags {
        constraints = constraints.length("tags", key, 1, 128).length("tags", value, 0, 256);
    }
    constraints
}

/// Source: Schemas API Reference, CreateRegistry.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Described> {
    let constraints = check_name("registryName", &input.registry_name, 64).length(
        "description",
        input.description.as_deref().unwrap_or_default(),
        0,
        256,
    );
    check_tags(constraints, &input.tags).done(BAD_REQUEST)?;
    if input.registry_name.starts_with("aws.") {
        return Err(bad_request("The name of a registry must not begin with aws."));
    }
    call.concerns("AWS::EventSchemas::Registry", &input.registry_name);
    let registry = Registry { description: input.description, tags: input.tags, policy: None };
    let bus = &call.state().bus;
    bus.create_registry(call.scope(), &input.registry_name, &registry).await.map_err(refused)?;
    Ok(show(&call, input.registry_name, registry))
}

/// Source: Schemas API Reference, DescribeRegistry.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let found = call.state().bus.registry(call.scope(), &input.registry_name).await;
    Ok(show(&call, input.registry_name, found.map_err(refused)?))
}

/// Source: Schemas API Reference, UpdateRegistry.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Described> {
    let description = input.description.as_deref().unwrap_or_default();
    Constraints::new().length("description", description, 0, 256).done(BAD_REQUEST)?;
    call.concerns("AWS::EventSchemas::Registry", &input.registry_name);
    let change = |registry: &mut Registry| {
        registry.description = input.description.or_else(|| registry.description.take());
        Ok(())
    };
    let changed = call.state().bus.change_registry(call.scope(), &input.registry_name, change);
    let changed = changed.await.map_err(refused)?;
    Ok(show(&call, input.registry_name, changed))
}

/// Source: Schemas API Reference, DeleteRegistry.
/// Differs: a registry with schemas is refused, since the reference does not say what becomes of
/// them.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    call.concerns("AWS::EventSchemas::Registry", &input.registry_name);
    let gone = call.state().bus.delete_registry(call.scope(), &input.registry_name);
    gone.await.map_err(refused)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInput {
    registry_name_prefix: Option<String>,
    scope: Option<RegistryScope>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum RegistryScope {
    Local,
    Aws,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    registries: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: Schemas API Reference, ListRegistries.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("limit", input.limit, 1, PAGE_MAX).done(BAD_REQUEST)?;
    let bus = &call.state().bus;
    let mut found = Vec::new();
    if input.scope != Some(RegistryScope::Local) {
        let own = bus.registry(call.scope(), AWS_EVENTS).await.map_err(refused)?;
        found.push((AWS_EVENTS.to_owned(), own));
    }
    if input.scope != Some(RegistryScope::Aws) {
        found.extend(bus.registries(call.scope()).await.map_err(refused)?);
    }
    let prefix = input.registry_name_prefix.unwrap_or_default();
    found.retain(|(name, _)| name.starts_with(&prefix));
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let asked = (input.next_token.as_deref(), page::size(input.limit, 100));
    let (found, next_token) =
        page::of("ListRegistries", found, |(name, _)| name.clone(), asked).map_err(bad_token)?;
    let registries = found.into_iter().map(|(name, registry)| Described {
        // A list tells no descriptions.
        description: None,
        ..show(&call, name, registry)
    });
    Ok(ListOutput { registries: registries.collect(), next_token })
}

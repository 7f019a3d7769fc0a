//! EventBridge Schemas: registries, schemas, their versions and discoverers, in REST JSON.
//!
//! Code bindings are not made here: their paths are refused by name.

mod discoverers;
mod fault;
mod policy;
mod registries;
mod schema;
mod search;
mod tags;
mod versions;

use http::Method;

use super::service::{Dialects, Effect, Operation, Service, operation, refuse_as_validator};

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "EventBridge Schemas",
        signing_name: "schemas",
        event_source: "schemas.amazonaws.com",
        dialects: Dialects::default(),
        error_namespace: "",
        refuse: |error| {
            let refused = refuse_as_validator(fault::BAD_REQUEST, error);
            refused.with("Code", "BadRequest")
        },
        operations: registry_operations()
            .chain(schema_operations())
            .chain(discoverer_operations())
            .collect(),
    }
}

fn registry_operations() -> impl Iterator<Item = Operation> {
    const REGISTRY: &str = "/v1/registries/name/{RegistryName}";
    let (reads, writes) = (Effect::Reads, Effect::Writes);
    [
        operation("CreateRegistry", writes, registries::create)
            .at(Method::POST, REGISTRY)
            .answers(201),
        operation("DeleteRegistry", writes, registries::delete)
            .at(Method::DELETE, REGISTRY)
            .answers(204),
        operation("DescribeRegistry", reads, registries::describe).at(Method::GET, REGISTRY),
        operation("ListRegistries", reads, registries::list).at(Method::GET, "/v1/registries"),
        operation("UpdateRegistry", writes, registries::update).at(Method::PUT, REGISTRY),
        operation("DeleteResourcePolicy", writes, policy::delete)
            .at(Method::DELETE, "/v1/policy")
            .answers(204),
        operation("GetResourcePolicy", reads, policy::get).at(Method::GET, "/v1/policy"),
        operation("PutResourcePolicy", writes, policy::put).at(Method::PUT, "/v1/policy"),
        operation("ListTagsForResource", reads, tags::list).at(Method::GET, "/tags/{ResourceArn}"),
        operation("TagResource", writes, tags::tag)
            .at(Method::POST, "/tags/{ResourceArn}")
            .answers(204),
        operation("UntagResource", writes, tags::untag)
            .at(Method::DELETE, "/tags/{ResourceArn}")
            .answers(204),
    ]
    .into_iter()
}

fn schema_operations() -> impl Iterator<Item = Operation> {
    const SCHEMAS: &str = "/v1/registries/name/{RegistryName}/schemas";
    const SCHEMA: &str = "/v1/registries/name/{RegistryName}/schemas/name/{SchemaName}";
    const VERSION: &str =
        "/v1/registries/name/{RegistryName}/schemas/name/{SchemaName}/version/{SchemaVersion}";
    let (reads, writes) = (Effect::Reads, Effect::Writes);
    [
        operation("CreateSchema", writes, schema::create).at(Method::POST, SCHEMA).answers(201),
        operation("DeleteSchema", writes, schema::delete).at(Method::DELETE, SCHEMA).answers(204),
        operation("DeleteSchemaVersion", writes, versions::delete)
            .at(Method::DELETE, VERSION)
            .answers(204),
        operation("DescribeSchema", reads, schema::describe).at(Method::GET, SCHEMA),
        operation("ExportSchema", reads, versions::export)
            .at(Method::GET, "/v1/registries/name/{RegistryName}/schemas/name/{SchemaName}/export"),
        operation("GetDiscoveredSchema", reads, search::discovered)
            .at(Method::POST, "/v1/discover"),
        operation("ListSchemaVersions", reads, versions::list).at(
            Method::GET,
            "/v1/registries/name/{RegistryName}/schemas/name/{SchemaName}/versions",
        ),
        operation("ListSchemas", reads, schema::list).at(Method::GET, SCHEMAS),
        operation("SearchSchemas", reads, search::search)
            .at(Method::GET, "/v1/registries/name/{RegistryName}/schemas/search"),
        operation("UpdateSchema", writes, schema::update).at(Method::PUT, SCHEMA),
    ]
    .into_iter()
}

fn discoverer_operations() -> impl Iterator<Item = Operation> {
    const DISCOVERERS: &str = "/v1/discoverers";
    const DISCOVERER: &str = "/v1/discoverers/id/{DiscovererId}";
    let (reads, writes) = (Effect::Reads, Effect::Writes);
    [
        operation("CreateDiscoverer", writes, discoverers::create)
            .at(Method::POST, DISCOVERERS)
            .answers(201),
        operation("DeleteDiscoverer", writes, discoverers::delete)
            .at(Method::DELETE, DISCOVERER)
            .answers(204),
        operation("DescribeDiscoverer", reads, discoverers::describe).at(Method::GET, DISCOVERER),
        operation("ListDiscoverers", reads, discoverers::list).at(Method::GET, DISCOVERERS),
        operation("StartDiscoverer", writes, discoverers::start)
            .at(Method::POST, "/v1/discoverers/id/{DiscovererId}/start"),
        operation("StopDiscoverer", writes, discoverers::stop)
            .at(Method::POST, "/v1/discoverers/id/{DiscovererId}/stop"),
        operation("UpdateDiscoverer", writes, discoverers::update).at(Method::PUT, DISCOVERER),
    ]
    .into_iter()
}

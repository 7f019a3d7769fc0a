use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{BAD_REQUEST, bad_request, bad_token, refused};
use super::registries::PAGE_MAX;
use super::schema::find;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::bus::{SchemaKind, VersionOf, json_schema};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    registry_name: String,
    schema_name: String,
    schema_version: String,
}

/// Source: Schemas API Reference, DeleteSchemaVersion.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    call.concerns("AWS::EventSchemas::Schema", &input.schema_name);
    let bus = &call.state().bus;
    let named = (input.registry_name.as_str(), input.schema_name.as_str());
    bus.delete_schema_version(call.scope(), named, &input.schema_version).await.map_err(refused)
}

#[derive(Debug, Deserialize)]
pub(super) struct ExportInput {
    #[serde(rename = "RegistryName")]
    registry_name: String,
    #[serde(rename = "SchemaName")]
    schema_name: String,
    #[serde(rename = "schemaVersion")]
    schema_version: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExportOutput {
    content: String,
    schema_arn: String,
    schema_name: Arc<str>,
    schema_version: String,
    #[serde(rename = "Type")]
    kind: SchemaKind,
}

/// Source: Schemas API Reference, ExportSchema: to JSON Schema only.
pub(super) async fn export(call: Call, input: ExportInput) -> Answer<ExportOutput> {
    if input.kind != "JSONSchemaDraft4" {
        let why =
            format!("A schema cannot be exported as {}, only as JSONSchemaDraft4.", input.kind);
        return Err(bad_request(why));
    }
    let named = (input.registry_name.as_str(), input.schema_name.as_str());
    let (schema, version) = find(&call, named, input.schema_version.as_deref()).await?;
    let content = match version.kind {
        SchemaKind::JSONSchemaDraft4 => version.content.to_string(),
        SchemaKind::OpenApi3 => {
            let document = serde_json::from_str::<Value>(&version.content).ok();
            let exported = document.as_ref().and_then(json_schema).ok_or_else(|| {
                bad_request("The schema has no components, so there is nothing to export.")
            })?;
            exported.to_string()
        }
    };
    Ok(ExportOutput {
        content,
        schema_arn: schema.arn(call.scope()),
        schema_name: schema.name,
        schema_version: version.number.to_string(),
        kind: SchemaKind::JSONSchemaDraft4,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct ListInput {
    #[serde(rename = "RegistryName")]
    registry_name: String,
    #[serde(rename = "SchemaName")]
    schema_name: String,
    limit: Option<i64>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    schema_versions: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    schema_arn: String,
    schema_name: Arc<str>,
    schema_version: String,
    #[serde(rename = "Type")]
    kind: SchemaKind,
}

/// Source: Schemas API Reference, ListSchemaVersions; the oldest first.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("limit", input.limit, 1, PAGE_MAX).done(BAD_REQUEST)?;
    let bus = &call.state().bus;
    let schema = bus.schema(call.scope(), &input.registry_name, &input.schema_name).await;
    let schema = schema.map_err(refused)?;
    let asked = (input.next_token.as_deref(), page::size(input.limit, 100));
    let name = |number: &u32| format!("{number:010}");
    let (numbers, next_token) =
        page::of("ListSchemaVersions", schema.versions.clone(), name, asked).map_err(bad_token)?;
    let mut schema_versions = Vec::with_capacity(numbers.len());
    for number in numbers {
        let wanted = number.to_string();
        let version = bus.schema_version(call.scope(), &schema, VersionOf::Number(&wanted)).await;
        schema_versions.push(Summary {
            schema_arn: schema.arn(call.scope()),
            schema_name: Arc::clone(&schema.name),
            schema_version: wanted,
            kind: version.map_err(refused)?.kind,
        });
    }
    Ok(ListOutput { schema_versions, next_token })
}

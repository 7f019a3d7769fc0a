use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{BAD_REQUEST, bad_request, bad_token, refused};
use super::registries::{PAGE_MAX, check_name, check_tags};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::bus::{Schema, SchemaChange, SchemaKind, SchemaVersion, Tags, VersionOf};

/// Source: Schemas service model, Content.
const CONTENT_CHARACTERS_MAX: usize = 100_000;
const NAME_CHARACTERS_MAX: usize = 385;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    registry_name: Arc<str>,
    schema_name: Arc<str>,
    content: Arc<str>,
    #[serde(rename = "Type")]
    kind: SchemaKind,
    description: Option<String>,
    #[serde(default, rename = "tags")]
    tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    registry_name: String,
    schema_name: String,
    content: Option<Arc<str>>,
    #[serde(rename = "Type")]
    kind: Option<SchemaKind>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NameInput {
    #[serde(rename = "RegistryName")]
    registry_name: String,
    #[serde(rename = "SchemaName")]
    schema_name: String,
    #[serde(rename = "schemaVersion")]
    schema_version: Option<String>,
}

/// A schema without what it says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    last_modified: String,
    schema_arn: String,
    schema_name: Arc<str>,
    schema_version: String,
    #[serde(rename = "tags")]
    tags: Tags,
    #[serde(rename = "Type")]
    kind: SchemaKind,
    version_created_date: String,
}

fn show(call: &Call, (schema, version): (Schema, SchemaVersion)) -> Described {
    Described {
        content: None,
        last_modified: schema.modified.to_rfc3339(),
        schema_arn: schema.arn(call.scope()),
        description: schema.description,
        schema_name: schema.name,
        schema_version: version.number.to_string(),
        tags: schema.tags,
        kind: version.kind,
        version_created_date: version.created.to_rfc3339(),
    }
}

/// Source: Schemas API Reference, CreateSchema.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Described> {
    let constraints = check_name("schemaName", &input.schema_name, NAME_CHARACTERS_MAX);
    let constraints = check_texts(constraints, Some(&input.content), input.description.as_deref());
    check_tags(constraints, &input.tags).done(BAD_REQUEST)?;
    check_content(input.kind, &input.content)?;
    let (content, tags) = (Some((input.kind, input.content)), input.tags);
    let change = SchemaChange { content, description: input.description, tags };
    call.concerns("AWS::EventSchemas::Schema", &input.schema_name);
    let named = (input.registry_name, input.schema_name);
    let made = call.state().bus.create_schema(call.scope(), named, change).await;
    Ok(show(&call, made.map_err(refused)?))
}

/// Source: Schemas API Reference, UpdateSchema: the same content makes no new version.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Described> {
    let content = input.content.as_deref();
    check_texts(Constraints::new(), content, input.description.as_deref()).done(BAD_REQUEST)?;
    let named = (input.registry_name.as_str(), input.schema_name.as_str());
    let bus = &call.state().bus;
    let content = match (input.content, input.kind) {
        (None, None) => None,
        (None, Some(_)) => return Err(bad_request("A type is given without content.")),
        (Some(content), Some(kind)) => Some((kind, content)),
        (Some(content), None) => {
            let schema = bus.schema(call.scope(), named.0, named.1).await.map_err(refused)?;
            Some((schema.kind, content))
        }
    };
    if let Some((kind, content)) = &content {
        check_content(*kind, content)?;
    }
    call.concerns("AWS::EventSchemas::Schema", named.1);
    let change = SchemaChange { content, description: input.description, tags: Tags::new() };
    let changed = bus.update_schema(call.scope(), named, change).await.map_err(refused)?;
    Ok(show(&call, changed))
}

/// Source: Schemas API Reference, DescribeSchema.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let (schema, version) =
        find(&call, (&input.registry_name, &input.schema_name), input.schema_version.as_deref())
            .await?;
    let content = Some(Arc::clone(&version.content));
    Ok(Described { content, ..show(&call, (schema, version)) })
}

/// Source: Schemas API Reference, DeleteSchema.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    call.concerns("AWS::EventSchemas::Schema", &input.schema_name);
    let bus = &call.state().bus;
    bus.delete_schema(call.scope(), &input.registry_name, &input.schema_name).await.map_err(refused)
}

/// A schema and the version of it that is meant.
pub(super) async fn find(
    call: &Call,
    (registry, name): (&str, &str),
    version: Option<&str>,
) -> Answer<(Schema, SchemaVersion)> {
    let bus = &call.state().bus;
    let schema = bus.schema(call.scope(), registry, name).await.map_err(refused)?;
    let wanted = version.map_or(VersionOf::Latest, VersionOf::Number);
    let version = bus.schema_version(call.scope(), &schema, wanted).await.map_err(refused)?;
    Ok((schema, version))
}

fn check_texts(
    constraints: Constraints,
    content: Option<&str>,
    description: Option<&str>,
) -> Constraints {
    let constraints = match content.map(|content| content.chars().count()) {
        // The text itself is too long to be shown.
        Some(count) if !(1..=CONTENT_CHARACTERS_MAX).contains(&count) => {
            constraints.range("content.length", i64::try_from(count).ok(), 1, 100_000)
        }
        _ => constraints,
    };
    constraints.length("description", description.unwrap_or_default(), 0, 256)
}

fn check_content(kind: SchemaKind, content: &str) -> Answer<()> {
    let document: Value = serde_json::from_str(content)
        .map_err(|fault| bad_request(format!("The content is not JSON: {fault}")))?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    match kind {
        _ if !document.is_object() => Err(bad_request("The content is no JSON object.")),
        SchemaKind::OpenApi3 if !text("openapi").starts_with("3.") => {
            Err(bad_request("The content is no OpenAPI 3 document: `openapi` is not 3.x."))
        }
        SchemaKind::JSONSchemaDraft4
            if document.get("$schema").is_some() && !text("$schema").contains("draft-04") =>
        {
            Err(bad_request("The content is no JSON Schema of draft 4: see `$schema`."))
        }
        _ => Ok(()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInput {
    #[serde(rename = "RegistryName")]
    registry_name: String,
    schema_name_prefix: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    schemas: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    last_modified: String,
    schema_arn: String,
    schema_name: Arc<str>,
    #[serde(rename = "tags")]
    tags: Tags,
    version_count: usize,
}

/// Source: Schemas API Reference, ListSchemas.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("limit", input.limit, 1, PAGE_MAX).done(BAD_REQUEST)?;
    let found = call.state().bus.schemas(call.scope(), &input.registry_name).await;
    let mut found = found.map_err(refused)?;
    let prefix = input.schema_name_prefix.unwrap_or_default();
    found.retain(|schema| schema.name.starts_with(&prefix));
    let asked = (input.next_token.as_deref(), page::size(input.limit, 100));
    let (found, next_token) =
        page::of("ListSchemas", found, |schema| schema.name.to_string(), asked)
            .map_err(bad_token)?;
    let summary = |schema: Schema| Summary {
        last_modified: schema.modified.to_rfc3339(),
        schema_arn: schema.arn(call.scope()),
        version_count: schema.versions.len(),
        schema_name: schema.name,
        tags: schema.tags,
    };
    Ok(ListOutput { schemas: found.into_iter().map(summary).collect(), next_token })
}

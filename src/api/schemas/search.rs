//! Schemas by what they say, and of events that are shown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{BAD_REQUEST, bad_request, bad_token, refused};
use super::registries::PAGE_MAX;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::bus::{Schema, SchemaKind, SchemaVersion, Shape, VersionOf};
use crate::bus::{event_document, json_schema, value_document};

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    #[serde(rename = "RegistryName")]
    registry_name: String,
    keywords: String,
    limit: Option<i64>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    schemas: Vec<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    registry_name: Arc<str>,
    schema_arn: String,
    schema_name: Arc<str>,
    schema_versions: Vec<FoundVersion>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FoundVersion {
    created_date: String,
    schema_version: String,
    #[serde(rename = "Type")]
    kind: SchemaKind,
}

/// Source: Schemas API Reference, SearchSchemas.
/// Differs: each word must stand in the name, the description or the content, in any case; AWS
/// does not say how it searches.
pub(super) async fn search(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, PAGE_MAX).done(BAD_REQUEST)?;
    let words = input.keywords.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    if words.is_empty() {
        return Err(bad_request("There are no keywords."));
    }
    let bus = &call.state().bus;
    let mut found = Vec::new();
    for schema in bus.schemas(call.scope(), &input.registry_name).await.map_err(refused)? {
        let mut versions = Vec::new();
        for number in schema.versions.iter().rev() {
            let number = number.to_string();
            let version = bus.schema_version(call.scope(), &schema, VersionOf::Number(&number));
            versions.push(version.await.map_err(refused)?);
        }
        versions.retain(|version| says(&schema, version, &words));
        if !versions.is_empty() {
            found.push((schema, versions));
        }
    }
    let asked = (input.next_token.as_deref(), page::size(input.limit, 100));
    let name = |(schema, _): &(Schema, _)| schema.name.to_string();
    let (found, next_token) = page::of("SearchSchemas", found, name, asked).map_err(bad_token)?;
    let show = |(schema, versions): (Schema, Vec<SchemaVersion>)| Found {
        schema_arn: schema.arn(call.scope()),
        registry_name: schema.registry,
        schema_name: schema.name,
        schema_versions: versions.into_iter().map(show_version).collect(),
    };
    Ok(Output { schemas: found.into_iter().map(show).collect(), next_token })
}

fn says(schema: &Schema, version: &SchemaVersion, words: &[String]) -> bool {
    let description = schema.description.as_deref().unwrap_or_default();
    let text = format!("{}\n{description}\n{}", schema.name, version.content).to_lowercase();
    words.iter().all(|word| text.contains(word))
}

fn show_version(version: SchemaVersion) -> FoundVersion {
    FoundVersion {
        created_date: version.created.to_rfc3339(),
        schema_version: version.number.to_string(),
        kind: version.kind,
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DiscoveredInput {
    events: Vec<String>,
    #[serde(rename = "Type")]
    kind: SchemaKind,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DiscoveredOutput {
    content: String,
}

/// Source: Schemas API Reference, GetDiscoveredSchema: one schema that fits all of the events.
pub(super) async fn discovered(_call: Call, input: DiscoveredInput) -> Answer<DiscoveredOutput> {
    let mut constraints = Constraints::new().count("events", input.events.len(), 1, 10);
    for (at, event) in (1..).zip(&input.events) {
        let length = i64::try_from(event.len()).ok();
        constraints = constraints.range(&format!("events.{at}.length"), length, 1, 100_000);
    }
    constraints.done(BAD_REQUEST)?;
    let mut events = Vec::with_capacity(input.events.len());
    for (at, text) in (1..).zip(&input.events) {
        match serde_json::from_str::<Value>(text) {
            Ok(event @ Value::Object(_)) => events.push(event),
            Ok(_) => return Err(bad_request(format!("Event {at} is no JSON object."))),
            Err(fault) => return Err(bad_request(format!("Event {at} is not JSON: {fault}"))),
        }
    }
    let document = document(&events)?;
    let document = match input.kind {
        SchemaKind::OpenApi3 => Some(document),
        SchemaKind::JSONSchemaDraft4 => json_schema(&document),
    };
    let content = document.map(|document| document.to_string()).unwrap_or_default();
    Ok(DiscoveredOutput { content })
}

/// Events of one source and type are described as such, all others as plain objects.
fn document(events: &[Value]) -> Answer<Value> {
    let text = |event: &Value, name: &str| Some(event.get(name)?.as_str()?.to_owned());
    let kind = |event: &Value| Some((text(event, "source")?, text(event, "detail-type")?));
    let first = events.first().and_then(kind);
    let alike = events.iter().all(|event| kind(event) == first && event.get("detail").is_some());
    let mut shape = Shape::Unknown;
    for event in events {
        let looked_at = if first.is_some() && alike { event.get("detail") } else { Some(event) };
        let found = looked_at.and_then(Shape::of);
        shape = shape.merge(found.ok_or_else(|| bad_request("An event is too deep."))?);
    }
    Ok(match first.filter(|_| alike) {
        Some((source, detail_type)) => event_document(&source, &detail_type, &shape),
        None => value_document(&shape),
    })
}

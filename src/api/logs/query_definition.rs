//! Saved queries: put, described, deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED, NOT_FOUND, bad_token};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::{AppendError, ResourceChanges};
use crate::time::Timestamp;

/// Saved queries by id.
const KIND: &str = "log-query-definition";
/// Source: CloudWatch Logs quotas.
const DEFINITIONS_MAX: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    name: String,
    query: String,
    language: Language,
    #[serde(default)]
    groups: Vec<Arc<str>>,
    modified: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Language {
    #[default]
    Cwli,
    Sql,
    Ppl,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    query_language: Option<Language>,
    name: String,
    query_definition_id: Option<String>,
    #[serde(default)]
    log_group_names: Vec<Arc<str>>,
    query_string: String,
    client_token: Option<String>,
    #[serde(default)]
    parameters: Vec<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutOutput {
    query_definition_id: String,
}

/// Makes a definition, or replaces the one of the id that is given.
///
/// Source: CloudWatch Logs API Reference, PutQueryDefinition; the text is not read.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    Constraints::new()
        .length("name", &input.name, 1, 255)
        .length("queryString", &input.query_string, 1, 10_000)
        .count("parameters", input.parameters.len(), 0, 20)
        .done(INVALID_PARAMETER)?;
    input.log_group_names.iter().try_for_each(|name| group::check_name(name))?;
    let row = Row {
        name: input.name,
        query: input.query_string,
        language: input.query_language.unwrap_or_default(),
        groups: input.log_group_names,
        modified: call.now(),
        parameters: input.parameters,
    };
    let changes = ResourceChanges::new();
    let (id, changes) = match input.query_definition_id {
        Some(id) => {
            let changes = changes.replace(KIND, &id, &row)?;
            (id, changes)
        }
        None => {
            if call.all::<Value>(KIND, "").await?.len() >= DEFINITIONS_MAX {
                return Err(LIMIT_EXCEEDED.because("Resource limit exceeded."));
            }
            // The same client token makes the same definition.
            let id = match &input.client_token {
                Some(token) => {
                    let hash = blake3::hash(token.as_bytes());
                    let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
                    uuid::Uuid::from_bytes(head).to_string()
                }
                None => uuid::Uuid::new_v4().to_string(),
            };
            let changes = changes.put(KIND, &id, &row)?;
            (id, changes)
        }
    };
    match call.apply(changes).await {
        Err(AppendError::Missing { .. }) => Err(missing()),
        other => Ok(other.map(|()| PutOutput { query_definition_id: id })?),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    query_definition_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct DeleteOutput {
    success: bool,
}

/// Source: CloudWatch Logs API Reference, DeleteQueryDefinition.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<DeleteOutput> {
    let gone = ResourceChanges::new().delete_existing(KIND, &input.query_definition_id);
    match call.apply(gone).await {
        Err(AppendError::Missing { .. }) => Err(missing()),
        other => Ok(other.map(|()| DeleteOutput { success: true })?),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescribeInput {
    query_language: Option<Language>,
    query_definition_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    query_definitions: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    query_language: Language,
    query_definition_id: String,
    name: String,
    query_string: String,
    last_modified: i64,
    log_group_names: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Value>,
}

/// Source: CloudWatch Logs API Reference, DescribeQueryDefinitions.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("maxResults", input.max_results, 1, 1000).done(INVALID_PARAMETER)?;
    let prefix = input.query_definition_name_prefix.as_deref().unwrap_or_default();
    let mut found = call.all::<Row>(KIND, "").await?;
    found.retain(|(_, row)| {
        row.name.starts_with(prefix) && input.query_language.is_none_or(|l| l == row.language)
    });
    let place = |(id, row): &(String, Row)| format!("{}\u{0}{id}", row.name);
    found.sort_by_key(place);
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 1000));
    let (found, next_token) =
        page::of("DescribeQueryDefinitions", found, place, asked).map_err(|_| bad_token())?;
    let described = |(id, row): (String, Row)| Described {
        query_language: row.language,
        query_definition_id: id,
        name: row.name,
        query_string: row.query,
        last_modified: row.modified.as_millis(),
        log_group_names: row.groups,
        parameters: row.parameters,
    };
    Ok(DescribeOutput { query_definitions: found.into_iter().map(described).collect(), next_token })
}

fn missing() -> crate::api::error::ApiError {
    NOT_FOUND.because("The specified query definition does not exist.")
}

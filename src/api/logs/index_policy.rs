//! Field index policies: kept and described. Queries here find by any field without one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, NOT_FOUND, bad_token};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::monitor::{AccountPolicyRow, GroupSelection, kind};
use crate::store::{AppendError, ResourceChanges};
use crate::time::Timestamp;

/// Policies by group.
const KIND: &str = "log-index-policy";
/// Source: CloudWatch Logs User Guide, "Field index syntax and quotas".
const FIELDS_MAX: usize = 20;
const FIELD_CHARACTERS_MAX: usize = 100;
const PAGE: usize = 50;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    document: String,
    updated: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum IndexType {
    Facet,
    FieldIndex,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "Fields")]
    fields: Vec<String>,
    #[serde(rename = "FieldsV2")]
    typed: BTreeMap<String, TypedField>,
}

#[derive(Deserialize)]
struct TypedField {
    #[serde(rename = "type")]
    kind: IndexType,
}

/// The fields that a policy document indexes.
pub(super) fn fields(document: &str) -> Answer<BTreeMap<String, IndexType>> {
    let document: Document = serde_json::from_str(document).map_err(|fault| {
        INVALID_PARAMETER.because(format!("Invalid index policy document: {fault}"))
    })?;
    let plain = document.fields.into_iter().map(|name| (name, IndexType::FieldIndex));
    let typed = document.typed.into_iter().map(|(name, field)| (name, field.kind));
    let fields = plain.chain(typed).collect::<BTreeMap<_, _>>();
    let fits = |name: &String| (1..=FIELD_CHARACTERS_MAX).contains(&name.chars().count());
    if fields.is_empty() || fields.len() > FIELDS_MAX || !fields.keys().all(fits) {
        return Err(INVALID_PARAMETER.because(
            "Invalid index policy document: it names 1 to 20 fields of 1 to 100 characters",
        ));
    }
    Ok(fields)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    log_group_identifier: Arc<str>,
    policy_document: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutOutput {
    index_policy: Described,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_group_identifier: String,
    last_update_time: i64,
    policy_document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<String>,
    source: &'static str,
}

/// Source: CloudWatch Logs API Reference, PutIndexPolicy.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let group = existing(&call, &input.log_group_identifier)?;
    fields(&input.policy_document)?;
    let row = Row { document: input.policy_document, updated: call.now() };
    call.apply(ResourceChanges::new().put(KIND, &group, &row)?).await?;
    Ok(PutOutput { index_policy: own(&call, &group, row) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    log_group_identifier: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteIndexPolicy.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let group = existing(&call, &input.log_group_identifier)?;
    match call.apply(ResourceChanges::new().delete_existing(KIND, &group)).await {
        Err(AppendError::Missing { .. }) => {
            Err(NOT_FOUND.because("The log group has no index policy."))
        }
        other => Ok(other?),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInput {
    log_group_identifiers: Vec<Arc<str>>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    index_policies: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch Logs API Reference, DescribeIndexPolicies: a group's own policy hides those
/// of its account.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    let count = input.log_group_identifiers.len();
    Constraints::new().count("logGroupIdentifiers", count, 1, 1).done(INVALID_PARAMETER)?;
    let mut index_policies = Vec::new();
    for identifier in &input.log_group_identifiers {
        let group = existing(&call, identifier)?;
        index_policies.extend(of_group(&call, &group).await?);
    }
    let asked = (input.next_token.as_deref(), PAGE);
    let place = |policy: &Described| policy.policy_name.clone().unwrap_or_default();
    let (index_policies, next_token) =
        page::of("DescribeIndexPolicies", index_policies, place, asked).map_err(|_| bad_token())?;
    Ok(DescribeOutput { index_policies, next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldsInput {
    log_group_identifiers: Vec<Arc<str>>,
    #[serde(default)]
    index_categories: Vec<Category>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Category {
    Default,
    Custom,
    Auto,
    Inactive,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldsOutput {
    field_indexes: Vec<FieldIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldIndex {
    log_group_identifier: String,
    field_index_name: String,
    last_scan_time: i64,
    #[serde(rename = "type")]
    kind: IndexType,
    index_category: Category,
}

/// Source: CloudWatch Logs API Reference, DescribeFieldIndexes.
/// Differs: the indexes that AWS keeps by default are not listed; there are none here.
pub(super) async fn describe_fields(call: Call, input: FieldsInput) -> Answer<FieldsOutput> {
    let count = input.log_group_identifiers.len();
    Constraints::new().count("logGroupIdentifiers", count, 1, 100).done(INVALID_PARAMETER)?;
    let categories = &input.index_categories;
    let wanted = categories.is_empty() || categories.contains(&Category::Custom);
    let mut found = Vec::new();
    for identifier in input.log_group_identifiers.iter().filter(|_| wanted) {
        let group = existing(&call, identifier)?;
        for policy in of_group(&call, &group).await? {
            let index = |(name, kind)| FieldIndex {
                log_group_identifier: policy.log_group_identifier.clone(),
                field_index_name: name,
                last_scan_time: policy.last_update_time,
                kind,
                index_category: Category::Custom,
            };
            found.extend(fields(&policy.policy_document)?.into_iter().map(index));
        }
    }
    let place = |index: &FieldIndex| {
        format!("{}\u{0}{}", index.log_group_identifier, index.field_index_name)
    };
    found.sort_by_key(place);
    let asked = (input.next_token.as_deref(), PAGE);
    let (field_indexes, next_token) =
        page::of("DescribeFieldIndexes", found, place, asked).map_err(|_| bad_token())?;
    Ok(FieldsOutput { field_indexes, next_token })
}

async fn of_group(call: &Call, group: &str) -> Answer<Vec<Described>> {
    if let Some(row) = call.one::<Row>(KIND, group).await? {
        return Ok(vec![own(call, group, row)]);
    }
    let kind = kind::LOG_ACCOUNT_POLICY;
    let policies = call.all::<AccountPolicyRow>(kind, "FIELD_INDEX_POLICY:").await?;
    let of_account = policies.into_iter().filter(|(_, row)| {
        let selection = GroupSelection::parse(row.selection.as_deref());
        selection.is_some_and(|selection| selection.holds(group))
    });
    let described = of_account.map(|(name, row)| Described {
        policy_name: name.split_once(':').map(|(_, own)| own.to_owned()),
        source: "ACCOUNT",
        ..own(call, group, Row { document: row.document, updated: row.updated })
    });
    Ok(described.collect())
}

fn own(call: &Call, group: &str, row: Row) -> Described {
    Described {
        log_group_identifier: group::arn(call.scope(), group),
        last_update_time: row.updated.as_millis(),
        policy_document: row.document,
        policy_name: None,
        source: "LOG_GROUP",
    }
}

/// Deletes what a group that is deleted leaves.
pub(super) fn forget(changes: ResourceChanges, group: &str) -> ResourceChanges {
    changes.delete(KIND, group)
}

fn existing(call: &Call, identifier: &str) -> Answer<Arc<str>> {
    let group = group::by_identifier(call, identifier)?;
    group::existing(call, &group)?;
    Ok(group)
}

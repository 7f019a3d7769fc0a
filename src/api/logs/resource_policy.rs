//! Resource policies: kept and described; nothing is permitted or refused by them here.

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED, NOT_FOUND, OPERATION_ABORTED, bad_token};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::{AppendError, ResourceChanges};
use crate::time::Timestamp;

/// Policies by name, or for one resource by its ARN.
const KIND: &str = "log-resource-policy";
/// Source: CloudWatch Logs quotas.
const POLICIES_MAX: usize = 10;
const DOCUMENT_CHARACTERS_MAX: usize = 51_200;

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    document: String,
    updated: Timestamp,
    revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_arn: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum PolicyScope {
    Account,
    Resource,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    policy_name: Option<String>,
    policy_document: Option<String>,
    resource_arn: Option<String>,
    expected_revision_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutOutput {
    resource_policy: Described,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<String>,
    policy_document: String,
    last_updated_time: i64,
    policy_scope: PolicyScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
}

/// Source: CloudWatch Logs API Reference, PutResourcePolicy.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let name = name(&call, input.policy_name.as_deref(), input.resource_arn.as_deref())?;
    let Some(document) = input.policy_document else {
        return Err(INVALID_PARAMETER.because("A policy document is required."));
    };
    Constraints::new()
        .length("policyDocument", &document, 1, DOCUMENT_CHARACTERS_MAX)
        .done(INVALID_PARAMETER)?;
    if serde_json::from_str::<serde_json::Map<_, _>>(&document).is_err() {
        return Err(INVALID_PARAMETER.because("Invalid policy document."));
    }
    let policies = call.all::<Row>(KIND, "").await?;
    let before = policies.iter().find(|(known, _)| *known == name).map(|(_, row)| row);
    check_revision(before, input.expected_revision_id.as_deref())?;
    let of_account = policies.iter().filter(|(_, row)| row.resource_arn.is_none()).count();
    if before.is_none() && input.resource_arn.is_none() && of_account >= POLICIES_MAX {
        return Err(LIMIT_EXCEEDED.because("Resource limit exceeded."));
    }
    let (updated, revision) = (call.now(), uuid::Uuid::new_v4().to_string());
    let row = Row { document, updated, revision, resource_arn: input.resource_arn };
    call.apply(ResourceChanges::new().put(KIND, &name, &row)?).await?;
    let revision_id = row.resource_arn.is_some().then(|| row.revision.clone());
    Ok(PutOutput { resource_policy: described(name, row), revision_id })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    policy_name: Option<String>,
    resource_arn: Option<String>,
    expected_revision_id: Option<String>,
}

/// Source: CloudWatch Logs API Reference, DeleteResourcePolicy.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let name = name(&call, input.policy_name.as_deref(), input.resource_arn.as_deref())?;
    let before = call.one::<Row>(KIND, &name).await?;
    check_revision(before.as_ref(), input.expected_revision_id.as_deref())?;
    match call.apply(ResourceChanges::new().delete_existing(KIND, &name)).await {
        Err(AppendError::Missing { .. }) => {
            Err(NOT_FOUND.because(format!("Policy with name [{name}] does not exist.")))
        }
        other => Ok(other?),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescribeInput {
    next_token: Option<String>,
    limit: Option<i64>,
    resource_arn: Option<String>,
    policy_scope: Option<PolicyScope>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    resource_policies: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch Logs API Reference, DescribeResourcePolicies: of the account unless asked
/// otherwise.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let of_resource =
        input.resource_arn.is_some() || input.policy_scope == Some(PolicyScope::Resource);
    let mut found = call.all::<Row>(KIND, "").await?;
    found.retain(|(_, row)| match (&row.resource_arn, &input.resource_arn) {
        (None, _) => !of_resource,
        (Some(_), None) => of_resource,
        (Some(own), Some(asked)) => own == asked,
    });
    let asked = (input.next_token.as_deref(), page::size(input.limit, 50));
    let (found, next_token) =
        page::of("DescribeResourcePolicies", found, |row| row.0.clone(), asked)
            .map_err(|_| bad_token())?;
    let resource_policies = found.into_iter().map(|(name, row)| described(name, row)).collect();
    Ok(DescribeOutput { resource_policies, next_token })
}

fn name(call: &Call, name: Option<&str>, resource_arn: Option<&str>) -> Answer<String> {
    match (name, resource_arn) {
        (_, Some(arn)) => {
            let group = group::by_identifier(call, arn)?;
            group::existing(call, &group)?;
            Ok(arn.to_owned())
        }
        (Some(name), None) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(INVALID_PARAMETER.because("Either policyName or resourceArn must be specified.")),
    }
}

fn check_revision(before: Option<&Row>, expected: Option<&str>) -> Answer<()> {
    let known = before.map(|row| row.revision.as_str());
    if expected.is_some() && expected != known {
        let why = "The policy has changed since the expected revision.";
        return Err(OPERATION_ABORTED.because(why));
    }
    Ok(())
}

fn described(name: String, row: Row) -> Described {
    let of_resource = row.resource_arn.is_some();
    Described {
        policy_name: (!of_resource).then_some(name),
        policy_document: row.document,
        last_updated_time: row.updated.as_millis(),
        policy_scope: if of_resource { PolicyScope::Resource } else { PolicyScope::Account },
        resource_arn: row.resource_arn,
        revision_id: of_resource.then_some(row.revision),
    }
}

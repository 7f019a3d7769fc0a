//! Logical destinations: put, given an access policy, described, deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, NOT_FOUND, bad_token};
use super::{group, tagged};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::monitor::{DestinationRow, TargetKind, kind, target_kind};
use crate::store::{AppendError, ResourceChanges};
use crate::telemetry::Scope;

/// Source: CloudWatch Logs API Reference, PutDestinationPolicy.
const POLICY_BYTES_MAX: usize = 5_120;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    destination_name: String,
    target_arn: String,
    role_arn: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PutOutput {
    destination: Described,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    destination_name: String,
    target_arn: String,
    role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_policy: Option<String>,
    arn: String,
    creation_time: i64,
}

/// Source: CloudWatch Logs API Reference, PutDestination.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    check_name(&input.destination_name)?;
    group::check_tags(&input.tags)?;
    let is_stream = matches!(
        target_kind(&input.target_arn),
        Some((TargetKind::Stream | TargetKind::Firehose, _))
    );
    if !is_stream {
        let why = "targetArn is the ARN of neither a Kinesis stream nor a Firehose stream.";
        return Err(INVALID_PARAMETER.because(why));
    }
    let name = input.destination_name;
    let before = call.one::<DestinationRow>(kind::LOG_DESTINATION, &name).await?;
    let row = DestinationRow {
        target_arn: input.target_arn,
        role_arn: input.role_arn,
        created: before.as_ref().map_or(call.now(), |row| row.created),
        access_policy: before.and_then(|row| row.access_policy),
    };
    let mut changes = ResourceChanges::new().put(kind::LOG_DESTINATION, &name, &row)?;
    if !input.tags.is_empty() {
        changes = changes.put(tagged::KIND, &arn(call.scope(), &name), &input.tags)?;
    }
    call.apply(changes).await?;
    Ok(PutOutput { destination: described(call.scope(), name, row) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyInput {
    destination_name: String,
    access_policy: String,
}

/// Source: CloudWatch Logs API Reference, PutDestinationPolicy.
pub(super) async fn put_policy(call: Call, input: PolicyInput) -> Answer<()> {
    check_name(&input.destination_name)?;
    let policy = input.access_policy;
    let is_policy = serde_json::from_str::<serde_json::Map<_, _>>(&policy).is_ok();
    if !is_policy || policy.len() > POLICY_BYTES_MAX {
        return Err(INVALID_PARAMETER.because("Invalid access policy document."));
    }
    let name = input.destination_name;
    let found = call.one::<DestinationRow>(kind::LOG_DESTINATION, &name).await?;
    let mut row = found.ok_or_else(missing)?;
    row.access_policy = Some(policy);
    Ok(call.apply(ResourceChanges::new().put(kind::LOG_DESTINATION, &name, &row)?).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    destination_name: String,
}

/// Source: CloudWatch Logs API Reference, DeleteDestination.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let name = input.destination_name;
    check_name(&name)?;
    let gone = ResourceChanges::new()
        .delete_existing(kind::LOG_DESTINATION, &name)
        .delete(tagged::KIND, &arn(call.scope(), &name));
    match call.apply(gone).await {
        Err(AppendError::Missing { .. }) => Err(missing()),
        other => Ok(other?),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescribeInput {
    /// COMPAT: the one member of the service that starts with a capital.
    #[serde(rename = "DestinationNamePrefix")]
    destination_name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    destinations: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch Logs API Reference, DescribeDestinations.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let prefix = input.destination_name_prefix.as_deref().unwrap_or_default();
    let found = call.all::<DestinationRow>(kind::LOG_DESTINATION, prefix).await?;
    let asked = (input.next_token.as_deref(), page::size(input.limit, 50));
    let (found, next_token) = page::of("DescribeDestinations", found, |row| row.0.clone(), asked)
        .map_err(|_| bad_token())?;
    let described = |(name, row)| described(call.scope(), name, row);
    Ok(DescribeOutput { destinations: found.into_iter().map(described).collect(), next_token })
}

/// The ARN of a destination.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("logs", format_args!("destination:{name}"))
}

fn described(scope: &Scope, name: String, row: DestinationRow) -> Described {
    Described {
        arn: arn(scope, &name),
        destination_name: name,
        target_arn: row.target_arn,
        role_arn: row.role_arn,
        access_policy: row.access_policy,
        creation_time: row.created.as_millis(),
    }
}

fn missing() -> crate::api::error::ApiError {
    NOT_FOUND.because("The specified destination does not exist.")
}

fn check_name(name: &str) -> Answer<()> {
    Constraints::new()
        .length("destinationName", name, 1, 512)
        .pattern("destinationName", name, !name.contains([':', '*']), "[^:*]*")
        .done(INVALID_PARAMETER)
}

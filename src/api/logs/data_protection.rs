//! Data protection policies of groups: put, read, deleted. They mask where events are read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, NOT_FOUND};
use super::group;
use crate::api::call::{Answer, Call};
use crate::monitor::{DataProtectionRow, kind, protection_name};
use crate::query::masking::Mask;
use crate::store::{AppendError, ResourceChanges};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    log_group_identifier: Arc<str>,
    policy_document: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_identifier: Arc<str>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    log_group_identifier: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_time: Option<i64>,
}

/// Source: CloudWatch Logs API Reference, PutDataProtectionPolicy.
/// Differs: findings are masked and not reported anywhere.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let group = existing(&call, &input.log_group_identifier)?;
    Mask::parse(&input.policy_document).map_err(|fault| {
        INVALID_PARAMETER.because(format!("Invalid data protection policy: {fault}"))
    })?;
    let name = protection_name(&group);
    let before = call.one::<DataProtectionRow>(kind::DATA_PROTECTION, &name).await?;
    let row = DataProtectionRow {
        document: input.policy_document,
        since: before.map_or(call.now(), |row| row.since),
        updated: call.now(),
    };
    call.apply(ResourceChanges::new().put(kind::DATA_PROTECTION, &name, &row)?).await?;
    call.state().monitor.logs().reload(call.scope(), &group).await?;
    Ok(output(input.log_group_identifier, Some(row)))
}

/// Source: CloudWatch Logs API Reference, GetDataProtectionPolicy.
pub(super) async fn get(call: Call, input: Input) -> Answer<Output> {
    let group = existing(&call, &input.log_group_identifier)?;
    let name = protection_name(&group);
    let row = call.one::<DataProtectionRow>(kind::DATA_PROTECTION, &name).await?;
    Ok(output(input.log_group_identifier, row))
}

/// Source: CloudWatch Logs API Reference, DeleteDataProtectionPolicy.
pub(super) async fn delete(call: Call, input: Input) -> Answer<()> {
    let group = existing(&call, &input.log_group_identifier)?;
    let name = protection_name(&group);
    let gone = ResourceChanges::new().delete_existing(kind::DATA_PROTECTION, &name);
    match call.apply(gone).await {
        Ok(()) => Ok(call.state().monitor.logs().reload(call.scope(), &group).await?),
        Err(AppendError::Missing { .. }) => {
            Err(NOT_FOUND.because("The log group has no data protection policy."))
        }
        Err(other) => Err(other.into()),
    }
}

fn existing(call: &Call, identifier: &str) -> Answer<Arc<str>> {
    let group = group::by_identifier(call, identifier)?;
    group::existing(call, &group)?;
    call.concerns("AWS::Logs::LogGroup", &group);
    Ok(group)
}

fn output(log_group_identifier: Arc<str>, row: Option<DataProtectionRow>) -> Output {
    Output {
        log_group_identifier,
        last_updated_time: row.as_ref().map(|row| row.updated.as_millis()),
        policy_document: row.map(|row| row.document),
    }
}

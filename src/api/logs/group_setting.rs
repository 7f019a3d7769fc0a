//! Settings of a group that are changed alone: its key, and whether it may be deleted.

use std::sync::Arc;

use serde::Deserialize;

use super::fault::INVALID_PARAMETER;
use super::group;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyInput {
    log_group_name: Option<Arc<str>>,
    resource_identifier: Option<Arc<str>>,
    kms_key_id: Option<String>,
}

/// Source: CloudWatch Logs API Reference, AssociateKmsKey.
/// Differs: the key is kept and nothing is encrypted with it.
pub(super) async fn associate_key(call: Call, input: KeyInput) -> Answer<()> {
    if input.kms_key_id.is_none() {
        return Err(INVALID_PARAMETER.because(
            "1 validation error detected: Value null at 'kmsKeyId' failed to satisfy constraint: \
             Member must not be null",
        ));
    }
    set_key(call, input).await
}

/// Source: CloudWatch Logs API Reference, DisassociateKmsKey.
pub(super) async fn disassociate_key(call: Call, input: KeyInput) -> Answer<()> {
    set_key(call, KeyInput { kms_key_id: None, ..input }).await
}

async fn set_key(call: Call, input: KeyInput) -> Answer<()> {
    let is_query_result = |arn: &Arc<str>| arn.contains(":query-result:");
    if input.resource_identifier.as_ref().is_some_and(is_query_result) {
        return Err(INVALID_PARAMETER.because("keys of query results are not supported here"));
    }
    let group = group::either(&call, input.log_group_name, input.resource_identifier)?;
    group::existing(&call, &group)?;
    let mut settings = group::settings(&call, &group).await?;
    settings.kms_key_id = input.kms_key_id;
    group::put_settings(&call, &group, &settings).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProtectionInput {
    log_group_identifier: Arc<str>,
    deletion_protection_enabled: bool,
}

/// Source: CloudWatch Logs API Reference, PutLogGroupDeletionProtection.
pub(super) async fn protect(call: Call, input: ProtectionInput) -> Answer<()> {
    let group = group::by_identifier(&call, &input.log_group_identifier)?;
    group::existing(&call, &group)?;
    let mut settings = group::settings(&call, &group).await?;
    settings.deletion_protected = input.deletion_protection_enabled;
    group::put_settings(&call, &group, &settings).await
}

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{ALREADY_EXISTS, INVALID_PARAMETER};
use super::group::{GroupSettings, LogGroupClass, check_name, check_tags, put_settings};
use crate::api::call::{Answer, Call};
use crate::store::AppendError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
    kms_key_id: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    log_group_class: Option<LogGroupClass>,
    deletion_protection_enabled: Option<bool>,
}

/// Source: CloudWatch Logs API Reference, CreateLogGroup.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let name = &*input.log_group_name;
    check_name(name)?;
    check_tags(&input.tags)?;
    if name.starts_with("aws/") {
        return Err(INVALID_PARAMETER.because("Log group names starting with aws/ are reserved."));
    }
    call.concerns("AWS::Logs::LogGroup", name);
    match call.state().store.logs().create_group(call.scope(), name).await {
        Ok(_lsn) => {}
        Err(AppendError::Conflict { .. }) => {
            return Err(ALREADY_EXISTS.because("The specified log group already exists"));
        }
        Err(other) => return Err(other.into()),
    }
    let settings = GroupSettings {
        class: input.log_group_class,
        kms_key_id: input.kms_key_id,
        deletion_protected: input.deletion_protection_enabled.unwrap_or(false),
        tags: input.tags,
    };
    // ORDER: the group first. A crash in between leaves a group with default settings, never
    // settings that a later group of the same name would inherit.
    put_settings(&call, name, &settings).await
}

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fault::{VALIDATION, no_group};
use super::group::{self, check_name};
use super::index_policy;
use crate::api::call::{Answer, Call};
use crate::monitor::{filter_prefix, kind};
use crate::store::{AppendError, ResourceChanges};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteLogGroup.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let name = &*input.log_group_name;
    check_name(name)?;
    call.concerns("AWS::Logs::LogGroup", name);
    group::existing(&call, name)?;
    if group::settings(&call, name).await?.deletion_protected {
        return Err(VALIDATION.because(format!(
            "Log group {name} cannot be deleted because deletion protection is enabled."
        )));
    }
    // ORDER: what belongs to it before the group, so that a group made anew never inherits it.
    let mut changes = ResourceChanges::new().delete(group::KIND, name);
    changes = index_policy::forget(changes, name);
    for kind in [kind::METRIC_FILTER, kind::SUBSCRIPTION_FILTER, kind::DATA_PROTECTION] {
        for (filter, _) in call.all::<IgnoredAny>(kind, &filter_prefix(name)).await? {
            changes = changes.delete(kind, &filter);
        }
    }
    call.apply(changes).await?;
    call.state().monitor.logs().reload(call.scope(), name).await?;
    match call.state().store.logs().delete_group(call.scope(), name).await {
        Ok(_lsn) => Ok(()),
        Err(AppendError::Missing { .. }) => Err(no_group()),
        Err(other) => Err(other.into()),
    }
}

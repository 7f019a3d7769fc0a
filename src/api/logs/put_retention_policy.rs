use std::sync::Arc;

use serde::Deserialize;

use super::fault::{INVALID_PARAMETER, no_group};
use super::group::check_name;
use crate::api::call::{Answer, Call};
use crate::store::AppendError;

/// Source: PutRetentionPolicy, `retentionInDays`.
const DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
    retention_in_days: i64,
}

/// Source: CloudWatch Logs API Reference, PutRetentionPolicy.
/// Differs: what is expired by it is gone at once, not within 72 hours.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    check_name(&input.log_group_name)?;
    let days = u32::try_from(input.retention_in_days).ok().filter(|days| DAYS.contains(days));
    let Some(days) = days else {
        let known = DAYS.map(|days| days.to_string()).join(", ");
        return Err(INVALID_PARAMETER.because(format!(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: [{known}]",
            input.retention_in_days
        )));
    };
    set(&call, &input.log_group_name, Some(days)).await
}

/// Sets or lifts a group's retention.
pub(super) async fn set(call: &Call, group: &str, days: Option<u32>) -> Answer<()> {
    call.concerns("AWS::Logs::LogGroup", group);
    match call.state().store.logs().set_retention(call.scope(), group, days).await {
        Ok(_lsn) => Ok(()),
        Err(AppendError::Missing { .. }) => Err(no_group()),
        Err(other) => Err(other.into()),
    }
}

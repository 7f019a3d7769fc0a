use std::sync::Arc;

use serde::Deserialize;

use super::super::fault::NOT_FOUND;
use super::super::group;
use crate::api::call::{Answer, Call};
use crate::monitor::{filter_name, kind};
use crate::store::{AppendError, ResourceChanges};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    log_group_name: Arc<str>,
    filter_name: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteMetricFilter.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    super::check_name(&input.filter_name)?;
    group::existing(&call, &input.log_group_name)?;
    let name = filter_name(&input.log_group_name, &input.filter_name);
    match call.apply(ResourceChanges::new().delete_existing(kind::METRIC_FILTER, &name)).await {
        Ok(()) => {}
        Err(AppendError::Missing { .. }) => {
            return Err(NOT_FOUND.because("The specified metric filter does not exist."));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(call.state().monitor.logs().reload(call.scope(), &input.log_group_name).await?)
}

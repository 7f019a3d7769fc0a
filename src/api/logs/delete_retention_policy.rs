use std::sync::Arc;

use serde::Deserialize;

use super::group::check_name;
use super::put_retention_policy::set;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteRetentionPolicy: events never expire from then on.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    check_name(&input.log_group_name)?;
    set(&call, &input.log_group_name, None).await
}

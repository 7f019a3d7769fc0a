use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceInput {
    resource_arn: Arc<str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupInput {
    log_group_name: Arc<str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Output {
    tags: BTreeMap<String, String>,
}

/// Source: CloudWatch Logs API Reference, ListTagsForResource.
pub(super) async fn run_resource(call: Call, input: ResourceInput) -> Answer<Output> {
    let group = group::by_identifier(&call, &input.resource_arn)?;
    list(&call, &group).await
}

/// Source: CloudWatch Logs API Reference, ListTagsLogGroup; the older form of ListTagsForResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<Output> {
    list(&call, &input.log_group_name).await
}

async fn list(call: &Call, name: &str) -> Answer<Output> {
    group::existing(call, name)?;
    Ok(Output { tags: group::settings(call, name).await?.tags })
}

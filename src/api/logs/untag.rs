use std::sync::Arc;

use serde::Deserialize;

use super::group;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceInput {
    resource_arn: Arc<str>,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupInput {
    log_group_name: Arc<str>,
    tags: Vec<String>,
}

/// Source: CloudWatch Logs API Reference, UntagResource.
pub(super) async fn run_resource(call: Call, input: ResourceInput) -> Answer<()> {
    let group = group::by_identifier(&call, &input.resource_arn)?;
    remove(&call, &group, &input.tag_keys).await
}

/// Source: CloudWatch Logs API Reference, UntagLogGroup; the older form of UntagResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<()> {
    remove(&call, &input.log_group_name, &input.tags).await
}

async fn remove(call: &Call, name: &str, keys: &[String]) -> Answer<()> {
    group::existing(call, name)?;
    let mut settings = group::settings(call, name).await?;
    settings.tags.retain(|key, _| !keys.contains(key));
    group::put_settings(call, name, &settings).await
}

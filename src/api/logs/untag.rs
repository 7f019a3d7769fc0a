use std::sync::Arc;

use serde::Deserialize;

use super::group;
use super::tagged::Tagged;
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
    let tagged = Tagged::find(&call, &input.resource_arn).await?;
    remove(&call, &tagged, &input.tag_keys).await
}

/// Source: CloudWatch Logs API Reference, UntagLogGroup; the older form of UntagResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    group::existing(&call, &input.log_group_name)?;
    remove(&call, &Tagged::Group(input.log_group_name), &input.tags).await
}

async fn remove(call: &Call, tagged: &Tagged, keys: &[String]) -> Answer<()> {
    let mut tags = tagged.tags(call).await?;
    tags.retain(|key, _| !keys.contains(key));
    tagged.set(call, tags).await
}

use std::sync::Arc;

use serde::Deserialize;

use super::fault::no_group;
use super::group;
use super::tagged::{Tagged, Tags};
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceInput {
    resource_arn: Arc<str>,
    tags: Tags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupInput {
    log_group_name: Arc<str>,
    tags: Tags,
}

/// Source: CloudWatch Logs API Reference, TagResource.
pub(super) async fn run_resource(call: Call, input: ResourceInput) -> Answer<()> {
    let tagged = Tagged::find(&call, &input.resource_arn).await?;
    add(&call, &tagged, input.tags).await
}

/// Source: CloudWatch Logs API Reference, TagLogGroup; the older form of TagResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    group::existing(&call, &input.log_group_name).map_err(|_missing| no_group())?;
    add(&call, &Tagged::Group(input.log_group_name), input.tags).await
}

async fn add(call: &Call, tagged: &Tagged, tags: Tags) -> Answer<()> {
    let mut all = tagged.tags(call).await?;
    all.extend(tags);
    tagged.set(call, all).await
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group;
use super::tagged::{Tagged, Tags};
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
    tags: Tags,
}

/// Source: CloudWatch Logs API Reference, ListTagsForResource.
pub(super) async fn run_resource(call: Call, input: ResourceInput) -> Answer<Output> {
    let tagged = Tagged::find(&call, &input.resource_arn).await?;
    Ok(Output { tags: tagged.tags(&call).await? })
}

/// Source: CloudWatch Logs API Reference, ListTagsLogGroup; the older form of ListTagsForResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<Output> {
    group::check_name(&input.log_group_name)?;
    group::existing(&call, &input.log_group_name)?;
    Ok(Output { tags: Tagged::Group(input.log_group_name).tags(&call).await? })
}

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::group;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceInput {
    resource_arn: Arc<str>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupInput {
    log_group_name: Arc<str>,
    tags: BTreeMap<String, String>,
}

/// Source: CloudWatch Logs API Reference, TagResource.
pub(super) async fn run_resource(call: Call, input: ResourceInput) -> Answer<()> {
    let group = group::by_identifier(&call, &input.resource_arn)?;
    add(&call, &group, input.tags).await
}

/// Source: CloudWatch Logs API Reference, TagLogGroup; the older form of TagResource.
pub(super) async fn run_group(call: Call, input: GroupInput) -> Answer<()> {
    add(&call, &input.log_group_name, input.tags).await
}

async fn add(call: &Call, name: &str, tags: BTreeMap<String, String>) -> Answer<()> {
    group::existing(call, name)?;
    let mut settings = group::settings(call, name).await?;
    settings.tags.extend(tags);
    group::check_tags(&settings.tags)?;
    group::put_settings(call, name, &settings).await
}

//! Tags of rules and buses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus::{self, check_tags};
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::Tag;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: Vec<Tag>,
}

/// Source: EventBridge API Reference, ListTagsForResource.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let tags = bus::handle(&call).tags(call.scope(), &input.resource_arn).await?;
    Ok(ListOutput { tags })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Vec<Tag>,
}

/// Source: EventBridge API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<()> {
    check_tags(&input.tags, Constraints::new()).done(VALIDATION)?;
    let change = |tags: &mut Vec<Tag>| Tag::set(tags, input.tags);
    Ok(bus::handle(&call).change_tags(call.scope(), &input.resource_arn, change).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tag_keys: Vec<Arc<str>>,
}

/// Source: EventBridge API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<()> {
    let change = |tags: &mut Vec<Tag>| tags.retain(|tag| !input.tag_keys.contains(&tag.key));
    Ok(bus::handle(&call).change_tags(call.scope(), &input.resource_arn, change).await?)
}

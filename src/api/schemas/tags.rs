//! Tags of registries, schemas and discoverers, by ARN.

use serde::{Deserialize, Serialize};

use super::fault::{BAD_REQUEST, refused};
use super::registries::check_tags;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::tags::{ArnInput, UntagInput};
use crate::bus::Tags;

#[derive(Debug, Serialize)]
pub(super) struct ListOutput {
    tags: Tags,
}

#[derive(Debug, Deserialize)]
pub(super) struct TagInput {
    #[serde(rename = "ResourceArn")]
    resource_arn: String,
    tags: Tags,
}

/// Source: Schemas API Reference, ListTagsForResource.
pub(super) async fn list(call: Call, input: ArnInput) -> Answer<ListOutput> {
    let bus = &call.state().bus;
    let found = bus.schema_tags(call.scope(), &input.resource_arn).await;
    Ok(ListOutput { tags: found.map_err(refused)? })
}

/// Source: Schemas API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<()> {
    check_tags(Constraints::new(), &input.tags).done(BAD_REQUEST)?;
    let bus = &call.state().bus;
    let set = |own: &mut Tags| own.extend(input.tags);
    bus.change_schema_tags(call.scope(), &input.resource_arn, set).await.map_err(refused)
}

/// Source: Schemas API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<()> {
    let (bus, arn) = (&call.state().bus, input.resource_arn.clone());
    let keys = input.keys();
    let cut = |own: &mut Tags| own.retain(|key, _| !keys.contains(key));
    bus.change_schema_tags(call.scope(), &arn, cut).await.map_err(refused)
}

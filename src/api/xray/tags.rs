use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reading::check_one_page;
use super::{INVALID_REQUEST, RESOURCE_NOT_FOUND, TOO_MANY_TAGS, group, sampling_rules};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::store::{AppendError, ResourceChanges};

const KIND: &str = "xray-tags";
/// Source: X-Ray endpoints and quotas.
const TAGS_MAX: usize = 50;

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

type Tags = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: Vec<Tag>,
}

/// Source: X-Ray API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<()> {
    exists(&call, &input.resource_arn).await?;
    check(&input.tags)?;
    let mut tags = read(&call, &input.resource_arn).await?;
    tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.len() > TAGS_MAX {
        return Err(TOO_MANY_TAGS
            .because(format!("A resource has at most {TAGS_MAX} tags"))
            .with("ResourceName", input.resource_arn));
    }
    Ok(call.apply(ResourceChanges::new().put(KIND, &input.resource_arn, &tags)?).await?)
}

/// Source: X-Ray API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<()> {
    exists(&call, &input.resource_arn).await?;
    let mut tags = read(&call, &input.resource_arn).await?;
    tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(call.apply(ResourceChanges::new().put(KIND, &input.resource_arn, &tags)?).await?)
}

/// Source: X-Ray API Reference, ListTagsForResource.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    check_one_page("ListTagsForResource", input.next_token.as_deref())?;
    exists(&call, &input.resource_arn).await?;
    let tags = read(&call, &input.resource_arn).await?.into_iter();
    Ok(ListOutput { tags: tags.map(|(key, value)| Tag { key, value }).collect() })
}

/// Refuses tags that no resource may have.
pub(super) fn check(tags: &[Tag]) -> Answer<()> {
    if tags.len() > TAGS_MAX {
        return Err(INVALID_REQUEST.because(format!("A resource has at most {TAGS_MAX} tags")));
    }
    let each = |constraints: Constraints, tag: &Tag| {
        constraints.length("tags.key", &tag.key, 1, 128).length("tags.value", &tag.value, 0, 256)
    };
    tags.iter().fold(Constraints::new(), each).done(INVALID_REQUEST)?;
    match tags.iter().find(|tag| tag.key.to_ascii_lowercase().starts_with("aws:")) {
        Some(tag) => {
            Err(INVALID_REQUEST.because(format!("Tag keys must not start with aws: {}", tag.key)))
        }
        None => Ok(()),
    }
}

/// Sets the tags of a resource that is made in the same changes.
pub(super) fn set(
    changes: ResourceChanges,
    arn: &str,
    tags: &[Tag],
) -> Result<ResourceChanges, AppendError> {
    let tags: Tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    changes.put(KIND, arn, &tags)
}

/// Forgets the tags of a resource that is deleted in the same changes.
pub(super) fn forget(changes: ResourceChanges, arn: &str) -> ResourceChanges {
    changes.delete(KIND, arn)
}

async fn read(call: &Call, arn: &str) -> Answer<Tags> {
    let kept = call.state().store.resources().get(call.scope(), KIND, arn).await?;
    Ok(kept.unwrap_or_default())
}

async fn exists(call: &Call, arn: &str) -> Answer<()> {
    let found = if arn.contains(":group/") {
        group::by_name_or_arn(call, None, Some(arn)).await.is_ok()
    } else {
        sampling_rules::exists(call, arn).await
    };
    if found {
        return Ok(());
    }
    let why = format!("Resource {arn} not found");
    Err(RESOURCE_NOT_FOUND.because(why).with("ResourceName", arn))
}

//! Tags of trails, by ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{
    INVALID_ARN, INVALID_TAG, INVALID_TOKEN, RESOURCE_NOT_FOUND, RESOURCE_TYPE, TAGS_LIMIT, refused,
};
use super::trail::{find, find_own, handle};
use crate::api::call::{Answer, Call};

const TAGS_MAX: usize = 50;

/// A tag.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: Option<String>,
}

impl Tag {
    /// Its key and value.
    pub(super) fn pair(&self) -> (String, String) {
        (self.key.clone(), self.value.clone().unwrap_or_default())
    }
}

/// Refuses tags that AWS refuses.
pub(super) fn check_tags(tags: &[Tag]) -> Answer<()> {
    if tags.len() > TAGS_MAX {
        return Err(TAGS_LIMIT.because(format!("A trail has at most {TAGS_MAX} tags.")));
    }
    let fits = |tag: &Tag| {
        let value = tag.value.as_deref().unwrap_or_default();
        (1..=128).contains(&tag.key.chars().count())
            && value.chars().count() <= 256
            && !tag.key.to_ascii_lowercase().starts_with("aws:")
    };
    match tags.iter().find(|tag| !fits(tag)) {
        Some(tag) => Err(INVALID_TAG.because(format!("The tag {} is not valid.", tag.key))),
        None => Ok(()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeInput {
    resource_id: String,
    tags_list: Vec<Tag>,
}

/// Source: CloudTrail API Reference, AddTags.
pub(super) async fn add(call: Call, input: ChangeInput) -> Answer<()> {
    check_tags(&input.tags_list)?;
    let trail = find_own(&call, trail_arn(&input.resource_id)?)?;
    let mut tags = trail.tags.clone();
    tags.extend(input.tags_list.iter().map(Tag::pair));
    if tags.len() > TAGS_MAX {
        return Err(TAGS_LIMIT.because(format!("A trail has at most {TAGS_MAX} tags.")));
    }
    keep(&call, &trail.name, tags).await
}

/// Source: CloudTrail API Reference, RemoveTags: by key, and by value where one is given.
pub(super) async fn remove(call: Call, input: ChangeInput) -> Answer<()> {
    let trail = find_own(&call, trail_arn(&input.resource_id)?)?;
    let mut tags = trail.tags.clone();
    tags.retain(|key, _| !input.tags_list.iter().any(|tag| tag.key == *key));
    keep(&call, &trail.name, tags).await
}

async fn keep(call: &Call, name: &str, tags: BTreeMap<String, String>) -> Answer<()> {
    call.concerns("AWS::CloudTrail::Trail", name);
    let changed = handle(call).change(call.scope(), name, |trail| trail.tags = tags).await;
    changed.map_err(|error| refused(error, (name, call.scope().account.as_str())))?;
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    resource_id_list: Vec<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    resource_tag_list: Vec<Tagged>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    resource_id: String,
    tags_list: Vec<Tag>,
}

/// Source: CloudTrail API Reference, ListTags; there is one page.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    if input.next_token.is_some() {
        return Err(INVALID_TOKEN.because("The NextToken is not valid."));
    }
    let mut resource_tag_list = Vec::new();
    for arn in input.resource_id_list {
        let (_, trail) = find(&call, trail_arn(&arn)?).map_err(|_absent| {
            RESOURCE_NOT_FOUND.because(format!("Resource {arn} does not exist."))
        })?;
        let tag =
            |(key, value): (&String, &String)| Tag { key: key.clone(), value: Some(value.clone()) };
        let tags_list = trail.tags.iter().map(tag).collect();
        resource_tag_list.push(Tagged { resource_id: arn, tags_list });
    }
    Ok(ListOutput { resource_tag_list })
}

fn trail_arn(arn: &str) -> Answer<&str> {
    let resource = arn.splitn(6, ':').nth(5);
    match resource.and_then(|resource| resource.split_once('/')) {
        Some(("trail", _)) => Ok(arn),
        Some((kind, _)) => {
            Err(RESOURCE_TYPE.because(format!("Resources of type {kind} are not supported here.")))
        }
        None => Err(INVALID_ARN.because(format!("{arn} is not a valid ARN."))),
    }
}

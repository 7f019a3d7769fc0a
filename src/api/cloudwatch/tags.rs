use serde::{Deserialize, Serialize};

use super::alarms::{self, Alarm, name_in_arn};
use super::fault::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::alarm::Tag;
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::Constraints;
use crate::store::ResourceChanges;

const TAGS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
pub(super) struct ListInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(rename = "Tags")]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UntagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(rename = "TagKeys")]
    tag_keys: Vec<String>,
}

/// Source: CloudWatch API Reference, ListTagsForResource. Only alarms have tags here.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Ok(ListOutput { tags: tags_mut(&mut tagged(&call, &input.resource_arn).await?).clone() })
}

/// Source: CloudWatch API Reference, TagResource.
pub(super) async fn add(call: Call, input: TagInput) -> Answer<()> {
    let mut alarm = tagged(&call, &input.resource_arn).await?;
    let tags = tags_mut(&mut alarm);
    for tag in input.tags {
        Constraints::new()
            .length("key", &tag.key, 1, 128)
            .length("value", &tag.value, 0, 256)
            .done(VALIDATION)?;
        tags.retain(|present| present.key != tag.key);
        tags.push(tag);
    }
    Constraints::new().count("tags", tags.len(), 0, TAGS_MAX).done(VALIDATION)?;
    write(&call, &alarm).await
}

/// Source: CloudWatch API Reference, UntagResource.
pub(super) async fn remove(call: Call, input: UntagInput) -> Answer<()> {
    let mut alarm = tagged(&call, &input.resource_arn).await?;
    tags_mut(&mut alarm).retain(|tag| !input.tag_keys.iter().any(|key| **key == *tag.key));
    write(&call, &alarm).await
}

async fn tagged(call: &Call, arn: &str) -> Answer<Alarm> {
    let absent = || {
        RESOURCE_NOT_FOUND_EXCEPTION
            .because(format!("Unknown resource {arn}"))
            .with("ResourceType", "Alarm")
            .with("ResourceId", arn)
    };
    let name = name_in_arn(call.scope(), arn).ok_or_else(absent)?;
    call.concerns("AWS::CloudWatch::Alarm", name);
    alarms::find(call, name).await?.map(|(alarm, _)| alarm).ok_or_else(absent)
}

const fn tags_mut(alarm: &mut Alarm) -> &mut Vec<Tag> {
    match alarm {
        Alarm::Metric(alarm) => &mut alarm.tags,
        Alarm::Composite(alarm) => &mut alarm.tags,
    }
}

/// Tags are no part of the configuration: its time and history stay.
async fn write(call: &Call, alarm: &Alarm) -> Answer<()> {
    let changes = ResourceChanges::new();
    let changes = match alarm {
        Alarm::Metric(metric) => changes.put(alarm.kind(), &metric.name, metric)?,
        Alarm::Composite(composite) => changes.put(alarm.kind(), &composite.name, composite)?,
    };
    Ok(call.apply(changes).await?)
}

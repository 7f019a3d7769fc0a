//! Tags of alarms, mute rules, dashboards, metric streams and insight rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alarms::{alarms, name_in_arn};
use super::fault::{INVALID_PARAMETER_VALUE, RESOURCE_NOT_FOUND_EXCEPTION};
use super::{dashboard, insight_rule, metric_stream, mute_rules};
use crate::alarm::{AlarmRef, Tag};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::api::service::{Constraints, Empty};
use crate::store::ResourceChanges;

/// Source: CloudWatch API Reference, TagResource.
const TAGS_MAX: usize = 50;

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

/// Source: CloudWatch API Reference, ListTagsForResource.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let tagged = Tagged::find(&call, input.resource_arn).await?;
    Ok(ListOutput { tags: tagged.tags })
}

/// Source: CloudWatch API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<Empty> {
    check(&input.tags)?;
    let mut tagged = Tagged::find(&call, input.resource_arn).await?;
    for tag in input.tags {
        match tagged.tags.iter_mut().find(|known| known.key == tag.key) {
            Some(known) => known.value = tag.value,
            None => tagged.tags.push(tag),
        }
    }
    check(&tagged.tags)?;
    tagged.keep(&call).await?;
    Ok(Empty {})
}

/// Source: CloudWatch API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<Empty> {
    let mut tagged = Tagged::find(&call, input.resource_arn).await?;
    tagged.tags.retain(|tag| !input.tag_keys.iter().any(|key| **key == *tag.key));
    tagged.keep(&call).await?;
    Ok(Empty {})
}

/// Checks tags as a whole.
pub(super) fn check(tags: &[Tag]) -> Answer<()> {
    let mut constraints = Constraints::new().count("tags", tags.len(), 0, TAGS_MAX);
    for (index, tag) in tags.iter().enumerate() {
        let at = |member: &str| format!("tags.{}.member.{member}", index + 1);
        constraints = constraints.length(&at("key"), &tag.key, 1, 128).length(
            &at("value"),
            &tag.value,
            0,
            256,
        );
    }
    constraints.done(VALIDATION)?;
    let is_reserved = |tag: &Tag| tag.key.to_ascii_lowercase().starts_with("aws:");
    if tags.iter().any(is_reserved) {
        let why = "Tag keys starting with aws: are reserved for system use";
        return Err(INVALID_PARAMETER_VALUE.because(why));
    }
    Ok(())
}

/// A resource that has tags, and those it has.
struct Tagged {
    what: What,
    tags: Vec<Tag>,
}

enum What {
    Alarm(Arc<str>),
    MuteRule(Arc<str>),
    Dashboard(String),
    /// A document of a kind and name with a member `tags`.
    Document(&'static str, String, Value),
}

impl Tagged {
    async fn find(call: &Call, arn: String) -> Answer<Self> {
        let scope = call.scope();
        if let Some(name) = name_in_arn(scope, &arn) {
            let snapshot = alarms(call).get(scope, name).ok_or_else(|| missing("Alarm", &arn))?;
            let (AlarmRef::Metric(crate::alarm::MetricAlarm { tags, .. })
            | AlarmRef::Composite(crate::alarm::CompositeAlarm { tags, .. })) = snapshot.alarm();
            return Ok(Self { what: What::Alarm(name.into()), tags: tags.clone() });
        }
        if let Some(name) = arn.strip_prefix(&mute_rules::arn(scope, "")) {
            let rule = alarms(call).mute_rule(scope, name);
            let rule = rule.ok_or_else(|| missing("AlarmMuteRule", &arn))?;
            let tags = rule.input().tags.clone();
            return Ok(Self { what: What::MuteRule(name.into()), tags });
        }
        if let Some(name) = arn.strip_prefix(&dashboard::arn(scope, "")) {
            let row = dashboard::row(call, name).await?;
            let row = row.ok_or_else(|| missing("Dashboard", &arn))?;
            return Ok(Self { what: What::Dashboard(name.to_owned()), tags: row.tags });
        }
        for (kind, start) in [
            (metric_stream::KIND, metric_stream::arn(scope, "")),
            (insight_rule::KIND, insight_rule::arn(scope, "")),
        ] {
            let Some(name) = arn.strip_prefix(&start) else { continue };
            let document: Option<Value> = call.one(kind, name).await?;
            let document = document.ok_or_else(|| missing(kind, &arn))?;
            let tags = document.get("tags").cloned().unwrap_or_default();
            let tags = serde_json::from_value(tags).unwrap_or_default();
            return Ok(Self { what: What::Document(kind, name.to_owned(), document), tags });
        }
        Err(missing("Resource", &arn))
    }

    async fn keep(self, call: &Call) -> Answer<()> {
        match self.what {
            What::Alarm(name) => Ok(alarms(call).set_tags(call.scope(), name, self.tags).await?),
            What::MuteRule(name) => {
                Ok(alarms(call).set_mute_tags(call.scope(), name, self.tags).await?)
            }
            What::Dashboard(name) => {
                let Some(mut row) = dashboard::row(call, &name).await? else { return Ok(()) };
                row.tags = self.tags;
                dashboard::put_row(call, &name, &row).await
            }
            What::Document(kind, name, mut document) => {
                let tags = serde_json::to_value(&self.tags).unwrap_or_default();
                if let Some(members) = document.as_object_mut() {
                    members.insert("tags".to_owned(), tags);
                }
                Ok(call.apply(ResourceChanges::new().put(kind, &name, &document)?).await?)
            }
        }
    }
}

fn missing(kind: &str, arn: &str) -> ApiError {
    RESOURCE_NOT_FOUND_EXCEPTION
        .because(format!("Unknown resource {arn}"))
        .with("ResourceType", kind)
        .with("ResourceId", arn)
}

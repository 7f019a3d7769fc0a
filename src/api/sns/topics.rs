//! Topics: made, described, changed, listed, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fault::{NO_RESOURCE, PARAMETER, handle, topic_of};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page::{self, TokenInput};
use crate::bus::Tag;
use crate::bus::topic::TopicError;

/// Source: SNS API Reference, ListTopics: pages of 100.
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    name: Arc<str>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArnOutput {
    topic_arn: String,
}

/// Source: SNS API Reference, CreateTopic.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<ArnOutput> {
    call.concerns("AWS::SNS::Topic", &input.name);
    let CreateInput { name, attributes, tags } = input;
    handle(&call).create(call.scope(), &name, &attributes, tags).await?;
    Ok(ArnOutput { topic_arn: call.scope().arn("sns", &name) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArnInput {
    topic_arn: String,
}

/// Source: SNS API Reference, DeleteTopic: one that is not there is deleted silently.
pub(super) async fn delete(call: Call, input: ArnInput) -> Answer<()> {
    let name = topic_of(&call, &input.topic_arn)?;
    call.concerns("AWS::SNS::Topic", name);
    Ok(handle(&call).delete(call.scope(), name).await?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesOutput {
    attributes: BTreeMap<String, String>,
}

/// Source: SNS API Reference, GetTopicAttributes.
pub(super) async fn attributes(call: Call, input: ArnInput) -> Answer<AttributesOutput> {
    let name = topic_of(&call, &input.topic_arn)?;
    let (topic, subscriptions) = handle(&call).topic(call.scope(), name)?;
    let pending = subscriptions.iter().filter(|held| held.token.is_some()).count();
    let account = call.scope().account.to_string();
    let retries = json!({"http": {"defaultHealthyRetryPolicy": {
        "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
        "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear"},
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}}});
    let mut attributes = BTreeMap::from([
        ("TopicArn".to_owned(), input.topic_arn.clone()),
        ("Owner".to_owned(), account.clone()),
        ("DisplayName".to_owned(), String::new()),
        ("Policy".to_owned(), default_policy(&input.topic_arn, &account)),
        ("EffectiveDeliveryPolicy".to_owned(), retries.to_string()),
        ("SubscriptionsConfirmed".to_owned(), (subscriptions.len() - pending).to_string()),
        ("SubscriptionsPending".to_owned(), pending.to_string()),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
    ]);
    if topic.is_fifo() {
        attributes.insert("ContentBasedDeduplication".to_owned(), "false".to_owned());
    }
    attributes.extend(topic.attributes);
    Ok(AttributesOutput { attributes })
}

/// Source: SNS Developer Guide, the policy that a topic has unless another is set.
fn default_policy(arn: &str, account: &str) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    let policy = json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Effect": "Allow",
            "Sid": "__default_statement_ID",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
        }],
    });
    policy.to_string()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetInput {
    topic_arn: String,
    attribute_name: String,
    #[serde(default)]
    attribute_value: String,
}

/// Source: SNS API Reference, SetTopicAttributes.
pub(super) async fn set_attribute(call: Call, input: SetInput) -> Answer<()> {
    let name = topic_of(&call, &input.topic_arn)?;
    call.concerns("AWS::SNS::Topic", name);
    let attribute = (&*input.attribute_name, &*input.attribute_value);
    Ok(handle(&call).set_attribute(call.scope(), name, attribute).await?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    topics: Vec<ArnOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: SNS API Reference, ListTopics.
pub(super) async fn list(call: Call, input: TokenInput) -> Answer<ListOutput> {
    let after = open("ListTopics", input.next_token.as_deref())?;
    let mut names = handle(&call).names(call.scope());
    names.retain(|name| after.as_ref().is_none_or(|after| **name > **after));
    names.truncate(PAGE + 1);
    let next_token = page::cut(&mut names, PAGE).map(|last| page::seal("ListTopics", &**last));
    let arn = |name: &Arc<str>| ArnOutput { topic_arn: call.scope().arn("sns", name) };
    Ok(ListOutput { topics: names.iter().map(arn).collect(), next_token })
}

/// Where a listing goes on.
pub(super) fn open(operation: &str, token: Option<&str>) -> Answer<Option<String>> {
    page::open(operation, token).map_err(|_token| PARAMETER.because("Invalid parameter: NextToken"))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceInput {
    resource_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsOutput {
    tags: Vec<Tag>,
}

fn no_resource(error: TopicError) -> ApiError {
    match error {
        TopicError::NoTopic => NO_RESOURCE.because("Resource does not exist"),
        other => other.into(),
    }
}

/// Source: SNS API Reference, ListTagsForResource.
pub(super) async fn list_tags(call: Call, input: ResourceInput) -> Answer<TagsOutput> {
    let name = topic_of(&call, &input.resource_arn)?;
    let (topic, _) = handle(&call).topic(call.scope(), name).map_err(no_resource)?;
    Ok(TagsOutput { tags: topic.tags })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// A result without members, which the form protocol still writes as an element.
#[derive(Debug, Serialize)]
pub(super) struct Done {}

/// Source: SNS API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<Done> {
    let name = topic_of(&call, &input.resource_arn)?;
    let change = |tags: &mut Vec<Tag>| Tag::set(tags, input.tags);
    handle(&call).change_tags(call.scope(), name, change).await.map_err(no_resource)?;
    Ok(Done {})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// Source: SNS API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<Done> {
    let name = topic_of(&call, &input.resource_arn)?;
    let goes = |tag: &Tag| input.tag_keys.iter().any(|key| **key == *tag.key);
    let change = |tags: &mut Vec<Tag>| tags.retain(|tag| !goes(tag));
    handle(&call).change_tags(call.scope(), name, change).await.map_err(no_resource)?;
    Ok(Done {})
}

//! Queues: made, found, described, changed, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{ATTRIBUTE_NAME, INVALID_PARAMETER, MISSING};
use super::shown::{queue_of, queues, url as url_of, within};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::wire::Flat;

const PAGE: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    queue_name: Arc<str>,
    #[serde(default, alias = "Attribute")]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags", alias = "Tag", alias = "Tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UrlOutput {
    queue_url: String,
}

/// Source: SQS API Reference, CreateQueue.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<UrlOutput> {
    let name = input.queue_name;
    let stem = name.strip_suffix(".fifo").unwrap_or(&name);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if stem.is_empty() || name.len() > 80 || !stem.bytes().all(allowed) {
        let why = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                   length";
        return Err(INVALID_PARAMETER.because(why));
    }
    call.concerns("AWS::SQS::Queue", &name);
    queues(&call).create(call.scope(), &name, &input.attributes, input.tags).await?;
    Ok(UrlOutput { queue_url: url_of(&call, &name) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

/// Source: SQS API Reference, GetQueueUrl.
pub(super) async fn url(call: Call, input: NameInput) -> Answer<UrlOutput> {
    if input.owner.is_some_and(|owner| owner != call.scope().account.as_str()) {
        return Err(MISSING.because("The specified queue does not exist."));
    }
    queues(&call).describe(call.scope(), &input.queue_name)?;
    Ok(UrlOutput { queue_url: url_of(&call, &input.queue_name) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    queue_name_prefix: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_urls: Option<Flat<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: SQS API Reference, ListQueues: no member when there are none; pages only when asked for.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let most = within("MaxResults", input.max_results, (1, 1000))?;
    let limit = most.and_then(|most| usize::try_from(most).ok());
    let after: Option<String> = page::open("ListQueues", input.next_token.as_deref())
        .map_err(|_token| INVALID_PARAMETER.because("Invalid or expired next token."))?;
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let mut names = queues(&call).names(call.scope(), &prefix);
    names.retain(|name| after.as_ref().is_none_or(|after| **name > **after));
    let last = page::cut(&mut names, limit.unwrap_or(PAGE));
    let next_token = last.filter(|_| limit.is_some()).map(|last| page::seal("ListQueues", &**last));
    let urls: Vec<_> = names.iter().map(|name| url_of(&call, name)).collect();
    let queue_urls = (!urls.is_empty()).then(|| Flat::new("$flat:QueueUrl", urls));
    Ok(ListOutput { queue_urls, next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UrlInput {
    queue_url: String,
}

/// Source: SQS API Reference, DeleteQueue.
pub(super) async fn delete(call: Call, input: UrlInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    call.concerns("AWS::SQS::Queue", &name);
    Ok(queues(&call).delete(&scope, &name).await?)
}

/// Source: SQS API Reference, PurgeQueue.
pub(super) async fn purge(call: Call, input: UrlInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    call.concerns("AWS::SQS::Queue", &name);
    Ok(queues(&call).purge(&scope, &name).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesInput {
    queue_url: String,
    #[serde(default, alias = "AttributeName")]
    attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Flat<BTreeMap<String, String>>>,
}

/// What can be asked for.
///
/// Source: SQS service model, QueueAttributeName.
const NAMES: &[&str] = &[
    "All",
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "ApproximateNumberOfMessagesDelayed",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// Source: SQS API Reference, GetQueueAttributes.
pub(super) async fn attributes(call: Call, input: AttributesInput) -> Answer<AttributesOutput> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let (document, [ready, in_flight, delayed]) = queues(&call).describe(&scope, &name)?;
    if let Some(unknown) = input.attribute_names.iter().find(|n| !NAMES.contains(&n.as_str())) {
        return Err(ATTRIBUTE_NAME.because(format!("Unknown Attribute {unknown}.")));
    }
    let mut all: BTreeMap<String, String> = document
        .settings
        .shown()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (attribute, value) in [
        ("QueueArn", scope.arn("sqs", &name)),
        ("ApproximateNumberOfMessages", ready.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ("CreatedTimestamp", document.created.as_secs().to_string()),
        ("LastModifiedTimestamp", document.modified.as_secs().to_string()),
    ] {
        all.insert(attribute.to_owned(), value);
    }
    let wanted = |name: &str| input.attribute_names.iter().any(|w| w == "All" || w == name);
    all.retain(|name, _| wanted(name));
    let attributes = (!all.is_empty()).then(|| Flat::new("$flat:Attribute:Name", all));
    Ok(AttributesOutput { attributes })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetInput {
    queue_url: String,
    #[serde(alias = "Attribute")]
    attributes: BTreeMap<String, String>,
}

/// Source: SQS API Reference, SetQueueAttributes.
pub(super) async fn set_attributes(call: Call, input: SetInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    call.concerns("AWS::SQS::Queue", &name);
    Ok(queues(&call).set_attributes(&scope, &name, &input.attributes).await?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Flat<BTreeMap<String, String>>>,
}

/// Source: SQS API Reference, ListQueueTags.
pub(super) async fn list_tags(call: Call, input: UrlInput) -> Answer<TagsOutput> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let (document, _) = queues(&call).describe(&scope, &name)?;
    let tags = Some(document.tags).filter(|tags| !tags.is_empty());
    Ok(TagsOutput { tags: tags.map(|tags| Flat::new("$flat:Tag:Key", tags)) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    queue_url: String,
    #[serde(alias = "Tag")]
    tags: BTreeMap<String, String>,
}

/// Source: SQS API Reference, TagQueue.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let change = queues(&call).change(&scope, &name, |document| {
        document.tags.extend(input.tags);
        Ok(())
    });
    Ok(change.await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    queue_url: String,
    #[serde(alias = "TagKey")]
    tag_keys: Vec<String>,
}

/// Source: SQS API Reference, UntagQueue.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let change = queues(&call).change(&scope, &name, |document| {
        document.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    });
    Ok(change.await?)
}

#[derive(Debug, Serialize)]
pub(super) struct SourcesOutput {
    #[serde(rename = "queueUrls")]
    queue_urls: Flat<Vec<String>>,
}

/// Source: SQS API Reference, ListDeadLetterSourceQueues; on one page.
pub(super) async fn list_sources(call: Call, input: UrlInput) -> Answer<SourcesOutput> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    queues(&call).describe(&scope, &name)?;
    let arn = scope.arn("sqs", &name);
    let mut urls = Vec::new();
    for source in queues(&call).names(&scope, "") {
        let Ok((document, _)) = queues(&call).describe(&scope, &source) else { continue };
        if document.settings.redrive.is_some_and(|redrive| *redrive.queue == *arn) {
            urls.push(url_of(&call, &source));
        }
    }
    Ok(SourcesOutput { queue_urls: Flat::new("$flat:QueueUrl", urls) })
}

//! Messages: published one by one or in batches.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{EMPTY_BATCH, NOT_DISTINCT, PARAMETER, TOO_MANY, handle, topic_of};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::bus::queue::MessageAttributes;
use crate::bus::topic::TopicMessage;

const ENTRIES_MAX: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishInput {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    message: Arc<str>,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    message_deduplication_id: Option<Arc<str>>,
    message_group_id: Option<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishOutput {
    message_id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// Source: SNS API Reference, Publish. Phones and push endpoints cannot be reached from here.
pub(super) async fn publish(call: Call, input: PublishInput) -> Answer<PublishOutput> {
    if input.phone_number.is_some() {
        let why = "Invalid parameter: PhoneNumber Reason: text messages are not supported here";
        return Err(PARAMETER.because(why));
    }
    let Some(arn) = input.topic_arn.or(input.target_arn) else {
        let why = "Invalid parameter: TopicArn or TargetArn Reason: no value for required \
                   parameter";
        return Err(PARAMETER.because(why));
    };
    let topic = topic_of(&call, &arn)?;
    let message = TopicMessage {
        message: input.message,
        subject: input.subject,
        by_protocol: by_protocol(input.message_structure.as_deref())?,
        attributes: checked(input.message_attributes)?,
        group: input.message_group_id,
        deduplication: input.message_deduplication_id,
    };
    let published = handle(&call).publish(call.scope(), topic, &message).await?;
    Ok(PublishOutput { message_id: published.id, sequence_number: published.sequence })
}

fn by_protocol(structure: Option<&str>) -> Answer<bool> {
    match structure {
        None => Ok(false),
        Some("json") => Ok(true),
        Some(_) => Err(PARAMETER.because("Invalid parameter: MessageStructure")),
    }
}

/// Source: SNS Developer Guide, "Amazon SNS message attributes".
fn checked(attributes: MessageAttributes) -> Answer<MessageAttributes> {
    for (name, value) in &attributes {
        let kind = value.data_type.split('.').next().unwrap_or_default();
        let has_value = value.string_value.is_some() || value.binary_value.is_some();
        if !matches!(kind, "String" | "Number" | "Binary") || !has_value {
            let why = format!(
                "Invalid parameter: The message attribute '{name}' must have a type of String, \
                 Number or Binary and a value of it."
            );
            return Err(PARAMETER.because(why));
        }
    }
    Ok(attributes)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchInput {
    topic_arn: String,
    publish_batch_request_entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    message: Arc<str>,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    message_deduplication_id: Option<Arc<str>>,
    message_group_id: Option<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput {
    successful: Vec<Successful>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Successful {
    id: String,
    message_id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    code: &'static str,
    message: String,
    sender_fault: bool,
}

/// Source: SNS API Reference, PublishBatch.
pub(super) async fn publish_batch(call: Call, input: BatchInput) -> Answer<BatchOutput> {
    let entries = input.publish_batch_request_entries;
    let topic = topic_of(&call, &input.topic_arn)?;
    handle(&call).topic(call.scope(), topic)?;
    if entries.is_empty() {
        return Err(EMPTY_BATCH.because("The batch request doesn't contain any entries."));
    }
    if entries.len() > ENTRIES_MAX {
        let why = "The batch request contains more entries than permissible (more than 10).";
        return Err(TOO_MANY.because(why));
    }
    let distinct: BTreeSet<_> = entries.iter().map(|entry| &entry.id).collect();
    if distinct.len() < entries.len() {
        let why = "Two or more batch entries in the request have the same Id.";
        return Err(NOT_DISTINCT.because(why));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id.clone();
        match one(&call, topic, entry).await {
            Ok(done) => successful.push(done),
            Err(refused) => failed.push(Failed {
                id,
                code: refused.fault.query_code,
                message: refused.message,
                sender_fault: refused.fault.status < 500,
            }),
        }
    }
    Ok(BatchOutput { successful, failed })
}

async fn one(call: &Call, topic: &str, entry: Entry) -> Result<Successful, ApiError> {
    let message = TopicMessage {
        message: entry.message,
        subject: entry.subject,
        by_protocol: by_protocol(entry.message_structure.as_deref())?,
        attributes: checked(entry.message_attributes)?,
        group: entry.message_group_id,
        deduplication: entry.message_deduplication_id,
    };
    let published = handle(call).publish(call.scope(), topic, &message).await?;
    let (message_id, sequence_number) = (published.id, published.sequence);
    Ok(Successful { id: entry.id, message_id, sequence_number })
}

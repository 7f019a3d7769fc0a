//! Messages one by one: sent, received, hidden, deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{CONTENTS, INVALID_PARAMETER};
use super::shown::{ShownMessage, queue_of, queues, within};
use crate::api::call::{Answer, Call};
use crate::api::wire::Flat;
use crate::bus::queue::{AttributeValue, MessageAttributes, NewMessage, Receive};

/// Source: SQS Developer Guide, quotas: attributes of a message.
const ATTRIBUTES_MAX: usize = 10;

/// What a message is sent with, alone or as an entry of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body {
    /// Where it stands alone.
    #[serde(default)]
    queue_url: String,
    /// Where it is an entry.
    #[serde(default)]
    pub(super) id: String,
    message_body: Arc<str>,
    delay_seconds: Option<i64>,
    #[serde(default, alias = "MessageAttribute")]
    message_attributes: MessageAttributes,
    #[serde(default, alias = "MessageSystemAttribute")]
    message_system_attributes: MessageAttributes,
    message_deduplication_id: Option<Arc<str>>,
    message_group_id: Option<Arc<str>>,
}

impl Body {
    /// The message it stands for.
    pub(super) fn message(mut self) -> Answer<NewMessage> {
        if let Some(bad) = self.message_body.chars().find(|c| !is_allowed(*c)) {
            let why = format!("Invalid characters found: #x{:x}", u32::from(bad));
            return Err(CONTENTS.because(why));
        }
        if self.message_attributes.len() > ATTRIBUTES_MAX {
            let why = format!(
                "Number of message attributes [{}] exceeds the allowed maximum [10].",
                self.message_attributes.len()
            );
            return Err(INVALID_PARAMETER.because(why));
        }
        for (name, value) in &self.message_attributes {
            check_attribute(name, value)?;
        }
        let delay = within("DelaySeconds", self.delay_seconds, (0, 900))?;
        let trace = self.message_system_attributes.remove("AWSTraceHeader");
        Ok(NewMessage {
            body: self.message_body,
            attributes: self.message_attributes,
            delay,
            group: self.message_group_id,
            deduplication: self.message_deduplication_id,
            trace_header: trace.and_then(|value| value.string_value).map(Into::into),
        })
    }

    /// Bytes that count towards a batch.
    pub(super) fn len(&self) -> usize {
        self.message_body.len()
    }
}

/// Source: SQS API Reference, SendMessage, `MessageBody`.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        || c >= '\u{10000}'
}

fn check_attribute(name: &str, value: &AttributeValue) -> Answer<()> {
    let kind = value.data_type.split('.').next().unwrap_or_default();
    let refused = |why: String| Err(INVALID_PARAMETER.because(why));
    match (kind, &value.string_value, &value.binary_value) {
        ("", ..) => refused(format!(
            "The message attribute '{name}' must contain a non-empty message attribute type."
        )),
        ("String" | "Number", Some(text), _) if !text.is_empty() => match kind {
            "Number" if text.parse::<f64>().is_err() => refused(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            )),
            _ => Ok(()),
        },
        ("Binary", _, Some(_)) => Ok(()),
        ("String" | "Number" | "Binary", ..) => refused(format!(
            "The message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )),
        _ => refused(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the \
             following supported type prefixes: Binary, Number, String."
        )),
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendOutput {
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    message_id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// Source: SQS API Reference, SendMessage.
pub(super) async fn send(call: Call, input: Body) -> Answer<SendOutput> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    queues(&call).describe(&scope, &name)?;
    let message = input.message()?;
    let sent = queues(&call).send(&scope, &name, vec![message]).await?.into_iter().next();
    let sent = sent.ok_or_else(|| INVALID_PARAMETER.because("no message"))??;
    Ok(SendOutput {
        md5_of_message_body: sent.body_digest,
        md5_of_message_attributes: sent.attributes_digest,
        message_id: sent.id,
        sequence_number: sent.sequence.map(|sequence| sequence.to_string()),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveInput {
    queue_url: String,
    #[serde(default, alias = "AttributeName")]
    attribute_names: Vec<String>,
    #[serde(default, alias = "MessageSystemAttributeName")]
    message_system_attribute_names: Vec<String>,
    #[serde(default, alias = "MessageAttributeName")]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Flat<Vec<ShownMessage>>>,
}

/// Source: SQS API Reference, ReceiveMessage: no member when there is no message.
pub(super) async fn receive(call: Call, input: ReceiveInput) -> Answer<ReceiveOutput> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let limit = within("MaxNumberOfMessages", input.max_number_of_messages, (1, 10))?;
    let asked = Receive {
        limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1),
        visibility: within("VisibilityTimeout", input.visibility_timeout, (0, 43_200))?,
        wait: within("WaitTimeSeconds", input.wait_time_seconds, (0, 20))?,
    };
    let mut system = input.attribute_names;
    system.extend(input.message_system_attribute_names);
    let found = queues(&call).receive(&scope, &name, asked).await?;
    let show = |received| ShownMessage::new(received, &system, &input.message_attribute_names);
    let messages: Vec<_> = found.into_iter().map(show).collect();
    let messages = (!messages.is_empty()).then(|| Flat::new("$flat:Message", messages));
    Ok(ReceiveOutput { messages })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    queue_url: String,
    receipt_handle: String,
}

/// Source: SQS API Reference, DeleteMessage.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let receipts = [input.receipt_handle];
    let deleted = queues(&call).delete_messages(&scope, &name, &receipts).await?;
    Ok(deleted.into_iter().collect::<Result<(), _>>()?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeInput {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: i64,
}

/// Source: SQS API Reference, ChangeMessageVisibility.
pub(super) async fn change(call: Call, input: ChangeInput) -> Answer<()> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    let seconds = within("VisibilityTimeout", Some(input.visibility_timeout), (0, 43_200))?;
    let seconds = seconds.unwrap_or(0);
    Ok(queues(&call).change_visibility((&scope, &name), &input.receipt_handle, seconds)?)
}

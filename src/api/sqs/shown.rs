//! URLs of queues, and messages as the API shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::fault::{INVALID_PARAMETER, MISSING};
use crate::api::call::{Answer, Call};
use crate::api::wire::Flat;
use crate::bus::queue::{MessageAttributes, Queues, Received, digest_of_attributes};
use crate::telemetry::{AccountId, Scope};

/// The queues.
pub(super) fn queues(call: &Call) -> &Queues {
    call.state().bus.queues()
}

/// The URL of a queue: where this server is reached, account and name.
///
/// Source: SQS Developer Guide, "Queue and message identifiers".
pub(super) fn url(call: &Call, name: &str) -> String {
    let host = call.facts().host.as_deref().unwrap_or("localhost");
    format!("http://{host}/{}/{name}", call.scope().account)
}

/// The queue that a URL, or a bare name, names.
pub(super) fn queue_of(call: &Call, url: &str) -> Answer<(Scope, Arc<str>)> {
    if url.is_empty() {
        return Err(MISSING.because("The specified queue does not exist."));
    }
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let name = parts.next().unwrap_or_default();
    let account = parts.next().and_then(|account| AccountId::new(account).ok());
    let account = account.unwrap_or_else(|| call.scope().account.clone());
    if account != call.scope().account {
        return Err(MISSING.because("The specified queue does not exist."));
    }
    Ok((call.scope().clone(), name.into()))
}

/// A received message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShownMessage {
    message_id: Arc<str>,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Flat<BTreeMap<&'static str, String>>>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_attributes: Option<Flat<MessageAttributes>>,
}

impl ShownMessage {
    /// A message with those of its attributes that are wanted.
    pub(super) fn new(received: Received, system: &[String], own: &[String]) -> Self {
        let attributes = system_attributes(&received, system);
        let Received { message, receipt, .. } = received;
        let md5_of_body = message.body_digest();
        let wanted = |name: &str| own.iter().any(|pattern| fits(pattern, name));
        let shown: MessageAttributes =
            message.attributes.into_iter().filter(|(name, _)| wanted(name)).collect();
        let given = |attributes: &BTreeMap<_, _>| !attributes.is_empty();
        Self {
            message_id: message.id,
            receipt_handle: receipt,
            md5_of_body,
            body: message.body,
            attributes: Some(attributes)
                .filter(|attributes| !attributes.is_empty())
                .map(|attributes| Flat::new("$flat:Attribute:Name", attributes)),
            md5_of_message_attributes: digest_of_attributes(&shown),
            message_attributes: Some(shown)
                .filter(given)
                .map(|shown| Flat::new("$flat:MessageAttribute:Name", shown)),
        }
    }
}

/// `All`, `.*`, `prefix.*` or a name.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern {
        "All" | ".*" => true,
        pattern => match pattern.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == name,
        },
    }
}

fn system_attributes(received: &Received, wanted: &[String]) -> BTreeMap<&'static str, String> {
    let Received { message, receives, first_received, .. } = received;
    let mut all = vec![
        ("SenderId", message.sender.to_string()),
        ("SentTimestamp", message.sent.as_millis().to_string()),
        ("ApproximateReceiveCount", receives.to_string()),
        ("ApproximateFirstReceiveTimestamp", first_received.as_millis().to_string()),
    ];
    let mut optional = |name, value: &Option<Arc<str>>| {
        all.extend(value.as_ref().map(|value| (name, value.to_string())));
    };
    optional("MessageGroupId", &message.group);
    optional("MessageDeduplicationId", &message.deduplication);
    optional("AWSTraceHeader", &message.trace_header);
    optional("DeadLetterQueueSourceArn", &message.source);
    if message.group.is_some() {
        all.push(("SequenceNumber", message.sequence.to_string()));
    }
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == "All" || wanted == name);
    all.into_iter().filter(|(name, _)| is_wanted(name)).collect()
}

/// A number inside its range.
pub(super) fn within(
    name: &str,
    value: Option<i64>,
    (least, most): (u32, u32),
) -> Answer<Option<u32>> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value) {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(INVALID_PARAMETER.because(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and \
             {most}, if provided."
        ))),
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Attributes of a message by name.
pub type MessageAttributes = BTreeMap<String, AttributeValue>;

/// A typed value beside a message's body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeValue {
    /// `String`, `Number`, `Binary`, or one of these with a label.
    pub data_type: String,
    /// A text or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Bytes in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl AttributeValue {
    /// A text.
    pub fn text(value: impl Into<String>) -> Self {
        let data_type = "String".to_owned();
        Self { data_type, string_value: Some(value.into()), binary_value: None }
    }
}

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Its body.
    pub body: Arc<str>,
    /// What stands beside it.
    pub attributes: MessageAttributes,
    /// Seconds before it can be received; the queue's own unless given.
    pub delay: Option<u32>,
    /// Its group, in a queue with order.
    pub group: Option<Arc<str>>,
    /// Makes a second message of the same id within five minutes count as the first.
    pub deduplication: Option<Arc<str>>,
    /// Where it was traced.
    pub trace_header: Option<Arc<str>>,
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: Arc<str>,
    /// Its body.
    pub body: Arc<str>,
    /// What stands beside it.
    #[serde(default)]
    pub attributes: MessageAttributes,
    /// When it was sent.
    pub sent: Timestamp,
    /// From when on it can be received.
    pub due: Timestamp,
    /// Its place in the order of the queue.
    pub sequence: u64,
    /// Its group.
    #[serde(default)]
    pub group: Option<Arc<str>>,
    /// Its deduplication id.
    #[serde(default)]
    pub deduplication: Option<Arc<str>>,
    /// Where it was traced.
    #[serde(default)]
    pub trace_header: Option<Arc<str>>,
    /// Who sent it: an account.
    pub sender: Arc<str>,
    /// The queue it was moved from.
    #[serde(default)]
    pub source: Option<Arc<str>>,
}

/// What the sender of a message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message's id.
    pub id: Arc<str>,
    /// MD5 of the body.
    pub body_digest: String,
    /// MD5 of the attributes, where there are any.
    pub attributes_digest: Option<String>,
    /// Its place, in a queue with order.
    pub sequence: Option<u64>,
}

impl Message {
    /// MD5 of the body.
    pub fn body_digest(&self) -> String {
        hex::encode(Md5::digest(self.body.as_bytes()))
    }
}

/// MD5 over attributes, as clients check it.
///
/// Source: SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
pub fn digest_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    let counted = |bytes: &[u8]| -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&length, bytes].concat()
    };
    for (name, value) in attributes {
        digest.update(counted(name.as_bytes()));
        digest.update(counted(value.data_type.as_bytes()));
        if value.data_type.starts_with("Binary") {
            let bytes = STANDARD.decode(value.binary_value.as_deref().unwrap_or_default());
            digest.update([2]);
            digest.update(counted(&bytes.unwrap_or_default()));
        } else {
            digest.update([1]);
            digest.update(counted(value.string_value.as_deref().unwrap_or_default().as_bytes()));
        }
    }
    Some(hex::encode(digest.finalize()))
}

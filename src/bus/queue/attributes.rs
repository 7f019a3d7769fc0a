use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::QueueError;

/// How a queue behaves.
///
/// Source: SQS API Reference, SetQueueAttributes, with its defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// Seconds before a message can be received.
    pub delay: u32,
    /// Largest message in bytes.
    pub message_bytes_max: u32,
    /// Seconds that messages are kept.
    pub retention: u32,
    /// Seconds that a receive waits.
    pub receive_wait: u32,
    /// Seconds that a received message is hidden.
    pub visibility: u32,
    /// Where messages go that are received too often.
    pub redrive: Option<RedrivePolicy>,
    /// Whether order is kept by group.
    pub fifo: bool,
    /// Whether equal bodies are one message.
    pub content_deduplication: bool,
    /// Attributes that are kept as they were given: policies and encryption.
    pub others: BTreeMap<Arc<str>, Arc<str>>,
}

/// Where messages go that are received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrivePolicy {
    /// The queue they go to.
    pub queue: Arc<str>,
    /// How often a message may be received.
    pub receives_max: u32,
    /// The policy as it was given.
    pub text: Arc<str>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            delay: 0,
            message_bytes_max: 1_048_576,
            retention: 345_600,
            receive_wait: 0,
            visibility: 30,
            redrive: None,
            fifo: false,
            content_deduplication: false,
            others: BTreeMap::new(),
        }
    }
}

/// Attributes that change nothing here and are given back as they came.
const KEPT: &[&str] = &[
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedriveAllowPolicy",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

impl QueueSettings {
    /// Sets one attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), QueueError> {
        let number = |name: &'static str, least: u32, most: u32| match value.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(QueueError::AttributeValue { name }),
        };
        match name {
            "DelaySeconds" => self.delay = number("DelaySeconds", 0, 900)?,
            "MaximumMessageSize" => {
                self.message_bytes_max = number("MaximumMessageSize", 1024, 1_048_576)?;
            }
            "MessageRetentionPeriod" => {
                self.retention = number("MessageRetentionPeriod", 60, 1_209_600)?;
            }
            "ReceiveMessageWaitTimeSeconds" => {
                self.receive_wait = number("ReceiveMessageWaitTimeSeconds", 0, 20)?;
            }
            "VisibilityTimeout" => self.visibility = number("VisibilityTimeout", 0, 43_200)?,
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => self.redrive = Some(RedrivePolicy::parse(value)?),
            "FifoQueue" => match value {
                "true" => self.fifo = true,
                _ => return Err(QueueError::AttributeValue { name: "FifoQueue" }),
            },
            "ContentBasedDeduplication" => match value {
                "true" => self.content_deduplication = true,
                "false" => self.content_deduplication = false,
                _ => return Err(QueueError::AttributeValue { name: "ContentBasedDeduplication" }),
            },
            kept if KEPT.contains(&kept) => {
                if value.is_empty() {
                    self.others.remove(kept);
                } else {
                    self.others.insert(kept.into(), value.into());
                }
            }
            unknown => return Err(QueueError::AttributeName { name: unknown.into() }),
        }
        Ok(())
    }

    /// The attributes that can be set, as they are shown.
    pub fn shown(&self) -> Vec<(&str, String)> {
        let mut shown = vec![
            ("VisibilityTimeout", self.visibility.to_string()),
            ("MaximumMessageSize", self.message_bytes_max.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("DelaySeconds", self.delay.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.receive_wait.to_string()),
        ];
        if let Some(redrive) = &self.redrive {
            shown.push(("RedrivePolicy", redrive.text.to_string()));
        }
        if self.fifo {
            shown.push(("FifoQueue", "true".to_owned()));
            shown.push(("ContentBasedDeduplication", self.content_deduplication.to_string()));
        }
        for (name, default) in
            [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")]
        {
            if self.fifo && !self.others.contains_key(name) {
                shown.push((name, default.to_owned()));
            }
        }
        if !self.others.contains_key("KmsMasterKeyId")
            && !self.others.contains_key("SqsManagedSseEnabled")
        {
            shown.push(("SqsManagedSseEnabled", "true".to_owned()));
        }
        shown.extend(self.others.iter().map(|(name, value)| (&**name, value.to_string())));
        shown
    }

    /// The first attribute of `wanted` that is different here.
    pub(super) fn difference(
        &self,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Option<&'static str>, QueueError> {
        let mut changed = self.clone();
        for (name, value) in wanted {
            changed.set(name, value)?;
            if changed != *self {
                return Ok(Some(known_name(name)));
            }
        }
        Ok(None)
    }
}

fn known_name(name: &str) -> &'static str {
    const SET: &[&str] = &[
        "DelaySeconds",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "VisibilityTimeout",
        "RedrivePolicy",
        "FifoQueue",
        "ContentBasedDeduplication",
    ];
    SET.iter().chain(KEPT).find(|known| **known == name).copied().unwrap_or("Attributes")
}

impl RedrivePolicy {
    fn parse(text: &str) -> Result<Self, QueueError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: Arc<str>,
            max_receive_count: Count,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Count {
            Number(u32),
            Text(String),
        }
        let refused = || QueueError::AttributeValue { name: "RedrivePolicy" };
        let policy: Policy = serde_json::from_str(text).map_err(|_fault| refused())?;
        let receives_max = match policy.max_receive_count {
            Count::Number(number) => number,
            Count::Text(text) => text.parse().map_err(|_fault| refused())?,
        };
        if !(1..=1000).contains(&receives_max) {
            return Err(refused());
        }
        Ok(Self { queue: policy.dead_letter_target_arn, receives_max, text: text.into() })
    }
}

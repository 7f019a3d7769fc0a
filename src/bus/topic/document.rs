use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TopicError;
use super::publish::TopicMessage;
use crate::bus::rule::Tag;
use crate::pattern::EventPattern;
use crate::time::Timestamp;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Attributes that were set, by AWS's names.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was made.
    pub created: Timestamp,
}

/// Topic attributes that can be set.
const TOPIC_ATTRIBUTES: &[&str] = &[
    "DisplayName",
    "Policy",
    "DeliveryPolicy",
    "KmsMasterKeyId",
    "FifoTopic",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "SignatureVersion",
    "TracingConfig",
    "ArchivePolicy",
    "HTTPSuccessFeedbackRoleArn",
    "HTTPSuccessFeedbackSampleRate",
    "HTTPFailureFeedbackRoleArn",
    "SQSSuccessFeedbackRoleArn",
    "SQSSuccessFeedbackSampleRate",
    "SQSFailureFeedbackRoleArn",
    "LambdaSuccessFeedbackRoleArn",
    "LambdaSuccessFeedbackSampleRate",
    "LambdaFailureFeedbackRoleArn",
];

impl Topic {
    /// Sets one attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), TopicError> {
        if !TOPIC_ATTRIBUTES.contains(&name) {
            return Err(TopicError::parameter("AttributeName"));
        }
        self.attributes.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Whether it keeps order.
    pub fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    /// Whether equal messages are one.
    pub(super) fn deduplicates_content(&self) -> bool {
        self.attributes.get("ContentBasedDeduplication").is_some_and(|value| value == "true")
    }
}

/// How a subscription is delivered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// A queue.
    Sqs,
    /// A POST.
    Http,
    /// A POST over TLS.
    Https,
    /// A mail with the message.
    Email,
    /// A mail with the envelope.
    EmailJson,
    /// A configured function.
    Lambda,
}

impl Protocol {
    /// The protocol called `name`.
    ///
    /// Differs: text messages, push notifications and Firehose cannot be reached from here, so they
    /// are refused, by name.
    pub(super) fn parse(name: &str) -> Result<Self, TopicError> {
        Ok(match name {
            "sqs" => Self::Sqs,
            "http" => Self::Http,
            "https" => Self::Https,
            "email" => Self::Email,
            "email-json" => Self::EmailJson,
            "lambda" => Self::Lambda,
            "sms" | "application" | "firehose" => {
                let reason = format!("Amazon SNS protocol {name} is not supported here");
                return Err(TopicError::parameter(reason));
            }
            _ => {
                let reason = format!("Amazon SNS does not support this protocol string: {name}");
                return Err(TopicError::parameter(reason));
            }
        })
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Lambda => "lambda",
        }
    }

    /// Whether the receiver must say that it wants the messages.
    pub(super) const fn must_confirm(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

/// A subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// How it is delivered to.
    pub protocol: Protocol,
    /// Where: an ARN, a URL or an address.
    pub endpoint: Arc<str>,
    /// Attributes that were set, by AWS's names.
    pub attributes: BTreeMap<String, String>,
    /// What the receiver must give back; none once it has.
    pub token: Option<Arc<str>>,
}

const SUBSCRIPTION_ATTRIBUTES: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
];

impl Subscription {
    /// Sets one attribute; an empty value takes it back.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), TopicError> {
        if !SUBSCRIPTION_ATTRIBUTES.contains(&name) {
            return Err(TopicError::parameter("AttributeName"));
        }
        let refused = |why: &str| Err(TopicError::parameter(format!("{name}: {why}")));
        match name {
            _ if value.is_empty() => {
                self.attributes.remove(name);
                return Ok(());
            }
            "RawMessageDelivery" if !matches!(value, "true" | "false") => {
                return refused(&format!("Invalid value [{value}]. Must be true or false."));
            }
            "FilterPolicyScope" if !matches!(value, "MessageAttributes" | "MessageBody") => {
                return refused("Invalid value. Must be MessageAttributes or MessageBody.");
            }
            "FilterPolicy" => match serde_json::from_str::<Value>(value) {
                Ok(Value::Object(fields)) if fields.is_empty() => {}
                Ok(Value::Object(_)) => {
                    if let Err(fault) = EventPattern::parse(value) {
                        return refused(&fault.reason.to_string());
                    }
                }
                _ => return refused("failed to parse JSON."),
            },
            "RedrivePolicy" if redrive_queue(value).is_none() => {
                return refused("deadLetterTargetArn is not an SQS queue.");
            }
            _ => {}
        }
        self.attributes.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Whether messages are sent as they are.
    pub(in crate::bus) fn is_raw(&self) -> bool {
        self.attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true")
    }

    /// The queue for what cannot be delivered.
    pub(super) fn dead_letter(&self) -> Option<Arc<str>> {
        self.attributes.get("RedrivePolicy").and_then(|policy| redrive_queue(policy))
    }

    /// Whether its filter takes a message.
    ///
    /// Source: SNS Developer Guide, "Amazon SNS subscription filter policies". The filters' own
    /// operators are those of event patterns, so the same engine matches them.
    pub(super) fn wants(&self, message: &TopicMessage) -> bool {
        let Some(policy) = self.attributes.get("FilterPolicy") else { return true };
        let Ok(pattern) = EventPattern::parse(policy) else {
            // Only an empty policy is kept without being a pattern.
            return true;
        };
        let by_body = self.attributes.get("FilterPolicyScope").is_some_and(|s| s == "MessageBody");
        if by_body {
            let body = serde_json::from_str::<Value>(&message.message);
            return body.is_ok_and(|body| body.is_object() && pattern.matches(&body));
        }
        pattern.matches(&Value::Object(message.filterable()))
    }
}

fn redrive_queue(policy: &str) -> Option<Arc<str>> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let arn = policy.get("deadLetterTargetArn")?.as_str()?;
    crate::bus::queue::Queues::of_arn(arn).map(|_| arn.into())
}

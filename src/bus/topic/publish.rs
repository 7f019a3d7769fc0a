use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::{Protocol, Subscription};
use super::{TopicError, Topics};
use crate::bus::deliver::{Delivery, Receiver};
use crate::bus::queue::MessageAttributes;
use crate::bus::rule::RetrySettings;
use crate::store::SortKey;
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Source: SNS Developer Guide, quotas: bytes of a message.
const MESSAGE_BYTES_MAX: usize = 262_144;

/// A message to a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicMessage {
    /// What is said.
    pub message: Arc<str>,
    /// What stands above it in mails.
    pub subject: Option<String>,
    /// Whether `message` is an object with a text for each protocol.
    pub by_protocol: bool,
    /// What stands beside it.
    pub attributes: MessageAttributes,
    /// Its group, in a topic with order.
    pub group: Option<Arc<str>>,
    /// Its deduplication id.
    pub deduplication: Option<Arc<str>>,
}

/// What a publisher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The message's id.
    pub id: Arc<str>,
    /// Its place, in a topic with order.
    pub sequence: Option<String>,
}

/// What a subscription is owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bus) struct SubscriptionReceiver {
    /// The subscription's ARN.
    pub(in crate::bus) arn: Arc<str>,
    /// The topic's ARN.
    pub(in crate::bus) topic: Arc<str>,
    pub(in crate::bus) protocol: Protocol,
    pub(in crate::bus) endpoint: Arc<str>,
    pub(in crate::bus) raw: bool,
    /// `Notification` or `SubscriptionConfirmation`.
    pub(in crate::bus) kind: Arc<str>,
    pub(in crate::bus) message_id: Arc<str>,
    pub(in crate::bus) subject: Option<String>,
    /// Attributes that a queue gets of a raw message.
    pub(in crate::bus) attributes: MessageAttributes,
    pub(in crate::bus) group: Option<Arc<str>>,
    pub(in crate::bus) deduplication: Option<Arc<str>>,
}

impl TopicMessage {
    /// The attributes as a filter sees them.
    pub(super) fn filterable(&self) -> Map<String, Value> {
        let value = |(name, value): (&String, &crate::bus::queue::AttributeValue)| {
            let text = value.string_value.as_deref().unwrap_or_default();
            let seen = match value.data_type.split('.').collect::<Vec<_>>().as_slice() {
                ["Number", ..] => serde_json::from_str(text).unwrap_or(Value::Null),
                ["String", "Array"] => serde_json::from_str(text).unwrap_or(Value::Null),
                ["String", ..] => Value::String(text.to_owned()),
                _ => return None,
            };
            Some((name.clone(), seen))
        };
        self.attributes.iter().filter_map(value).collect()
    }

    fn check(&self, is_fifo: bool, deduplicates: bool) -> Result<(), TopicError> {
        if self.message.is_empty() {
            return Err(TopicError::parameter("Empty message"));
        }
        if self.message.len() > MESSAGE_BYTES_MAX {
            return Err(TopicError::parameter("Message too long"));
        }
        if self.subject.as_ref().is_some_and(|s| s.is_empty() || s.chars().count() > 100) {
            return Err(TopicError::parameter("Subject"));
        }
        if self.by_protocol {
            let texts: BTreeMap<String, Value> =
                serde_json::from_str(&self.message).map_err(|_fault| {
                    TopicError::parameter("Message Structure - JSON message body failed to parse")
                })?;
            if !texts.get("default").is_some_and(Value::is_string) {
                let reason = "Message Structure - No default entry in JSON message body";
                return Err(TopicError::parameter(reason));
            }
        }
        match (is_fifo, &self.group) {
            (true, None) => {
                let reason = "The MessageGroupId parameter is required for FIFO topics";
                Err(TopicError::parameter(reason))
            }
            (true, Some(_)) if self.deduplication.is_none() && !deduplicates => {
                let reason = "The topic should either have ContentBasedDeduplication enabled or \
                              MessageDeduplicationId provided explicitly";
                Err(TopicError::parameter(reason))
            }
            _ => Ok(()),
        }
    }

    /// The text for one protocol.
    fn text_for(&self, protocol: Protocol) -> Arc<str> {
        if !self.by_protocol {
            return Arc::clone(&self.message);
        }
        let texts: BTreeMap<String, Value> =
            serde_json::from_str(&self.message).unwrap_or_default();
        let text = texts.get(protocol.as_str()).or_else(|| texts.get("default"));
        text.and_then(Value::as_str).map_or_else(|| Arc::clone(&self.message), Into::into)
    }
}

impl Topics {
    /// Publishes a message: what it owes every subscription is durable once this answers.
    ///
    /// Errors: `NoTopic`, `Parameter`; the store's.
    pub async fn publish(
        &self,
        scope: &Scope,
        topic: &str,
        message: &TopicMessage,
    ) -> Result<Published, TopicError> {
        let (topic, subscriptions) = self.topic(scope, topic)?;
        message.check(topic.is_fifo(), topic.deduplicates_content())?;
        let at = self.clock.now();
        let id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let arn: Arc<str> = scope.arn("sns", &topic.name).into();
        let sequence = topic.is_fifo().then(|| self.next_sequence(at));
        let wanting = subscriptions
            .iter()
            .filter(|subscription| subscription.token.is_none() && subscription.wants(message));
        let owed = wanting
            .map(|subscription| {
                let text = message.text_for(subscription.protocol);
                let payload = match subscription.is_raw() {
                    true => Arc::clone(&text),
                    false => {
                        let facts = (&arn, &id, at);
                        self.notification(facts, subscription, message, &text).to_string().into()
                    }
                };
                let receiver = receiver(subscription, message, (&arn, &id));
                delivery(subscription, receiver, payload, at)
            })
            .collect();
        let following = self.router.following(scope, owed);
        let batch = TelemetryBatch::new(scope.clone());
        self.store.append_with(batch, following.changes).await?;
        following.taken.into_iter().for_each(|taken| taken());
        Ok(Published { id, sequence })
    }

    /// The envelope of a message.
    ///
    /// Source: SNS Developer Guide, "HTTP/HTTPS notification JSON format".
    /// Differs: nothing signs it, since nobody here holds AWS's key; the members are empty.
    fn notification(
        &self,
        (topic, id, at): (&Arc<str>, &Arc<str>, Timestamp),
        subscription: &Subscription,
        message: &TopicMessage,
        text: &str,
    ) -> Value {
        let base = self.link_base.as_deref().unwrap_or_default();
        let mut envelope = json!({"Type": "Notification", "MessageId": id, "TopicArn": topic});
        let unsubscribe = format!(
            "{base}/sns/?Action=Unsubscribe&SubscriptionArn={}&Version=2010-03-31",
            subscription.arn
        );
        let rest = json!({
            "Subject": message.subject,
            "Message": text,
            "Timestamp": millis(at),
            "SignatureVersion": "1",
            "Signature": "",
            "SigningCertURL": "",
            "UnsubscribeURL": unsubscribe,
        });
        if let (Value::Object(envelope), Value::Object(rest)) = (&mut envelope, rest) {
            envelope.extend(rest.into_iter().filter(|(_, value)| !value.is_null()));
            if !message.attributes.is_empty() {
                let shown = message.attributes.iter().map(|(name, value)| {
                    let text = value.string_value.as_ref().or(value.binary_value.as_ref());
                    (name.clone(), json!({"Type": value.data_type, "Value": text}))
                });
                envelope.insert("MessageAttributes".to_owned(), Value::Object(shown.collect()));
            }
        }
        envelope
    }

    /// What asks a receiver whether it wants the messages.
    ///
    /// Source: SNS Developer Guide, "HTTP/HTTPS subscription confirmation JSON format".
    pub(super) fn confirmation(&self, scope: &Scope, subscription: &Subscription) -> Delivery {
        let at = self.clock.now();
        let id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let arn: Arc<str> = scope.arn("sns", &subscription.topic).into();
        let token = subscription.token.as_deref().unwrap_or_default();
        let base = self.link_base.as_deref().unwrap_or_default();
        let url = format!("{base}/sns/?Action=ConfirmSubscription&TopicArn={arn}&Token={token}");
        let payload = json!({
            "Type": "SubscriptionConfirmation",
            "MessageId": id,
            "Token": token,
            "TopicArn": arn,
            "Message": format!("You have chosen to subscribe to the topic {arn}.\nTo confirm the \
                                subscription, visit the SubscribeURL included in this message."),
            "SubscribeURL": format!("{url}&Version=2010-03-31"),
            "Timestamp": millis(at),
            "SignatureVersion": "1",
            "Signature": "",
            "SigningCertURL": "",
        });
        let message = TopicMessage::default();
        let kind = "SubscriptionConfirmation".into();
        let receiver = SubscriptionReceiver {
            kind,
            raw: false,
            ..receiver(subscription, &message, (&arn, &id))
        };
        delivery(subscription, receiver, payload.to_string().into(), at)
    }
}

fn receiver(
    subscription: &Subscription,
    message: &TopicMessage,
    (topic, id): (&Arc<str>, &Arc<str>),
) -> SubscriptionReceiver {
    let raw = subscription.is_raw();
    SubscriptionReceiver {
        arn: Arc::clone(&subscription.arn),
        topic: Arc::clone(topic),
        protocol: subscription.protocol,
        endpoint: Arc::clone(&subscription.endpoint),
        raw,
        kind: "Notification".into(),
        message_id: Arc::clone(id),
        subject: message.subject.clone(),
        attributes: if raw { message.attributes.clone() } else { MessageAttributes::new() },
        group: message.group.clone(),
        deduplication: message.deduplication.clone(),
    }
}

fn delivery(
    subscription: &Subscription,
    receiver: SubscriptionReceiver,
    payload: Arc<str>,
    at: Timestamp,
) -> Delivery {
    /// Source: SNS Developer Guide, "Amazon SNS message delivery retries", customer-managed
    /// endpoints.
    const ATTEMPTS: i64 = 50;
    Delivery {
        id: SortKey::at(at, uuid::Uuid::new_v4()).as_str().into(),
        came: at,
        payload,
        event: None,
        owner: Arc::clone(&subscription.arn),
        dead_letter: subscription.dead_letter(),
        retry: RetrySettings {
            maximum_retry_attempts: Some(ATTEMPTS),
            maximum_event_age_in_seconds: None,
        },
        to: Receiver::Subscription(Box::new(receiver)),
        attempts: 0,
        fault: None,
    }
}

/// `2026-01-02T03:04:05.678Z`, always with milliseconds.
fn millis(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    match text.strip_suffix('Z') {
        Some(whole) if !whole.contains('.') => format!("{whole}.000Z"),
        _ => text,
    }
}

//! Carries one delivery to its receiver, once, and says how that went.
//!
//! Main type: [`Carrier`]. When to try again is `deliver`'s business.

mod api_destination;
mod event_bus;
mod function;
mod http;
mod log_group;
mod queue;
mod stream;
mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::bus) use self::api_destination::Destinations;
pub(in crate::bus) use self::function::name_of as function_name;
use super::deliver::{Delivery, Fault, Receiver};
use super::queue::{AttributeValue, MessageAttributes, NewMessage, Queues};
use super::rule::Target;
use super::topic::{TopicError, TopicMessage, Topics};
use crate::notify::{CommandSettings, Notifier};
use crate::store::Store;
use crate::telemetry::Scope;
use crate::time::Clock;

/// What carries.
#[derive(Debug)]
pub(in crate::bus) struct Carrier {
    pub(in crate::bus) store: Store,
    pub(in crate::bus) queues: Queues,
    pub(in crate::bus) topics: Topics,
    pub(in crate::bus) notifier: Notifier,
    /// The commands of functions, by name or ARN.
    pub(in crate::bus) functions: BTreeMap<Arc<str>, CommandSettings>,
    pub(in crate::bus) destinations: Destinations,
    pub(in crate::bus) clock: Arc<dyn Clock>,
}

/// How one attempt went.
#[derive(Debug)]
pub(in crate::bus) enum Carried {
    /// The receiver has it.
    Done,
    /// It may have it or not; to be tried again.
    Later {
        /// Why.
        fault: Fault,
        /// Not before this long, when the receiver said so.
        after: Option<Duration>,
    },
    /// It will never take it.
    Never(Fault),
}

impl Carried {
    fn later(code: &str, message: impl Into<String>) -> Self {
        Self::Later { fault: Fault::new(code, message), after: None }
    }

    fn never(code: &str, message: impl Into<String>) -> Self {
        Self::Never(Fault::new(code, message))
    }
}

impl Carrier {
    /// Carries a delivery once.
    ///
    /// Cancel safety: the receiver may have it or not.
    pub(in crate::bus) async fn carry(&self, scope: &Scope, delivery: &Delivery) -> Carried {
        match &delivery.to {
            Receiver::Target(target) => self.to_target(scope, target, delivery).await,
            Receiver::Subscription(to) => subscription::deliver(self, scope, to, delivery).await,
        }
    }

    async fn to_target(&self, scope: &Scope, target: &Target, delivery: &Delivery) -> Carried {
        match target.service() {
            Some("sqs") => queue::send(self, target, delivery).await,
            Some("logs") => log_group::write(self, target, delivery).await,
            Some("events") if target.arn.contains(":event-bus/") => {
                event_bus::put(self, scope, target, delivery).await
            }
            Some("events") if target.arn.contains(":api-destination/") => {
                api_destination::call(self, scope, target, delivery).await
            }
            Some("lambda") => function::call(self, scope, &target.arn, delivery).await,
            Some("firehose" | "kinesis") => stream::put(self, target, delivery).await,
            Some("sns") => self.to_topic(target, delivery).await,
            service => {
                let service = service.unwrap_or("unknown");
                let why = format!("targets of service {service} cannot be reached from here");
                Carried::never("NO_RESOURCE", why)
            }
        }
    }

    async fn to_topic(&self, target: &Target, delivery: &Delivery) -> Carried {
        let Some((scope, topic)) = super::handle::in_arn(&target.arn, "sns") else {
            return Carried::never("NO_RESOURCE", format!("{} is no topic", target.arn));
        };
        let message = Arc::clone(&delivery.payload);
        let message = TopicMessage { message, ..TopicMessage::default() };
        match self.topics.publish(&scope, topic, &message).await {
            Ok(_) => Carried::Done,
            Err(TopicError::NoTopic) => {
                Carried::never("NO_RESOURCE", format!("{} does not exist", target.arn))
            }
            Err(error @ TopicError::Parameter { .. }) => {
                Carried::never("INVALID_PARAMETER", error.to_string())
            }
            Err(error) => Carried::later("THROTTLING", error.to_string()),
        }
    }

    /// Puts what could not be delivered into its dead-letter queue, where it has one.
    ///
    /// Source: EventBridge User Guide, "Using dead-letter queues to process undelivered events".
    pub(in crate::bus) async fn bury(
        &self,
        delivery: &Delivery,
        (fault, exhausted): (&Fault, Option<&str>),
    ) -> Result<(), String> {
        let Some(arn) = &delivery.dead_letter else { return Ok(()) };
        let mut attributes = MessageAttributes::new();
        let mut tell = |name: &str, value: String| {
            attributes.insert(name.to_owned(), AttributeValue::text(value));
        };
        tell("RULE_ARN", delivery.owner.to_string());
        tell("TARGET_ARN", delivery.to.name().to_string());
        tell("ERROR_CODE", fault.code.clone());
        tell("ERROR_MESSAGE", fault.message.clone());
        if let Some(exhausted) = exhausted {
            tell("EXHAUSTED_RETRY_CONDITION", exhausted.to_owned());
        }
        tell("RETRY_ATTEMPTS", delivery.attempts.to_string());
        let body = Arc::clone(delivery.event.as_ref().unwrap_or(&delivery.payload));
        let message = NewMessage { body, attributes, ..NewMessage::default() };
        let Some((queue_scope, name)) = Queues::of_arn(arn) else {
            return Err(format!("{arn} is no queue"));
        };
        match self.queues.send(&queue_scope, &name, vec![message]).await {
            Ok(sent) => match sent.into_iter().next() {
                Some(Err(refused)) => Err(refused.to_string()),
                _ => Ok(()),
            },
            Err(error) => Err(error.to_string()),
        }
    }
}

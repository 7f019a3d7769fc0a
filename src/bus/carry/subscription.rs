use std::sync::Arc;
use std::time::Duration;

use reqwest::header;

use super::{Carried, Carrier, http, queue};
use crate::bus::deliver::Delivery;
use crate::bus::queue::NewMessage;
use crate::bus::topic::{Protocol, SubscriptionReceiver};
use crate::notify::DeliveryOutcome;
use crate::telemetry::Scope;

/// How long a receiver has to answer.
///
/// Source: SNS Developer Guide, "Amazon SNS message delivery retries".
const TIMEOUT: Duration = Duration::from_secs(15);

/// Delivers a topic's message to a subscription.
pub(super) async fn deliver(
    carrier: &Carrier,
    scope: &Scope,
    to: &SubscriptionReceiver,
    delivery: &Delivery,
) -> Carried {
    match to.protocol {
        Protocol::Sqs => {
            let message = NewMessage {
                body: Arc::clone(&delivery.payload),
                attributes: to.attributes.clone(),
                group: to.group.clone(),
                deduplication: to
                    .deduplication
                    .clone()
                    .or_else(|| to.group.as_ref().map(|_| Arc::clone(&to.message_id))),
                ..NewMessage::default()
            };
            queue::send_message(carrier, &to.endpoint, message).await
        }
        Protocol::Http | Protocol::Https => post(carrier, to, delivery).await,
        Protocol::Email | Protocol::EmailJson => mail(carrier, to, delivery).await,
        Protocol::Lambda => super::function::call(carrier, scope, &to.endpoint, delivery).await,
    }
}

/// Source: SNS Developer Guide, "HTTP/HTTPS headers".
async fn post(carrier: &Carrier, to: &SubscriptionReceiver, delivery: &Delivery) -> Carried {
    let mut request = carrier
        .notifier
        .http()
        .post(&*to.endpoint)
        .header("x-amz-sns-message-type", &*to.kind)
        .header("x-amz-sns-message-id", &*to.message_id)
        .header("x-amz-sns-topic-arn", &*to.topic)
        .header(header::CONTENT_TYPE, "text/plain; charset=UTF-8")
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent");
    if &*to.kind == "Notification" {
        request = request.header("x-amz-sns-subscription-arn", &*to.arn);
    }
    if to.raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    let request = request.body(delivery.payload.to_string());
    let answered = http::send(carrier, request, TIMEOUT).await;
    match answered {
        Ok((status, after)) => http::judge(status, after),
        Err(carried) => carried,
    }
}

async fn mail(carrier: &Carrier, to: &SubscriptionReceiver, delivery: &Delivery) -> Carried {
    let subject = to.subject.as_deref().unwrap_or("AWS Notification Message");
    let text = match to.protocol {
        Protocol::EmailJson => delivery.payload.to_string(),
        _ => {
            let envelope = serde_json::from_str::<serde_json::Value>(&delivery.payload);
            let message = envelope.ok().and_then(|e| Some(e.get("Message")?.as_str()?.to_owned()));
            message.unwrap_or_else(|| delivery.payload.to_string())
        }
    };
    outcome(carrier.notifier.mail(&to.endpoint, subject, &text).await)
}

/// What a notification's outcome is for a delivery.
pub(super) fn outcome(outcome: DeliveryOutcome) -> Carried {
    match outcome {
        DeliveryOutcome::Delivered => Carried::Done,
        DeliveryOutcome::Retry { after, fault } => Carried::Later {
            fault: crate::bus::deliver::Fault::new("SDK_CLIENT_ERROR", fault.in_full()),
            after,
        },
        DeliveryOutcome::Rejected { fault } => Carried::never("NO_RESOURCE", fault.in_full()),
    }
}

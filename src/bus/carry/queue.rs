use std::sync::Arc;

use super::{Carried, Carrier};
use crate::bus::deliver::Delivery;
use crate::bus::queue::{NewMessage, QueueError, Queues};
use crate::bus::rule::Target;

/// Sends to a queue.
pub(super) async fn send(carrier: &Carrier, target: &Target, delivery: &Delivery) -> Carried {
    let parameters = target.sqs_parameters.as_ref();
    let group = parameters.and_then(|parameters| parameters.message_group_id.clone());
    let deduplication = group.as_ref().map(|_| Arc::clone(&delivery.id));
    let message = NewMessage {
        body: Arc::clone(&delivery.payload),
        group,
        deduplication,
        ..NewMessage::default()
    };
    send_message(carrier, &target.arn, message).await
}

/// Sends a message to the queue of an ARN.
pub(super) async fn send_message(carrier: &Carrier, arn: &str, message: NewMessage) -> Carried {
    let Some((scope, name)) = Queues::of_arn(arn) else {
        return Carried::never("NO_RESOURCE", format!("{arn} is no queue"));
    };
    let sent = carrier.queues.send(&scope, &name, vec![message]).await;
    let refused = match sent {
        Ok(answers) => answers.into_iter().find_map(Result::err),
        Err(error) => Some(error),
    };
    match refused {
        None => Carried::Done,
        Some(QueueError::Missing) => {
            Carried::never("NO_RESOURCE", format!("The specified queue does not exist: {arn}"))
        }
        Some(error @ (QueueError::Append(_) | QueueError::Read(_) | QueueError::Full { .. })) => {
            Carried::later("THROTTLING", error.to_string())
        }
        Some(error) => Carried::never("SDK_CLIENT_ERROR", error.to_string()),
    }
}

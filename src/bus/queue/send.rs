use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::book::{Queue, Queues, sort_key};
use super::message::{Message, NewMessage, Sent, digest_of_attributes};
use super::{QueueError, QueueSettings};
use crate::bus::kind;
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

/// So many messages a queue may hold; each costs some 200 bytes of memory.
const MESSAGES_MAX: usize = 1_000_000;

impl Queues {
    /// Sends messages; they are durable once this answers. Each is taken or refused on its own.
    ///
    /// Errors: `Missing` for the queue; the store's. What is wrong with one message stands in its
    /// place of the answer.
    pub async fn send(
        &self,
        scope: &Scope,
        name: &str,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Result<Sent, QueueError>>, QueueError> {
        let queue = self.queue(scope, name)?;
        let settings = queue.document().settings;
        let _order = match settings.fifo {
            true => Some(queue.order.acquire().await),
            false => None,
        };
        let now = self.clock.now();
        let mut changes = ResourceChanges::new();
        let (mut answers, mut new) = (Vec::with_capacity(messages.len()), Vec::new());
        for message in messages {
            let message = match check(message, &settings) {
                Ok(message) => message,
                Err(refused) => {
                    answers.push(Err(refused));
                    continue;
                }
            };
            let kept = self.place(&queue, &settings, message);
            answers.push(kept.map(|(sent, kept)| {
                new.extend(kept);
                sent
            }));
        }
        for message in &new {
            let key = sort_key(message.sequence);
            changes = changes.put_row(kind::MESSAGE, name, key, message)?;
        }
        if !changes.is_empty() {
            self.store.resources().apply(scope, changes).await?;
        }
        let mut shelf = queue.shelf();
        new.iter().for_each(|message| shelf.add(message, now));
        drop(shelf);
        queue.news.notify_waiters();
        Ok(answers)
    }

    /// Gives a message its id and place; none when it repeats another.
    fn place(
        &self,
        queue: &Queue,
        settings: &QueueSettings,
        message: NewMessage,
    ) -> Result<(Sent, Option<Message>), QueueError> {
        let now = self.clock.now();
        let attributes_digest = digest_of_attributes(&message.attributes);
        let mut shelf = queue.shelf();
        // BOUND: a full queue refuses; memory does not grow.
        if shelf.len() >= MESSAGES_MAX {
            return Err(QueueError::Full { messages_max: MESSAGES_MAX });
        }
        let repeated = message.deduplication.as_ref().and_then(|id| shelf.repeated(id, now));
        let sequence = shelf.next_sequence(now);
        drop(shelf);
        let delay = message.delay.unwrap_or(settings.delay);
        let kept = Message {
            id: uuid::Uuid::new_v4().to_string().into(),
            body: message.body,
            attributes: message.attributes,
            sent: now,
            due: now.plus_millis(i64::from(delay) * 1000),
            sequence,
            group: message.group,
            deduplication: message.deduplication,
            trace_header: message.trace_header,
            sender: queue.scope.account.as_str().into(),
            source: None,
        };
        let body_digest = kept.body_digest();
        let sent = |id: Arc<str>, sequence: u64| Sent {
            id,
            body_digest,
            attributes_digest,
            sequence: settings.fifo.then_some(sequence),
        };
        Ok(match repeated {
            Some((id, sequence)) => (sent(id, sequence), None),
            None => (sent(Arc::clone(&kept.id), sequence), Some(kept)),
        })
    }
}

/// Refuses what the queue does not take, and fills in the deduplication id.
fn check(mut message: NewMessage, settings: &QueueSettings) -> Result<NewMessage, QueueError> {
    let attributes = message.attributes.iter().map(|(name, value)| {
        let texts = [&value.string_value, &value.binary_value];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        name.len() + value.data_type.len() + texts
    });
    let bytes = message.body.len() + attributes.sum::<usize>();
    if bytes > usize::try_from(settings.message_bytes_max).unwrap_or(usize::MAX) {
        let reason = "One or more parameters are invalid. Reason: Message must be shorter than \
                      the queue's MaximumMessageSize.";
        return Err(QueueError::Parameter { reason });
    }
    if message.body.is_empty() {
        return Err(QueueError::MissingParameter { name: "MessageBody" });
    }
    if message.delay.is_some_and(|delay| delay > 900) {
        let reason = "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be \
                      >= 0 and <= 900.";
        return Err(QueueError::Parameter { reason });
    }
    if !settings.fifo {
        return Ok(message);
    }
    if message.group.is_none() {
        return Err(QueueError::MissingParameter { name: "MessageGroupId" });
    }
    if message.delay.is_some_and(|delay| delay > 0) {
        let reason = "Value for parameter DelaySeconds is invalid. Reason: The request include \
                      parameter that is not valid for this queue type.";
        return Err(QueueError::Parameter { reason });
    }
    if message.deduplication.is_none() {
        if !settings.content_deduplication {
            let reason = "The queue should either have ContentBasedDeduplication enabled or \
                          MessageDeduplicationId provided explicitly";
            return Err(QueueError::Parameter { reason });
        }
        let digest = Sha256::digest(message.body.as_bytes());
        message.deduplication = Some(hex::encode(digest).into());
    }
    Ok(message)
}

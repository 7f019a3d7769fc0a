use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::book::{Queue, Queues, sort_key};
use super::message::Message;
use super::shelf::Taken;
use super::{QueueError, QueueSettings};
use crate::bus::kind;
use crate::store::{ResourceChanges, RowOrder, RowPage};
use crate::telemetry::Scope;
use crate::time::{Deadline, Timestamp};

/// So many deletions go into one change.
const EXPIRED_AT_ONCE: usize = 1_000;

/// What is asked of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// At most so many messages.
    pub limit: usize,
    /// Seconds that they are hidden; the queue's own unless given.
    pub visibility: Option<u32>,
    /// Seconds that the call waits for the first; the queue's own unless given.
    pub wait: Option<u32>,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// Deletes it.
    pub receipt: String,
    /// How often it was received.
    pub receives: u32,
    /// When it was first received.
    pub first_received: Timestamp,
}

impl Queues {
    /// Receives messages; when there is none, waits as long as asked.
    ///
    /// Cancel safety: messages that were taken for a caller that is gone show up again.
    /// Errors: `Missing`; the store's.
    pub async fn receive(
        &self,
        scope: &Scope,
        name: &str,
        asked: Receive,
    ) -> Result<Vec<Received>, QueueError> {
        let queue = self.queue(scope, name)?;
        let wait = asked.wait.unwrap_or(queue.document().settings.receive_wait);
        let deadline = Deadline::after(self.clock.as_ref(), Duration::from_secs(wait.into()));
        loop {
            let news = queue.news.notified();
            tokio::pin!(news);
            // Registered before the look, so that no message slips between the two.
            news.as_mut().enable();
            let settings = queue.document().settings;
            self.expire(&queue, &settings).await?;
            let found = self.take(&queue, &settings, asked).await?;
            let left = deadline.left(self.clock.as_ref());
            if !found.is_empty() || left.is_zero() {
                return Ok(found);
            }
            let next = queue.shelf().next_due();
            let due = next.map(|at| at.millis_since(self.clock.now()).max(1));
            let due = due.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
            let pause = due.map_or(left, |due| due.min(left));
            tokio::select! {
                () = &mut news => {}
                () = tokio::time::sleep(pause) => {}
            }
            // The queue may have been deleted meanwhile.
            self.queue(scope, name)?;
        }
    }

    async fn take(
        &self,
        queue: &Arc<Queue>,
        settings: &QueueSettings,
        asked: Receive,
    ) -> Result<Vec<Received>, QueueError> {
        let now = self.clock.now();
        let hidden = asked.visibility.unwrap_or(settings.visibility);
        let until = now.plus_millis(i64::from(hidden) * 1000);
        let taken = queue.shelf().take(asked.limit, now, until);
        let mut found = Vec::with_capacity(taken.len());
        for taken in taken {
            let Some(message) = self.read(queue, taken.sequence).await? else {
                queue.shelf().remove(taken.sequence);
                continue;
            };
            match &settings.redrive {
                Some(redrive) if taken.receives > redrive.receives_max => {
                    self.redrive(queue, message, &redrive.queue).await?;
                }
                _ => {
                    let Taken { sequence, receives, first_received, receipt } = taken;
                    let receipt = receipt_of(&queue.name, sequence, receipt);
                    found.push(Received { message, receipt, receives, first_received });
                }
            }
        }
        Ok(found)
    }

    async fn read(&self, queue: &Queue, sequence: u64) -> Result<Option<Message>, QueueError> {
        let page = RowPage {
            from: Some(sort_key(sequence)),
            before: Some(sort_key(sequence + 1)),
            order: RowOrder::OldestFirst,
            limit: 1,
        };
        let resources = self.store.resources();
        let rows = resources.rows(&queue.scope, kind::MESSAGE, &queue.name, &page).await?;
        Ok(rows.into_iter().next().map(|(_, message)| message))
    }

    /// Moves a message that was received too often to its dead-letter queue, in one change.
    ///
    /// A dead-letter queue that is not there keeps the message where it is, as on AWS.
    async fn redrive(
        &self,
        queue: &Queue,
        mut message: Message,
        to: &str,
    ) -> Result<(), QueueError> {
        let now = self.clock.now();
        let Some((scope, name)) = Self::of_arn(to).filter(|(scope, _)| *scope == queue.scope)
        else {
            return Ok(());
        };
        let Ok(dead_letters) = self.queue(&scope, &name) else { return Ok(()) };
        let old = message.sequence;
        message.sequence = dead_letters.shelf().next_sequence(now);
        message.source = Some(queue.scope.arn("sqs", &queue.name).into());
        message.due = now;
        message.deduplication = None;
        let changes = ResourceChanges::new()
            .delete_row(kind::MESSAGE, &queue.name, sort_key(old))
            .put_row(kind::MESSAGE, &name, sort_key(message.sequence), &message)?;
        self.store.resources().apply(&scope, changes).await?;
        queue.shelf().remove(old);
        dead_letters.shelf().add(&message, now);
        dead_letters.news.notify_waiters();
        Ok(())
    }

    /// Deletes messages that are older than the queue keeps them.
    async fn expire(&self, queue: &Queue, settings: &QueueSettings) -> Result<(), QueueError> {
        let oldest = self.clock.now().minus(Duration::from_secs(settings.retention.into()));
        let old = queue.shelf().older_than(oldest);
        for some in old.chunks(EXPIRED_AT_ONCE) {
            let mut changes = ResourceChanges::new();
            for sequence in some {
                changes = changes.delete_row(kind::MESSAGE, &queue.name, sort_key(*sequence));
            }
            self.store.resources().apply(&queue.scope, changes).await?;
            let mut shelf = queue.shelf();
            some.iter().for_each(|sequence| shelf.remove(*sequence));
        }
        Ok(())
    }

    /// Deletes received messages; one that is gone is deleted already.
    ///
    /// Errors: `Missing`; the store's. A handle that the queue never gave is refused in its place.
    pub async fn delete_messages(
        &self,
        scope: &Scope,
        name: &str,
        receipts: &[String],
    ) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let queue = self.queue(scope, name)?;
        let read = |receipt: &String| sequence_of(&queue.name, receipt);
        let sequences: Vec<_> = receipts.iter().map(read).collect();
        let mut changes = ResourceChanges::new();
        for sequence in sequences.iter().flatten() {
            if queue.shelf().has(*sequence) {
                changes = changes.delete_row(kind::MESSAGE, name, sort_key(*sequence));
            }
        }
        if !changes.is_empty() {
            self.store.resources().apply(scope, changes).await?;
        }
        let mut shelf = queue.shelf();
        sequences.iter().flatten().for_each(|sequence| shelf.remove(*sequence));
        drop(shelf);
        // The next message of a group may be free now.
        queue.news.notify_waiters();
        let answers = sequences.into_iter().map(|s| s.map(drop).ok_or(QueueError::Receipt));
        Ok(answers.collect())
    }

    /// Hides a message in flight for so many seconds from now.
    ///
    /// Errors: `Missing`, `Receipt`, `NotInFlight`.
    pub fn change_visibility(
        &self,
        (scope, name): (&Scope, &str),
        receipt: &str,
        seconds: u32,
    ) -> Result<(), QueueError> {
        let queue = self.queue(scope, name)?;
        let sequence = sequence_of(&queue.name, receipt).ok_or(QueueError::Receipt)?;
        let now = self.clock.now();
        let until = now.plus_millis(i64::from(seconds) * 1000);
        let changed = queue.shelf().change(sequence, now, until);
        queue.news.notify_waiters();
        if changed { Ok(()) } else { Err(QueueError::NotInFlight) }
    }
}

fn receipt_of(queue: &str, sequence: u64, receipt: u32) -> String {
    URL_SAFE_NO_PAD.encode(format!("{queue}\n{sequence}\n{receipt}\n{}", uuid::Uuid::new_v4()))
}

fn sequence_of(queue: &str, receipt: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(receipt).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.split('\n');
    if lines.next() != Some(queue) {
        return None;
    }
    lines.next()?.parse().ok()
}

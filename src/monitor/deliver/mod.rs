//! Delivers what the outbox holds: at least once, in order for each alarm, until it is taken or
//! given up.
//!
//! Main type: [`Deliverer`]. Rows are written by `alarms`, in the same append as the transition
//! they tell of; here they are only read, tried and deleted.

mod backlog;
mod queue;
mod row;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::queue::{Lane, Queue};
use super::kind;
use super::settings::MonitorSettings;
use crate::alarm::{ActionOutcome, HistoryItem};
use crate::bus::BusHandle;
use crate::bus::topic::{TopicError, TopicMessage};
use crate::notify::{DeliveryFault, DeliveryOutcome, NextTry, Notifier};
use crate::store::{AppendError, ResourceChanges, SortKey, Store};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::Clock;
pub(super) use backlog::Backlog;
pub use row::{ActionText, OutboxRow};

/// So many deliveries run side by side.
const UNDER_WAY_MAX: usize = 16;
/// So many new rows wait for the deliverer; it only sorts them in, so a writer waits briefly.
pub(super) const NEW_ROWS_MAX: usize = 1_024;

/// New rows of a scope, already stored.
pub(super) type NewRow = (Scope, OutboxRow);

/// Tries the rows of the outbox until none is left.
#[derive(Debug)]
pub(super) struct Deliverer {
    pub(super) store: Store,
    pub(super) notifier: Notifier,
    /// Carries topics and functions.
    pub(super) bus: Option<BusHandle>,
    pub(super) settings: Arc<MonitorSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: TaskGroup,
}

/// How a delivery went.
struct Tried {
    lane: Lane,
    row: OutboxRow,
    outcome: DeliveryOutcome,
}

impl Deliverer {
    /// Delivers until `stop`; what is under way then is finished by a later life.
    pub(super) async fn run(
        self,
        mut backlog: Backlog,
        mut new_rows: mpsc::Receiver<NewRow>,
        stop: CancellationToken,
    ) {
        let mut queue = Queue::default();
        let (tell, mut tried) = mpsc::channel::<Tried>(UNDER_WAY_MAX);
        let mut under_way = 0;
        loop {
            backlog.refill(&self.store, &mut queue).await;
            let now = self.clock.monotonic();
            while under_way < UNDER_WAY_MAX
                && let Some((lane, row)) = queue.take(now)
            {
                under_way += 1;
                self.start(lane, row, tell.clone());
            }
            let idle = under_way < UNDER_WAY_MAX;
            let wait = queue.wait(now).filter(|_| idle);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(tried) = tried.recv() => {
                    under_way -= 1;
                    self.settle(&mut queue, tried).await;
                }
                Some((scope, row)) = new_rows.recv() => backlog.take(&mut queue, &scope, row),
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
        if queue.len() > 0 {
            tracing::info!(rows = queue.len(), "notifications stay in the outbox");
        }
    }

    fn start(&self, lane: Lane, row: OutboxRow, tell: mpsc::Sender<Tried>) {
        let (notifier, bus) = (self.notifier.clone(), self.bus.clone());
        self.tasks.spawn(format!("deliver to {}", lane.channel), |stop| async move {
            let deliver = async {
                match &row.text {
                    None => notifier.deliver(&lane.channel, &row.notification).await,
                    Some(text) => hand_over(bus.as_ref(), &lane.scope, &row, text).await,
                }
            };
            let outcome = tokio::select! {
                outcome = deliver => outcome,
                // The row is still in the outbox, so a later life delivers it.
                () = stop.cancelled() => return,
            };
            // The receiver lives as long as the loop; without it nobody counts any more.
            tell.send(Tried { lane, row, outcome }).await.unwrap_or(());
        });
    }

    async fn settle(&self, queue: &mut Queue, tried: Tried) {
        let Tried { lane, mut row, outcome } = tried;
        let fault = outcome.fault().map(DeliveryFault::in_full);
        let after = match &outcome {
            DeliveryOutcome::Delivered | DeliveryOutcome::Rejected { .. } => None,
            DeliveryOutcome::Retry { after, .. } => {
                let age = self.clock.now().millis_since(row.notification.at);
                let age = std::time::Duration::from_millis(u64::try_from(age).unwrap_or(0));
                let random = fastrand::f64();
                match self.settings.retry.next(row.attempts + 1, age, *after, random) {
                    NextTry::After(wait) => Some(wait),
                    NextTry::GiveUp => None,
                }
            }
        };
        if let Some(fault) = fault {
            row.attempts += 1;
            row.last_fault = Some(fault);
        }
        let stored = match after {
            Some(_) => self.keep(&lane, &row).await,
            None => self.close(&lane, &row, outcome.fault().is_none()).await,
        };
        if let Err(error) = stored {
            // The outbox still has the row as it was: at worst it is delivered once more, with the
            // same key.
            tracing::warn!(alarm = %lane.alarm, %error, "cannot note a delivery");
        }
        let now = self.clock.monotonic();
        match after {
            Some(wait) => queue.again(lane, row, now.plus(wait)),
            None => queue.done(lane),
        }
    }

    /// Notes a failed attempt.
    async fn keep(&self, lane: &Lane, row: &OutboxRow) -> Result<(), AppendError> {
        let changes = ResourceChanges::new().put(kind::OUTBOX, &row.name(), row)?;
        self.store.resources().apply(&lane.scope, changes).await.map(drop)
    }

    /// Takes a row out of the outbox, and writes into the alarm's history how it ended.
    async fn close(
        &self,
        lane: &Lane,
        row: &OutboxRow,
        delivered: bool,
    ) -> Result<(), AppendError> {
        let fault = row.last_fault.as_deref().unwrap_or("given up");
        let outcome =
            if delivered { ActionOutcome::Succeeded } else { ActionOutcome::Failed(fault) };
        let now = self.clock.now();
        let published = row.text.as_ref().and_then(ActionText::published);
        let item = HistoryItem::action(
            (&lane.alarm, row.alarm_type),
            &row.resource,
            (outcome, published.as_deref()),
            (row.notification.at, now),
        );
        let history = SortKey::at(now, format_args!("{:012}-{}", row.sequence, row.channel));
        let mut changes = ResourceChanges::new().delete(kind::OUTBOX, &row.name()).put_row(
            kind::ALARM_HISTORY,
            &lane.alarm,
            history,
            &item,
        )?;
        if delivered {
            tracing::info!(alarm = %lane.alarm, channel = %lane.channel, "notification delivered");
        } else {
            let Lane { alarm, channel, .. } = lane;
            tracing::error!(%alarm, %channel, fault, "notification given up");
            changes = changes.put(kind::DEAD_LETTER, &row.name(), row)?;
        }
        self.store.resources().apply(&lane.scope, changes).await.map(drop)
    }
}

/// Hands an action over to the bus, which owes it to its receivers from then on.
async fn hand_over(
    bus: Option<&BusHandle>,
    scope: &Scope,
    row: &OutboxRow,
    text: &ActionText,
) -> DeliveryOutcome {
    let fault = |why: String| DeliveryFault::NotTaken { receiver: row.resource.to_string(), why };
    let Some(bus) = bus else {
        return DeliveryOutcome::Rejected { fault: fault("there is no bus".to_owned()) };
    };
    match text {
        ActionText::Topic { subject, message } => {
            let message = TopicMessage {
                message: message.as_str().into(),
                subject: Some(subject.clone()),
                group: row.resource.ends_with(".fifo").then(|| Arc::clone(&row.notification.alarm)),
                deduplication: Some(Arc::clone(&row.notification.key)),
                ..TopicMessage::default()
            };
            match bus.publish_to(&row.resource, &message).await {
                Ok(_) => DeliveryOutcome::Delivered,
                Err(error @ (TopicError::NoTopic | TopicError::Parameter { .. })) => {
                    DeliveryOutcome::Rejected { fault: fault(error.to_string()) }
                }
                Err(error) => {
                    DeliveryOutcome::Retry { after: None, fault: fault(error.to_string()) }
                }
            }
        }
        ActionText::Function { event } => {
            let owner = &row.notification.alarm_arn;
            match bus.call_function(scope, (&row.resource, owner), event).await {
                Ok(()) => DeliveryOutcome::Delivered,
                Err(error) => {
                    DeliveryOutcome::Retry { after: None, fault: fault(error.to_string()) }
                }
            }
        }
    }
}

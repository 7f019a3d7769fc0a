//! Delivers what events and topics owe: at least once, until it is taken, or given up and put into
//! the dead-letter queue.
//!
//! Main type: [`Deliverer`]. Rows are written in the same append as the event they tell of; here
//! they are only read, tried and deleted.

mod queue;
mod row;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use self::queue::Waiting;
use super::carry::{Carried, Carrier};
use super::kind;
use super::meter::{Count, Meter};
use crate::store::{AppendError, ReadError, ResourceChanges, Store};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::Clock;
pub(in crate::bus) use row::{Delivery, Fault, Receiver};

/// So many deliveries run side by side, and so many of them to one receiver.
const UNDER_WAY_MAX: usize = 64;
const UNDER_WAY_EACH_MAX: usize = 16;
/// So many deliveries are known in memory; the others wait in the store.
const KNOWN_MAX: usize = 10_000;
/// So many new deliveries wait to be looked at.
const NEW_MAX: usize = 1_024;
/// The first wait after a failure; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A delivery and whose it is.
pub(in crate::bus) type Owed = (Scope, Arc<Delivery>);

/// Hands new deliveries, already stored, to the deliverer. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::bus) struct Inbox {
    new: mpsc::Sender<Owed>,
    /// Set when the store holds deliveries that memory does not know.
    behind: Arc<AtomicBool>,
    look: Arc<Notify>,
}

impl Inbox {
    pub(in crate::bus) fn new() -> (Self, mpsc::Receiver<Owed>) {
        let (new, coming) = mpsc::channel(NEW_MAX);
        (Self { new, behind: Arc::default(), look: Arc::default() }, coming)
    }

    /// Tells of a delivery that is stored; never blocks.
    pub(in crate::bus) fn add(&self, owed: Owed) {
        // BOUND: what does not fit is read from the store once there is room.
        if self.new.try_send(owed).is_err() {
            self.fall_behind();
        }
    }

    fn fall_behind(&self) {
        self.behind.store(true, Ordering::SeqCst);
        self.look.notify_one();
    }
}

/// Tries what is owed until nothing is.
#[derive(Debug)]
pub(in crate::bus) struct Deliverer {
    pub(in crate::bus) store: Store,
    pub(in crate::bus) carrier: Arc<Carrier>,
    pub(in crate::bus) clock: Arc<dyn Clock>,
    pub(in crate::bus) tasks: TaskGroup,
    pub(in crate::bus) inbox: Inbox,
    pub(in crate::bus) meter: Meter,
}

struct Tried {
    scope: Scope,
    delivery: Arc<Delivery>,
    carried: Carried,
}

impl Deliverer {
    /// Delivers until `stop`; what is under way then is delivered again by a later life.
    pub(in crate::bus) async fn run(
        self,
        mut coming: mpsc::Receiver<Owed>,
        stop: CancellationToken,
    ) {
        let mut waiting = Waiting::default();
        let mut known: HashSet<(Scope, Arc<str>)> = HashSet::new();
        // What an earlier life of the process left.
        self.inbox.fall_behind();
        let (tell, mut tried) = mpsc::channel::<Tried>(UNDER_WAY_MAX);
        let mut under_way = 0;
        loop {
            let now = self.clock.monotonic();
            if known.len() < KNOWN_MAX / 2 && self.inbox.behind.swap(false, Ordering::SeqCst) {
                self.catch_up(&mut waiting, &mut known).await;
            }
            while under_way < UNDER_WAY_MAX
                && let Some((scope, delivery)) = waiting.take(now, UNDER_WAY_EACH_MAX)
            {
                under_way += 1;
                self.start(scope, delivery, tell.clone());
            }
            let wait = waiting.wait(now).filter(|_| under_way < UNDER_WAY_MAX);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(tried) = tried.recv() => {
                    under_way -= 1;
                    self.settle(&mut waiting, &mut known, tried).await;
                }
                Some((scope, delivery)) = coming.recv(), if known.len() < KNOWN_MAX => {
                    if known.insert((scope.clone(), Arc::clone(&delivery.id))) {
                        waiting.push(scope, delivery);
                    }
                }
                () = self.inbox.look.notified() => {}
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
        if !known.is_empty() {
            tracing::info!(deliveries = known.len(), "deliveries stay in the store");
        }
    }

    async fn catch_up(&self, waiting: &mut Waiting, known: &mut HashSet<(Scope, Arc<str>)>) {
        let left = match self.left().await {
            Ok(left) => left,
            Err(error) => return tracing::error!(%error, "deliveries cannot be read"),
        };
        for (scope, delivery) in left {
            if known.len() >= KNOWN_MAX {
                return self.inbox.fall_behind();
            }
            if known.insert((scope.clone(), Arc::clone(&delivery.id))) {
                waiting.push(scope, delivery);
            }
        }
    }

    async fn left(&self) -> Result<Vec<Owed>, ReadError> {
        let mut left = self.store.resources().everywhere::<Delivery>(kind::DELIVERY).await?;
        left.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        Ok(left.into_iter().map(|(scope, _, delivery)| (scope, Arc::new(delivery))).collect())
    }

    fn start(&self, scope: Scope, delivery: Arc<Delivery>, tell: mpsc::Sender<Tried>) {
        let carrier = Arc::clone(&self.carrier);
        self.tasks.spawn(format!("deliver to {}", delivery.to.name()), |stop| async move {
            let carried = tokio::select! {
                carried = carrier.carry(&scope, &delivery) => carried,
                // The delivery is still in the store, so a later life makes it.
                () = stop.cancelled() => return,
            };
            // The receiver lives as long as the loop; without it nobody counts any more.
            tell.send(Tried { scope, delivery, carried }).await.unwrap_or(());
        });
    }

    async fn settle(
        &self,
        waiting: &mut Waiting,
        known: &mut HashSet<(Scope, Arc<str>)>,
        tried: Tried,
    ) {
        let Tried { scope, delivery, carried } = tried;
        waiting.done(&scope, &delivery);
        let attempt: &[Count] = match delivery.attempts {
            0 => &[Count::InvocationAttempts],
            _ => &[Count::InvocationAttempts, Count::RetryInvocationAttempts],
        };
        self.meter.add_for(&scope, &delivery.owner, attempt);
        let next = match carried {
            Carried::Done => {
                self.meter.add_for(&scope, &delivery.owner, &[Count::Invocations]);
                Next::Close
            }
            Carried::Never(fault) => self.give_up((&scope, &delivery), fault, None).await,
            Carried::Later { fault, after } => self.after((&scope, &delivery), fault, after).await,
        };
        match next {
            Next::Close => {
                let changes = ResourceChanges::new().delete(kind::DELIVERY, &delivery.id);
                self.note(&scope, &delivery, changes).await;
                known.remove(&(scope, Arc::clone(&delivery.id)));
            }
            Next::Again(changed, wait) => {
                match ResourceChanges::new().put(kind::DELIVERY, &changed.id, &*changed) {
                    Ok(changes) => self.note(&scope, &changed, changes).await,
                    Err(error) => tracing::error!(%error, "cannot note a failed delivery"),
                }
                waiting.again(scope, Arc::from(changed), self.clock.monotonic().plus(wait));
            }
        }
    }

    async fn after(
        &self,
        (scope, delivery): (&Scope, &Delivery),
        fault: Fault,
        asked: Option<Duration>,
    ) -> Next {
        let attempts = delivery.attempts + 1;
        let age = self.clock.now().millis_since(delivery.came);
        let exhausted = if attempts > delivery.retry.attempts() {
            Some("MaximumRetryAttempts")
        } else if age >= delivery.retry.age_millis() {
            Some("MaximumEventAgeInSeconds")
        } else {
            None
        };
        if exhausted.is_some() {
            return self.give_up((scope, delivery), fault, exhausted).await;
        }
        let doublings = attempts.saturating_sub(1).min(16);
        let full = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        let wait = full.mul_f64(0.5 + fastrand::f64() / 2.0).max(asked.unwrap_or_default());
        let again = Delivery { attempts, fault: Some(fault), ..delivery.clone() };
        Next::Again(Box::new(again), wait)
    }

    /// Puts a delivery into its dead-letter queue; without one it is told in the log.
    async fn give_up(
        &self,
        (scope, delivery): (&Scope, &Delivery),
        fault: Fault,
        exhausted: Option<&'static str>,
    ) -> Next {
        let attempts = delivery.attempts;
        let to = delivery.to.name();
        let buried = self.carrier.bury(delivery, (&fault, exhausted)).await;
        let counts: &[Count] = match (&buried, &delivery.dead_letter) {
            (Ok(()), Some(_)) => {
                &[Count::Invocations, Count::FailedInvocations, Count::InvocationsSentToDlq]
            }
            (Ok(()), None) => &[Count::Invocations, Count::FailedInvocations],
            (Err(_), _) => &[Count::InvocationsFailedToBeSentToDlq],
        };
        self.meter.add_for(scope, &delivery.owner, counts);
        let Fault { code, message: why } = &fault;
        match (buried, &delivery.dead_letter) {
            (Ok(()), Some(queue)) => {
                tracing::warn!(%to, code, why, attempts, %queue, "delivery given up");
            }
            (Ok(()), None) => {
                tracing::warn!(%to, code, why, attempts, "delivery given up: no dead letters");
            }
            // Its queue may come back: what cannot be buried is tried again.
            (Err(refused), _) => {
                tracing::error!(%to, code, why, refused, "dead letter cannot be kept");
                let fault = Some(fault);
                let again = Box::new(Delivery { fault, ..delivery.clone() });
                return Next::Again(again, LONGEST_WAIT);
            }
        }
        Next::Close
    }

    async fn note(&self, scope: &Scope, delivery: &Delivery, changes: ResourceChanges) {
        const TRIES: u32 = 20;
        const BUSY_WAIT: Duration = Duration::from_millis(50);
        for _ in 0..TRIES {
            match self.store.resources().apply(scope, changes.clone()).await {
                Err(AppendError::Busy) => tokio::time::sleep(BUSY_WAIT).await,
                Ok(_) => return,
                // At worst it is delivered once more by a later life.
                Err(error) => {
                    return tracing::warn!(id = %delivery.id, %error, "cannot note a delivery");
                }
            }
        }
        tracing::warn!(id = %delivery.id, "cannot note a delivery: the store stays busy");
    }
}

/// What follows an attempt.
enum Next {
    Close,
    Again(Box<Delivery>, Duration),
}

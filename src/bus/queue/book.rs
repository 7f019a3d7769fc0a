use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

use super::shelf::Shelf;
use super::{Message, QueueError, QueueSettings};
use crate::bus::kind;
use crate::store::{ReadError, ResourceChanges, RowOrder, RowPage, SortKey, Store};
use crate::telemetry::Scope;
use crate::time::{Clock, Timestamp};

/// So many messages are read at a time when the process starts.
const LOADED_AT_ONCE: usize = 1_000;
/// How long after a purge there can be no other.
const PURGE_PAUSE_MILLIS: i64 = 60_000;

/// Every queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    shelves: Arc<RwLock<Shelves>>,
    /// Queues are made and deleted one after another.
    turn: Arc<Semaphore>,
}

/// Queues by scope and name.
type Shelves = HashMap<(Scope, Arc<str>), Arc<Queue>>;

/// A queue as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDocument {
    /// How it behaves.
    pub settings: QueueSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A queue in memory.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) scope: Scope,
    pub(super) name: Arc<str>,
    document: RwLock<QueueDocument>,
    shelf: Mutex<Shelf>,
    /// Told when a message can be received.
    pub(super) news: Notify,
    /// Messages of a queue with order are stored one after another.
    pub(super) order: Semaphore,
    purged: Mutex<Option<Timestamp>>,
}

impl Queue {
    fn new(scope: &Scope, name: &Arc<str>, document: QueueDocument) -> Self {
        Self {
            scope: scope.clone(),
            name: Arc::clone(name),
            document: RwLock::new(document),
            shelf: Mutex::default(),
            news: Notify::new(),
            order: Semaphore::new(1),
            purged: Mutex::default(),
        }
    }

    pub(super) fn document(&self) -> QueueDocument {
        self.document.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// Reads every queue, and where its messages are.
    ///
    /// Errors: as the store's reads.
    pub(in crate::bus) async fn load(
        store: &Store,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ReadError> {
        let queues = Self {
            store: store.clone(),
            clock: Arc::clone(clock),
            shelves: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        };
        let known = store.resources().everywhere::<QueueDocument>(kind::QUEUE).await?;
        for (scope, name, document) in known {
            let name: Arc<str> = name.into();
            let queue = Queue::new(&scope, &name, document);
            let mut from = None;
            loop {
                let page = RowPage {
                    from: from.take(),
                    before: None,
                    order: RowOrder::OldestFirst,
                    limit: LOADED_AT_ONCE,
                };
                let rows =
                    store.resources().rows::<Message>(&scope, kind::MESSAGE, &name, &page).await?;
                let now = clock.now();
                rows.iter().for_each(|(_, message)| queue.shelf().add(message, now));
                if rows.len() < LOADED_AT_ONCE {
                    break;
                }
                from = rows.last().map(|(_, message)| sort_key(message.sequence + 1));
            }
            queues.write().insert((scope, name), Arc::new(queue));
        }
        Ok(queues)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self, scope: &Scope, name: &str) -> Result<Arc<Queue>, QueueError> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let found = shelves.get(&(scope.clone(), name.into()));
        found.cloned().ok_or(QueueError::Missing)
    }

    /// The scope and name in a queue's ARN.
    pub fn of_arn(arn: &str) -> Option<(Scope, Arc<str>)> {
        let mut parts = arn.split(':');
        let (Some("arn"), Some(_), Some("sqs"), Some(region), Some(account), Some(name), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        let account = crate::telemetry::AccountId::new(account).ok()?;
        Some((Scope { account, region: crate::telemetry::Region::new(region) }, name.into()))
    }

    /// Makes a queue; one of the same attributes is there already.
    ///
    /// Errors: `Exists` when it has others; those of its attributes.
    pub async fn create(
        &self,
        scope: &Scope,
        name: &Arc<str>,
        attributes: &BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        let _turn = self.turn.acquire().await;
        if let Ok(there) = self.queue(scope, name) {
            return match there.document().settings.difference(attributes)? {
                Some(attribute) => Err(QueueError::Exists { attribute }),
                None => Ok(()),
            };
        }
        let mut settings = QueueSettings::default();
        for (attribute, value) in attributes {
            settings.set(attribute, value)?;
        }
        if settings.fifo != name.ends_with(".fifo") {
            let reason = "The name of a FIFO queue can only include alphanumeric characters, \
                          hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in \
                          length.";
            return Err(QueueError::Parameter { reason });
        }
        let now = self.clock.now();
        let document = QueueDocument { settings, tags, created: now, modified: now };
        self.store.resources().put(scope, kind::QUEUE, name, &document).await?;
        let queue = Arc::new(Queue::new(scope, name, document));
        self.write().insert((scope.clone(), Arc::clone(name)), queue);
        Ok(())
    }

    /// Changes a queue's document.
    ///
    /// Errors: `Missing`, and what `change` says.
    pub async fn change(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut QueueDocument) -> Result<(), QueueError>,
    ) -> Result<(), QueueError> {
        let _turn = self.turn.acquire().await;
        let queue = self.queue(scope, name)?;
        let mut document = queue.document();
        change(&mut document)?;
        document.modified = self.clock.now();
        self.store.resources().put(scope, kind::QUEUE, name, &document).await?;
        *queue.document.write().unwrap_or_else(PoisonError::into_inner) = document;
        Ok(())
    }

    /// Sets attributes.
    ///
    /// Errors: those of the attributes; a queue keeps its kind.
    pub async fn set_attributes(
        &self,
        scope: &Scope,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        self.change(scope, name, |document| {
            for (attribute, value) in attributes {
                if attribute == "FifoQueue" {
                    return Err(QueueError::AttributeValue { name: "FifoQueue" });
                }
                document.settings.set(attribute, value)?;
            }
            Ok(())
        })
        .await
    }

    /// A queue's document, and how many messages are ready, in flight and delayed.
    ///
    /// Errors: `Missing`.
    pub fn describe(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<(QueueDocument, [usize; 3]), QueueError> {
        let queue = self.queue(scope, name)?;
        let counts = queue.shelf().counts(self.clock.now());
        Ok((queue.document(), [counts.ready, counts.in_flight, counts.delayed]))
    }

    /// Names of the queues of a scope.
    pub fn names(&self, scope: &Scope, prefix: &str) -> Vec<Arc<str>> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let own = shelves.keys().filter(|(held, name)| held == scope && name.starts_with(prefix));
        let mut names: Vec<_> = own.map(|(_, name)| Arc::clone(name)).collect();
        names.sort();
        names
    }

    /// Deletes a queue and its messages.
    ///
    /// Errors: `Missing`.
    pub async fn delete(&self, scope: &Scope, name: &str) -> Result<(), QueueError> {
        let _turn = self.turn.acquire().await;
        self.queue(scope, name)?;
        let changes = ResourceChanges::new().delete(kind::QUEUE, name);
        let changes = changes.delete_rows(kind::MESSAGE, name);
        self.store.resources().apply(scope, changes).await?;
        self.write().remove(&(scope.clone(), name.into()));
        Ok(())
    }

    /// Deletes every message of a queue.
    ///
    /// Errors: `Missing`, `PurgedLately`.
    pub async fn purge(&self, scope: &Scope, name: &str) -> Result<(), QueueError> {
        let queue = self.queue(scope, name)?;
        let now = self.clock.now();
        {
            let mut purged = queue.purged.lock().unwrap_or_else(PoisonError::into_inner);
            if purged.is_some_and(|at| now.millis_since(at) < PURGE_PAUSE_MILLIS) {
                return Err(QueueError::PurgedLately);
            }
            *purged = Some(now);
        }
        let changes = ResourceChanges::new().delete_rows(kind::MESSAGE, name);
        self.store.resources().apply(scope, changes).await?;
        queue.shelf().clear();
        Ok(())
    }
}

/// The place of a message among the rows of its queue.
pub(super) fn sort_key(sequence: u64) -> SortKey {
    SortKey::from_text(&format!("{sequence:020}"))
}

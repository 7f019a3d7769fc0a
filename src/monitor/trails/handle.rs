use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;
use thiserror::Error;
use tokio::sync::{Notify, Semaphore};

use super::document::Trail;
use super::key::{KeyError, TrailKey};
use super::rates::Rates;
use crate::monitor::kind;
use crate::store::{AppendError, BucketError, ReadError, ResourceChanges, Store};
use crate::telemetry::{
    AccountId, AuditKind, AuditRecord, DEFAULT_EVENT_BUS, Event, Region, Scope,
};
use crate::time::Clock;

/// Why a trail was not made, changed or delivered.
#[derive(Debug, Error)]
pub enum TrailError {
    /// There is one of this name.
    #[error("the trail exists already")]
    Exists,
    /// There is none of this name.
    #[error("the trail does not exist")]
    Missing,
    /// There are as many as there may be.
    #[error("there are {trails_max} trails in the region, the most there may be")]
    TooMany {
        /// How many there may be.
        trails_max: usize,
    },
    /// The records cannot be read.
    #[error("the records cannot be read")]
    Read(#[from] ReadError),
    /// What became of the trail cannot be kept.
    #[error("the trail cannot be kept")]
    Append(#[from] AppendError),
    /// A file cannot be put.
    #[error("a file cannot be put")]
    Bucket(#[from] BucketError),
    /// A digest cannot be signed.
    #[error("a digest cannot be signed")]
    Key(#[from] KeyError),
}

/// Trails, and which of them log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TrailHandle {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) book: Arc<RwLock<Book>>,
    pub(super) rates: Arc<Mutex<Rates>>,
    /// Trails are changed and delivered one after another.
    pub(super) turn: Arc<Semaphore>,
    /// Told when trails changed.
    pub(super) changed: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) trails: BTreeMap<(Scope, Arc<str>), Arc<Trail>>,
    /// The regions of each account in which calls were made.
    called: BTreeMap<AccountId, BTreeSet<Region>>,
}

impl TrailHandle {
    /// Knows the trails that are stored.
    ///
    /// Errors: as the store's reads.
    pub(in crate::monitor) async fn load(
        store: &Store,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ReadError> {
        let mut book = Book::default();
        for (home, name, trail) in store.resources().everywhere::<Trail>(kind::TRAIL).await? {
            book.trails.insert((home, name.into()), Arc::new(trail));
        }
        Ok(Self {
            store: store.clone(),
            clock: Arc::clone(clock),
            book: Arc::new(RwLock::new(book)),
            rates: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            changed: Arc::default(),
        })
    }

    /// The trails that take records of a scope, each with its home, by name.
    pub fn of(&self, scope: &Scope) -> Vec<(Scope, Arc<Trail>)> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let covers =
            |((home, _), trail): &(&(Scope, Arc<str>), &Arc<Trail>)| trail.covers(home, scope);
        let found = book.trails.iter().filter(covers);
        let mut found =
            found.map(|((home, _), trail)| (home.clone(), Arc::clone(trail))).collect::<Vec<_>>();
        found.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        found
    }

    /// The trails of an account, whatever their home.
    pub fn of_account(&self, account: &AccountId) -> Vec<(Scope, Arc<Trail>)> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let own = book.trails.iter().filter(|((home, _), _)| home.account == *account);
        own.map(|((home, _), trail)| (home.clone(), Arc::clone(trail))).collect()
    }

    /// A trail.
    ///
    /// Errors: `Missing`.
    pub fn get(&self, home: &Scope, name: &str) -> Result<Arc<Trail>, TrailError> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let found = book.trails.get(&(home.clone(), name.into()));
        found.cloned().ok_or(TrailError::Missing)
    }

    /// The event that a record is on the default bus; none when no trail logs.
    ///
    /// Source: EventBridge User Guide, "AWS service events delivered via AWS CloudTrail".
    pub fn event(&self, scope: &Scope, record: &AuditRecord) -> Option<Event> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        if book.trails.is_empty() || record.kind != AuditKind::Management {
            return None;
        }
        let logs = |((home, _), trail): (&(Scope, Arc<str>), &Arc<Trail>)| {
            trail.state.is_logging && trail.covers(home, scope) && trail.takes(record)
        };
        let service = record.event_source.split('.').next().unwrap_or_default();
        book.trails.iter().any(logs).then(|| Event {
            bus: DEFAULT_EVENT_BUS.into(),
            id: uuid::Uuid::new_v4().to_string().into(),
            source: format!("aws.{service}").into(),
            detail_type: "AWS API Call via CloudTrail".into(),
            time: record.event_time,
            resources: Vec::new(),
            detail: Value::clone(&record.record),
            trace_header: None,
        })
    }

    /// Notes a call: that some are made in its region, and how often it is made.
    pub fn note(&self, scope: &Scope, record: &AuditRecord) {
        self.count(scope, record);
        let knows = |book: &Book| {
            let regions = book.called.get(&scope.account);
            regions.is_some_and(|regions| regions.contains(&scope.region))
        };
        if knows(&self.book.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.called.entry(scope.account.clone()).or_default().insert(scope.region.clone());
    }

    pub(super) fn called(&self, account: &AccountId) -> BTreeSet<Region> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.called.get(account).cloned().unwrap_or_default()
    }

    /// The keys that digests are signed with, made when first needed.
    ///
    /// Errors: the store's; `Key` when none can be made.
    pub async fn keys(&self, home: &Scope) -> Result<Vec<TrailKey>, TrailError> {
        let _turn = self.turn.acquire().await;
        Ok(vec![self.key(home).await?])
    }

    pub(super) async fn key(&self, home: &Scope) -> Result<TrailKey, TrailError> {
        const NAME: &str = "current";
        let resources = self.store.resources();
        if let Some(key) = resources.get(home, kind::TRAIL_KEY, NAME).await? {
            return Ok(key);
        }
        let now = self.clock.now();
        let making = tokio::task::spawn_blocking(move || TrailKey::make(now)).await;
        let key = making.map_err(|_panic| KeyError::Random)??;
        resources.put(home, kind::TRAIL_KEY, NAME, &key).await?;
        Ok(key)
    }

    /// ORDER: durable, then seen by records.
    pub(super) async fn keep(&self, home: &Scope, trail: Trail) -> Result<Arc<Trail>, TrailError> {
        let changes = ResourceChanges::new().put(kind::TRAIL, &trail.name, &trail)?;
        self.store.resources().apply(home, changes).await?;
        let trail = Arc::new(trail);
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.trails.insert((home.clone(), Arc::clone(&trail.name)), Arc::clone(&trail));
        drop(book);
        self.changed.notify_one();
        Ok(trail)
    }
}

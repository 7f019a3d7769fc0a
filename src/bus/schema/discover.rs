use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::document::{DISCOVERED, Discoverer, Schema, SchemaKind, SchemaVersion, Tags};
use super::infer::{Shape, event_document, schema_name};
use super::schemas::add_version;
use crate::bus::kind;
use crate::bus::refusal::BusError;
use crate::store::{Page, ReadError, ResourceChanges, Store};
use crate::telemetry::{DEFAULT_EVENT_BUS, Event, Scope, TelemetryBatch};
use crate::time::Clock;

/// So many events wait to be looked at.
const WAITING_MAX: usize = 4_096;
/// So many shapes are known in memory.
const KNOWN_MAX: usize = 1_000;
/// Source: EventBridge User Guide, "Amazon EventBridge quotas", Discovered schemas.
const SCHEMAS_MAX: usize = 200;
/// Source: Schemas service model, Content.
const CONTENT_BYTES_MAX: usize = 100_000;
/// What we send about schemas ourselves.
const OWN_SOURCE: &str = "aws.schemas";

/// Looks at the events of buses that have a discoverer. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::bus) struct Discovery {
    buses: Arc<RwLock<Buses>>,
    waiting: mpsc::Sender<Look>,
    /// Counts changes of schemas by others: what was known in memory may be wrong since.
    changes: Arc<AtomicU64>,
}

/// What is in the queue.
#[derive(Debug)]
pub(in crate::bus) enum Look {
    /// An event that was taken.
    Event(Box<(Scope, Event)>),
    /// Answered once everything before it was looked at.
    Settle(oneshot::Sender<()>),
}

/// Buses by account and name.
type Buses = HashSet<(Scope, Arc<str>)>;

type Parts = (Store, Arc<dyn Clock>, Arc<Semaphore>);

impl Discovery {
    /// One that looks at no bus yet, and the queue of what it is told.
    pub(in crate::bus) fn new() -> (Self, mpsc::Receiver<Look>) {
        let (waiting, seen) = mpsc::channel(WAITING_MAX);
        (Self { buses: Arc::default(), waiting, changes: Arc::default() }, seen)
    }

    /// Looks at the buses of the discoverers that are stored.
    pub(in crate::bus) async fn load(&self, store: &Store) -> Result<(), ReadError> {
        let stored = store.resources().everywhere::<Discoverer>(kind::DISCOVERER).await?;
        for (scope, _, discoverer) in stored {
            self.watch(&scope, &discoverer.bus, discoverer.is_started);
        }
        Ok(())
    }

    /// Looks at a bus from now on, or does not.
    pub(super) fn watch(&self, scope: &Scope, bus: &Arc<str>, is_started: bool) {
        let mut buses = self.buses.write().unwrap_or_else(PoisonError::into_inner);
        let key = (scope.clone(), Arc::clone(bus));
        if is_started {
            buses.insert(key);
        } else {
            buses.remove(&key);
        }
    }

    /// Says that somebody else changed a schema.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until what was taken before was looked at.
    pub(super) async fn settle(&self) {
        let (answer, settled) = oneshot::channel();
        if self.waiting.send(Look::Settle(answer)).await.is_ok() {
            // An answer that is dropped means that nobody looks any more.
            settled.await.unwrap_or_default();
        }
    }

    /// What is to be told once a batch is taken; none when nobody looks at its buses.
    pub(in crate::bus) fn watched(
        &self,
        batch: &TelemetryBatch,
    ) -> Option<impl FnOnce() + Send + 'static> {
        let buses = self.buses.read().unwrap_or_else(PoisonError::into_inner);
        if buses.is_empty() {
            return None;
        }
        let is_watched = |event: &&Event| {
            &*event.source != OWN_SOURCE
                && buses.contains(&(batch.scope.clone(), Arc::clone(&event.bus)))
        };
        let events = batch.events.iter().filter(is_watched).cloned().collect::<Vec<_>>();
        let (scope, waiting) = (batch.scope.clone(), self.waiting.clone());
        (!events.is_empty()).then_some(move || {
            for event in events {
                // BOUND: events that come faster than they can be looked at are passed by; their
                // form comes again, or is not what the bus carries.
                if waiting.try_send(Look::Event(Box::new((scope.clone(), event)))).is_err() {
                    tracing::debug!("an event is not looked at: too many wait");
                }
            }
        })
    }

    /// Looks until `stop`.
    pub(in crate::bus) async fn look(
        self,
        (store, clock, turn): Parts,
        mut seen: mpsc::Receiver<Look>,
        stop: CancellationToken,
    ) {
        let mut eye = Eye { store, clock, turn, known: HashMap::new() };
        let mut changes = 0;
        loop {
            let look = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                look = seen.recv() => look,
            };
            match look {
                None => return,
                // The caller that went away does not wait.
                Some(Look::Settle(answer)) => answer.send(()).unwrap_or_default(),
                Some(Look::Event(event)) => {
                    let now = self.changes.load(Ordering::SeqCst);
                    if now != changes || eye.known.len() > KNOWN_MAX {
                        changes = now;
                        eye.known.clear();
                    }
                    let (scope, event) = *event;
                    eye.look(&scope, &event).await;
                }
            }
        }
    }
}

/// Who looks, and what is known already.
struct Eye {
    store: Store,
    clock: Arc<dyn Clock>,
    turn: Arc<Semaphore>,
    /// The shape of each schema; none where no further version can be made.
    known: HashMap<(Scope, String), Option<Shape>>,
}

impl Eye {
    async fn look(&mut self, scope: &Scope, event: &Event) {
        let Some(shape) = Shape::of(&event.detail) else {
            return tracing::debug!(source = %event.source, "event is too deep for a schema");
        };
        let key = (scope.clone(), schema_name(&event.source, &event.detail_type));
        match self.known.get(&key) {
            Some(None) => return,
            Some(Some(known)) if known.clone().merge(shape.clone()) == *known => return,
            _ => {}
        }
        let learned = match self.learn(&key, event, shape).await {
            Ok(learned) => learned,
            Err(error) => {
                tracing::warn!(schema = %key.1, %error, "no schema is made of an event");
                None
            }
        };
        self.known.insert(key, learned);
    }

    /// Merges a shape into its schema; none when there is no room for it.
    async fn learn(
        &self,
        (scope, name): &(Scope, String),
        event: &Event,
        shape: Shape,
    ) -> Result<Option<Shape>, BusError> {
        let _turn = self.turn.acquire().await;
        let resources = self.store.resources();
        let found: Option<Schema> =
            resources.get(scope, kind::SCHEMA, &format!("{DISCOVERED}/{name}")).await?;
        let known = found.as_ref().and_then(|schema| schema.shape.clone());
        let merged = known.clone().unwrap_or(Shape::Unknown).merge(shape);
        if known.as_ref() == Some(&merged) {
            return Ok(Some(merged));
        }
        let document = event_document(&event.source, &event.detail_type, &merged).to_string();
        let is_new = found.is_none();
        if document.len() > CONTENT_BYTES_MAX || (is_new && self.is_full(scope).await?) {
            tracing::warn!(schema = %name, "no room for the schema of an event");
            return Ok(None);
        }
        let now = self.clock.now();
        let mut schema = found.unwrap_or_else(|| Schema {
            registry: DISCOVERED.into(),
            name: name.as_str().into(),
            kind: SchemaKind::OpenApi3,
            description: None,
            tags: Tags::new(),
            modified: now,
            versions: Vec::new(),
            newest: 0,
            shape: None,
        });
        schema.modified = now;
        schema.shape = Some(merged.clone());
        let version = add_version(&mut schema, SchemaKind::OpenApi3, document.into())?;
        let changes = ResourceChanges::new().put(kind::SCHEMA, &schema.key(), &schema)?;
        let key = schema.version_key(version.number);
        let changes = changes.put(kind::SCHEMA_VERSION, &key, &version)?;
        let events = vec![told(scope, &schema, &version)];
        let batch = TelemetryBatch { events, ..TelemetryBatch::new(scope.clone()) };
        self.store.append_with(batch, changes).await?;
        Ok(Some(merged))
    }

    async fn is_full(&self, scope: &Scope) -> Result<bool, ReadError> {
        let prefix = format!("{DISCOVERED}/");
        let page = Page { prefix: &prefix, limit: SCHEMAS_MAX, ..Page::ALL };
        let held = self.store.resources().list::<serde::de::IgnoredAny>(scope, kind::SCHEMA, &page);
        Ok(held.await?.len() >= SCHEMAS_MAX)
    }
}

/// Source: EventBridge User Guide, "Amazon EventBridge schema registry events".
fn told(scope: &Scope, schema: &Schema, version: &SchemaVersion) -> Event {
    let is_first = version.number == 1;
    Event {
        bus: DEFAULT_EVENT_BUS.into(),
        id: uuid::Uuid::new_v4().to_string().into(),
        source: OWN_SOURCE.into(),
        detail_type: if is_first { "Schema Created" } else { "Schema Version Created" }.into(),
        time: version.created,
        resources: vec![schema.arn(scope).into()],
        detail: json!({
            "SchemaName": schema.name,
            "SchemaType": version.kind,
            "RegistryName": schema.registry,
            "CreationDate": version.created.to_rfc3339(),
            "Version": version.number.to_string(),
        }),
        trace_header: None,
    }
}

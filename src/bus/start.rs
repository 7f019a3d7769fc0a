use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};

use super::carry::{Carrier, Destinations};
use super::deliver::{Deliverer, Inbox};
use super::handle::BusHandle;
use super::kind;
use super::meter::Meter;
use super::queue::Queues;
use super::route::Router;
use super::rule::{Rule, RuleBook};
use super::schema::{Discovery, Look};
use super::tick::Ticker;
use super::topic::{TopicParts, Topics};
use crate::notify::{CommandSettings, Notifier};
use crate::store::{ReadError, Store};
use crate::task::{Shutdown, TaskGroup};
use crate::time::Clock;

/// How long turns and deliveries have to stop; neither holds anything that is not stored.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What the bus works with.
#[derive(Debug)]
pub struct BusParts {
    /// Keeps everything.
    pub store: Store,
    /// Posts, mails and runs commands.
    pub notifier: Notifier,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What an operator may change about the bus.
#[derive(Clone, Debug, Default)]
pub struct BusSettings {
    /// The commands of functions, by name or ARN.
    pub functions: BTreeMap<Arc<str>, CommandSettings>,
    /// What links in messages begin with: `http://127.0.0.1:4586`.
    pub link_base: Option<Arc<str>>,
}

/// The running bus.
#[derive(Debug)]
pub struct Bus {
    handle: BusHandle,
    turns: TaskGroup,
    deliveries: TaskGroup,
}

impl BusHandle {
    /// A bus that does nothing: it answers for what is stored, but routes and delivers nothing. For
    /// looking into a data folder.
    ///
    /// Errors: as the store's reads.
    pub async fn at_rest(store: &Store, clock: &Arc<dyn Clock>) -> Result<Self, ReadError> {
        let book = Arc::new(RuleBook::default());
        let queues = Queues::load(store, clock).await?;
        let (inbox, _nobody) = Inbox::new();
        let (router, _nobody_looks) = router(&book, inbox);
        let discovery = router.discovery.clone();
        let topics = Topics::load(TopicParts {
            store: store.clone(),
            clock: Arc::clone(clock),
            router: router.clone(),
            link_base: None,
            has_mail: false,
        })
        .await?;
        let (changed, turn) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(1)));
        let (store, clock) = (store.clone(), Arc::clone(clock));
        Ok(Self {
            store,
            clock,
            book,
            queues,
            topics,
            router,
            discovery,
            functions: Arc::default(),
            tasks: TaskGroup::new(),
            replay_stops: Arc::default(),
            changed,
            turn,
        })
    }
}

/// A router to `inbox`, and the queue of events whose schemas are looked at.
fn router(book: &Arc<RuleBook>, inbox: Inbox) -> (Router, mpsc::Receiver<Look>) {
    let (discovery, seen) = Discovery::new();
    (Router { book: Arc::clone(book), inbox, discovery, meter: Meter::default() }, seen)
}

impl Bus {
    /// Reads rules and queues, has the store's events routed, and starts delivering in `tasks`.
    ///
    /// To be started before anything appends events, so that none passes unseen.
    /// Errors: as the store's reads.
    pub async fn start(
        settings: BusSettings,
        parts: BusParts,
        tasks: &TaskGroup,
    ) -> Result<Self, ReadError> {
        let BusParts { store, notifier, clock } = parts;
        let (turns, deliveries) = (tasks.child(), tasks.child());
        let book = Arc::new(RuleBook::default());
        for (scope, _, rule) in store.resources().everywhere::<Rule>(kind::RULE).await? {
            book.put(&scope, rule);
        }
        let queues = Queues::load(&store, &clock).await?;
        let (inbox, coming) = Inbox::new();
        let (router, seen) = router(&book, inbox.clone());
        let discovery = router.discovery.clone();
        discovery.load(&store).await?;
        let (changed, turn) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(1)));
        let follower = router.clone();
        store.follow_events(move |batch, at| follower.follow(batch, at));
        let topics = Topics::load(TopicParts {
            store: store.clone(),
            clock: Arc::clone(&clock),
            router: router.clone(),
            link_base: settings.link_base,
            has_mail: notifier.has_mail(),
        })
        .await?;
        let functions = Arc::new(settings.functions.keys().cloned().collect());
        let deliverer = Deliverer {
            store: store.clone(),
            carrier: Arc::new(Carrier {
                store: store.clone(),
                queues: queues.clone(),
                topics: topics.clone(),
                notifier,
                functions: settings.functions,
                destinations: Destinations::default(),
                clock: Arc::clone(&clock),
            }),
            clock: Arc::clone(&clock),
            tasks: deliveries.clone(),
            inbox,
            meter: router.meter.clone(),
        };
        let (meter, of, at) = (router.meter.clone(), store.clone(), Arc::clone(&clock));
        turns.spawn("count what rules do", |stop| meter.run(of, at, stop));
        deliveries.spawn("deliver events", |stop| deliverer.run(coming, stop));
        let ticker = Ticker {
            store: store.clone(),
            book: Arc::clone(&book),
            router: router.clone(),
            clock: Arc::clone(&clock),
            changed: Arc::clone(&changed),
        };
        turns.spawn("schedule rules", |stop| ticker.run(stop));
        let parts = (store.clone(), Arc::clone(&clock), Arc::clone(&turn));
        turns.spawn("discover schemas", |stop| discovery.clone().look(parts, seen, stop));
        let handle = BusHandle {
            store,
            clock,
            book,
            queues,
            topics,
            router,
            discovery,
            functions,
            tasks: turns.clone(),
            replay_stops: Arc::default(),
            changed,
            turn,
        };
        handle.resume_replays().await?;
        Ok(Self { handle, turns, deliveries })
    }

    /// How others ask it.
    pub const fn handle(&self) -> &BusHandle {
        &self.handle
    }

    /// Stops; what is owed stays in the store.
    pub async fn stop(&self) {
        for (part, group) in [("turns", &self.turns), ("deliveries", &self.deliveries)] {
            if let Shutdown::StillRunning(tasks) = group.shutdown(STOP_GRACE).await {
                tracing::warn!(part, ?tasks, "the bus stops although tasks still run");
            }
        }
    }
}

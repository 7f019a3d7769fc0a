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
use super::rule::Rule;
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
        let (inbox, _nobody) = Inbox::new();
        let (router, _nobody_looks) = router(inbox);
        let topics = (None, false);
        Self::load((store, clock), router, topics, TaskGroup::new()).await
    }

    /// Reads queues and topics; these need the base of links, and to know whether there is mail.
    async fn load(
        (store, clock): (&Store, &Arc<dyn Clock>),
        router: Router,
        (link_base, has_mail): (Option<Arc<str>>, bool),
        tasks: TaskGroup,
    ) -> Result<Self, ReadError> {
        let topics = TopicParts {
            store: store.clone(),
            clock: Arc::clone(clock),
            router: router.clone(),
            link_base,
            has_mail,
        };
        Ok(Self {
            store: store.clone(),
            clock: Arc::clone(clock),
            book: Arc::clone(&router.book),
            queues: Queues::load(store, clock).await?,
            topics: Topics::load(topics).await?,
            discovery: router.discovery.clone(),
            router,
            functions: Arc::default(),
            tasks,
            replay_stops: Arc::default(),
            changed: Arc::new(Notify::new()),
            turn: Arc::new(Semaphore::new(1)),
        })
    }
}

/// A router to `inbox` without rules, and the queue of events whose schemas are looked at.
fn router(inbox: Inbox) -> (Router, mpsc::Receiver<Look>) {
    let (discovery, seen) = Discovery::new();
    (Router { book: Arc::default(), inbox, discovery, meter: Meter::default() }, seen)
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
        let (inbox, coming) = Inbox::new();
        let (router, seen) = router(inbox.clone());
        for (scope, _, rule) in store.resources().everywhere::<Rule>(kind::RULE).await? {
            router.book.put(&scope, rule);
        }
        router.discovery.load(&store).await?;
        let topics = (settings.link_base, notifier.has_mail());
        let mut handle =
            BusHandle::load((&store, &clock), router.clone(), topics, turns.clone()).await?;
        handle.functions = Arc::new(settings.functions.keys().cloned().collect());
        let follower = router.clone();
        store.follow_events(move |batch, at| follower.follow(batch, at));
        let deliverer = Deliverer {
            store: store.clone(),
            carrier: Arc::new(Carrier {
                store: store.clone(),
                queues: handle.queues.clone(),
                topics: handle.topics.clone(),
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
        deliveries.spawn("deliver events", |stop| deliverer.run(coming, stop));
        let (meter, of, at) = (router.meter.clone(), store.clone(), Arc::clone(&clock));
        turns.spawn("count what rules do", |stop| meter.run(of, at, stop));
        let ticker = Ticker {
            store: store.clone(),
            book: Arc::clone(&handle.book),
            router,
            clock: Arc::clone(&clock),
            changed: Arc::clone(&handle.changed),
        };
        turns.spawn("schedule rules", |stop| ticker.run(stop));
        let (discovery, turn) = (handle.discovery.clone(), Arc::clone(&handle.turn));
        let parts = (store, clock, turn);
        turns.spawn("discover schemas", |stop| discovery.look(parts, seen, stop));
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

//! Evaluates alarms and makes their changes durable before anybody is told.
//!
//! Main types: [`Evaluator`], the one task that changes alarms; [`AlarmHandle`], how others ask it.
//! What a state means is decided by [`crate::alarm`]; what is sent is decided here, sending is the
//! business of [`super::deliver`].

mod announce;
mod book;
mod command;
mod evaluator;
mod mute;
mod mute_command;
mod pass;
mod rest;
mod tags;
mod window;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};

use self::announce::Announcer;
use super::deliver::NewRow;
use super::kind;
use super::memory::RunMemory;
use super::settings::MonitorSettings;
use crate::alarm::{CompositeAlarm, MetricAlarm, PutCompositeAlarm, PutMetricAlarm};
use crate::bus::BusHandle;
use crate::notify::Notifier;
use crate::store::{ReadError, Store};
use crate::task::TaskGroup;
use crate::telemetry::{MetricId, Scope};
use crate::time::Clock;
pub(in crate::monitor) use book::{AlarmBook, AlarmKey};
pub use book::{AlarmCondition, AlarmDefinition, AlarmSnapshot};
pub use command::{ActionsSwitch, AlarmCallError, ForcedState};
pub(in crate::monitor) use command::{AlarmCommand, CallAnswer};
pub(in crate::monitor) use evaluator::Evaluator;
pub use mute::{AlarmMuteRule, MuteFault, MuteStatus, PutMuteRule};
pub(in crate::monitor) use pass::Pass;
pub(in crate::monitor) use rest::CanaryRest;
pub(in crate::monitor) use window::Reader;
#[cfg(test)]
pub(in crate::monitor) use window::evaluation_window;

/// So many commands wait for the evaluator; callers wait for room.
const COMMANDS_WAITING_MAX: usize = 256;

/// Asks the evaluator, and reads what it knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AlarmHandle {
    book: Arc<RwLock<AlarmBook>>,
    commands: mpsc::Sender<AlarmCommand>,
}

/// What the evaluator works with.
#[derive(Debug)]
pub(super) struct AlarmParts {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Arc<MonitorSettings>,
    pub(super) memory: RunMemory,
    pub(super) outbox: mpsc::Sender<NewRow>,
    pub(super) bus: Option<BusHandle>,
}

impl AlarmHandle {
    /// Loads every alarm and starts evaluating.
    ///
    /// Errors: as the store's reads.
    pub(super) async fn start(
        parts: AlarmParts,
        notifier: &Notifier,
        tasks: &TaskGroup,
    ) -> Result<Self, ReadError> {
        let book = Arc::new(RwLock::new(load(&parts.store).await?));
        let (commands, obeyed) = mpsc::channel(COMMANDS_WAITING_MAX);
        let channels = notifier.channels().cloned().collect();
        let announcer =
            Announcer { settings: parts.settings, channels, memory: parts.memory, bus: parts.bus };
        let evaluator = Evaluator {
            started: parts.clock.now(),
            store: parts.store,
            clock: parts.clock,
            book: Arc::clone(&book),
            announcer,
            outbox: parts.outbox,
            forced: BTreeSet::new(),
            rests: HashMap::new(),
        };
        tasks.spawn("alarms", |stop| evaluator.run(obeyed, stop));
        Ok(Self { book, commands })
    }

    /// The stored alarms; nobody evaluates them.
    pub(super) async fn at_rest(store: &Store) -> Result<Self, ReadError> {
        let book = Arc::new(RwLock::new(load(store).await?));
        let (commands, _nobody) = mpsc::channel(1);
        Ok(Self { book, commands })
    }

    /// The alarms of a scope, by name.
    pub fn all(&self, scope: &Scope) -> Vec<Arc<AlarmSnapshot>> {
        self.read(|book| book.of_scope(scope).cloned().collect())
    }

    /// One alarm.
    pub fn get(&self, scope: &Scope, name: &str) -> Option<Arc<AlarmSnapshot>> {
        self.read(|book| book.get(&(scope.clone(), Arc::from(name))).cloned())
    }

    /// Creates or replaces a metric alarm, and evaluates it once.
    ///
    /// Errors: `Refused` when AWS would; `Store` when it was not stored.
    /// Cancel safety: a caller that stops waiting does not undo the change.
    pub async fn put_metric(
        &self,
        scope: &Scope,
        input: PutMetricAlarm,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::PutMetric(scope.clone(), Box::new(input), answer)).await
    }

    /// Creates or replaces a composite alarm, and evaluates it once.
    ///
    /// Errors: as `put_metric`.
    pub async fn put_composite(
        &self,
        scope: &Scope,
        input: PutCompositeAlarm,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::PutComposite(scope.clone(), Box::new(input), answer)).await
    }

    /// Deletes alarms; their history stays.
    ///
    /// Errors: `NoSuchAlarm` for an unknown name, after the known ones were deleted.
    pub async fn delete(&self, scope: &Scope, names: Vec<Arc<str>>) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::Delete(scope.clone(), names, answer)).await
    }

    /// Sets a state by hand; the next evaluation may change it again.
    ///
    /// Errors: `NoSuchAlarm`.
    pub async fn set_state(
        &self,
        scope: &Scope,
        forced: ForcedState,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::SetState(scope.clone(), forced, answer)).await
    }

    /// Says whether alarms do their actions; unknown names are passed over.
    ///
    /// Errors: `Store` when it was not stored.
    pub async fn enable_actions(
        &self,
        scope: &Scope,
        names: Vec<Arc<str>>,
        switch: ActionsSwitch,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::EnableActions(scope.clone(), names, switch, answer)).await
    }

    /// Evaluates every metric alarm now, as their boundaries do; gives how many there are, or
    /// nothing once the monitor stops.
    pub async fn evaluate_all(&self) -> Option<usize> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(AlarmCommand::EvaluateAll(answer)).await.ok()?;
        answered.await.ok()
    }

    /// A canary file declares these alarms and no others; they rest when it does.
    pub(super) async fn declare(
        &self,
        (scope, canary): (&Scope, &Arc<str>),
        alarms: Vec<MetricAlarm>,
        rest: Option<CanaryRest>,
    ) {
        let key = (scope.clone(), Arc::clone(canary));
        self.tell(AlarmCommand::Declared(key, alarms, rest)).await;
    }

    /// Metrics of a run are stored: whatever watches them is evaluated now.
    pub(super) async fn recorded(&self, scope: &Scope, metrics: Vec<MetricId>) {
        self.tell(AlarmCommand::Recorded(scope.clone(), metrics)).await;
    }

    async fn ask(
        &self,
        command: impl FnOnce(CallAnswer) -> AlarmCommand,
    ) -> Result<(), AlarmCallError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_stopped| AlarmCallError::Stopped)?;
        answered.await.map_err(|_stopped| AlarmCallError::Stopped)?
    }

    async fn tell(&self, command: AlarmCommand) {
        // Once the evaluator has stopped there is nobody left to be told.
        self.commands.send(command).await.unwrap_or(());
    }

    fn read<T>(&self, read: impl FnOnce(&AlarmBook) -> T) -> T {
        read(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Every alarm with its state, as the last life of the process left them.
async fn load(store: &Store) -> Result<AlarmBook, ReadError> {
    let resources = store.resources();
    let states = resources.everywhere::<AlarmCondition>(kind::ALARM_STATE).await?;
    let mut states: HashMap<(Scope, String), AlarmCondition> =
        states.into_iter().map(|(scope, name, state)| ((scope, name), state)).collect();
    let metric = resources.everywhere::<MetricAlarm>(kind::METRIC_ALARM).await?;
    let metric = metric.into_iter().map(|(s, n, a)| (s, n, AlarmDefinition::Metric(Arc::new(a))));
    let composite = resources.everywhere::<CompositeAlarm>(kind::COMPOSITE_ALARM).await?;
    let composite =
        composite.into_iter().map(|(s, n, a)| (s, n, AlarmDefinition::Composite(Arc::new(a))));
    let mut book = AlarmBook::default();
    for (scope, _, rule) in resources.everywhere::<AlarmMuteRule>(kind::ALARM_MUTE_RULE).await? {
        book.put_mute(&scope, rule);
    }
    for (scope, name, definition) in metric.chain(composite) {
        // A definition and its state are stored in one append, so there is one for each.
        if let Some(condition) = states.remove(&(scope.clone(), name)) {
            book.put(&scope, AlarmSnapshot { definition, condition });
        }
    }
    Ok(book)
}

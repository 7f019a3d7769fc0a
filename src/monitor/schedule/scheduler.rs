use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::admission::{Admission, Order, SkipReason};
use super::pause::Switched;
use super::timetable::{Due, Reading, Timetable, Timing};
use crate::alarm::{AlarmCare, Condition, ConditionAlarm, MetricAlarm, TreatMissingData};
use crate::canary::definition::{AlarmDeclaration, Canary, MissingData};
use crate::canary::load::Fault;
use crate::diagnostic::{MessageFormat, render};
use crate::monitor::alarms::AlarmHandle;
use crate::monitor::record::{Recorder, SlotFacts};
use crate::monitor::run_row::{CanaryRow, CanaryState};
use crate::monitor::settings::MonitorSettings;
use crate::monitor::watch::FolderChange;
use crate::runner::{RunRequest, Runner};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::{Clock, Timestamp};

/// So many commands wait for the scheduler.
pub(in crate::monitor) const SCHEDULE_COMMANDS_MAX: usize = 64;
/// How long cancelled runs have to end when the monitor stops.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// What others ask of the scheduler.
#[derive(Debug)]
pub(in crate::monitor) enum ScheduleCommand {
    /// The folder changed.
    Folder(FolderChange),
    /// Run a canary now; answers whether there is such a canary.
    RunNow(Arc<str>, oneshot::Sender<bool>),
    /// Take a canary off its schedule.
    Pause(Arc<str>, oneshot::Sender<Switched>),
    /// Put it on again.
    Resume(Arc<str>, oneshot::Sender<Switched>),
}

/// The canaries that are known, for whoever wants to show them.
#[derive(Clone, Debug, Default)]
pub(in crate::monitor) struct CanaryList(Arc<RwLock<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    canaries: BTreeMap<Arc<str>, Arc<Canary>>,
    faults: Arc<[Fault]>,
}

impl CanaryList {
    pub(in crate::monitor) fn canaries(&self) -> Vec<Arc<Canary>> {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        listed.canaries.values().cloned().collect()
    }

    pub(in crate::monitor) fn faults(&self) -> Arc<[Fault]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).faults)
    }

    fn change(&self, change: impl FnOnce(&mut Listed)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a scheduler works with.
#[derive(Debug)]
pub(in crate::monitor) struct SchedulerParts {
    pub(in crate::monitor) settings: Arc<MonitorSettings>,
    pub(in crate::monitor) clock: Arc<dyn Clock>,
    pub(in crate::monitor) runner: Runner,
    pub(in crate::monitor) recorder: Recorder,
    pub(in crate::monitor) alarms: AlarmHandle,
    pub(in crate::monitor) list: CanaryList,
    /// Where runs are started.
    pub(in crate::monitor) tasks: TaskGroup,
    /// The slots that were run last, from an earlier life of the process.
    pub(in crate::monitor) last_slots: HashMap<Arc<str>, Timestamp>,
    /// Canaries as they were noted last.
    pub(in crate::monitor) rows: HashMap<Arc<str>, CanaryRow>,
}

/// Starts runs of canaries when they are due.
#[derive(Debug)]
pub(in crate::monitor) struct Scheduler {
    pub(super) parts: SchedulerParts,
    pub(super) canaries: BTreeMap<Arc<str>, Arc<Canary>>,
    pub(super) timetable: Timetable,
    pub(super) admission: Admission,
    running: HashMap<Arc<str>, Vec<CancellationToken>>,
    /// What is known of slots that did not start yet.
    facts: HashMap<(Arc<str>, Timestamp), SlotFacts>,
    finished: mpsc::Sender<Finished>,
    endings: mpsc::Receiver<Finished>,
}

/// A run has ended.
#[derive(Debug)]
struct Finished {
    canary: Arc<str>,
    cancel: CancellationToken,
}

impl Scheduler {
    pub(in crate::monitor) fn new(parts: SchedulerParts) -> Self {
        let slots = parts.settings.run_slots.max(1);
        let (finished, endings) = mpsc::channel(slots);
        Self {
            timetable: Timetable::new(parts.settings.catch_up_within),
            admission: Admission::new(slots),
            parts,
            canaries: BTreeMap::new(),
            running: HashMap::new(),
            facts: HashMap::new(),
            finished,
            endings,
        }
    }

    /// Schedules until `stop`; then runs get their grace, and what still runs is cancelled.
    pub(in crate::monitor) async fn run(
        mut self,
        mut commands: mpsc::Receiver<ScheduleCommand>,
        stop: CancellationToken,
    ) {
        loop {
            let wait = self.timetable.wait(self.reading());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(finished) = self.endings.recv() => self.ended(&finished),
                Some(command) = commands.recv() => self.obey(command).await,
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.reading();
            for due in self.timetable.take_due(now) {
                self.is_due(due);
            }
        }
        self.drain().await;
    }

    async fn obey(&mut self, command: ScheduleCommand) {
        match command {
            ScheduleCommand::Folder(change) => self.follow(change).await,
            ScheduleCommand::RunNow(name, answer) => {
                let known = self.canaries.contains_key(&name);
                if known {
                    self.run_now(&name);
                }
                // A caller that does not wait any more does not undo the run.
                answer.send(known).unwrap_or(());
            }
            ScheduleCommand::Pause(name, answer) => {
                answer.send(self.pause(&name).await).unwrap_or(());
            }
            ScheduleCommand::Resume(name, answer) => {
                answer.send(self.resume(&name).await).unwrap_or(());
            }
        }
    }

    async fn follow(&mut self, change: FolderChange) {
        for fault in &change.faults {
            let line = render(&fault.diagnostic, &fault.file, MessageFormat::Short);
            tracing::warn!(fault = line.trim_end(), "canary file has a fault");
        }
        let scope = self.parts.settings.scope.clone();
        for name in change.gone {
            self.canaries.remove(&name);
            self.timetable.remove(&name);
            self.admission.forget(&name);
            self.parts.alarms.declare((&scope, &name), Vec::new(), None).await;
            if let Some(mut row) = self.parts.rows.remove(&name) {
                row.state = CanaryState::Stopped;
                row.stopped = Some(self.parts.clock.now());
                self.parts.recorder.canary(&row).await;
            }
            tracing::info!(canary = %name, "canary is gone");
        }
        for canary in change.changed {
            self.put(canary).await;
        }
        let canaries = self.canaries.clone();
        self.parts.list.change(|listed| {
            *listed = Listed { canaries, faults: change.faults.into() };
        });
    }

    /// Takes a canary that is new, or whose file or imports changed.
    async fn put(&mut self, canary: Arc<Canary>) {
        let name = Arc::clone(&canary.name);
        let now = self.reading();
        let known = self.canaries.insert(Arc::clone(&name), Arc::clone(&canary));
        let is_edited = known.as_ref().is_some_and(|k| k.source.text() != canary.source.text());
        let scope = &self.parts.settings.scope;
        let is_paused = self.is_paused(&name);
        self.declare(&canary).await;
        if known.is_none() || is_edited {
            let row = CanaryRow::of(scope, &canary, self.parts.rows.get(&name), now.wall);
            self.parts.recorder.canary(&row).await;
            self.parts.rows.insert(Arc::clone(&name), row);
        }
        let due = match &canary.schedule {
            Some(schedule) if !is_paused => {
                let last = self.parts.last_slots.get(&name).copied();
                self.timetable.add(&name, Timing::from(schedule), last, now)
            }
            _ => {
                self.timetable.remove(&name);
                None
            }
        };
        match due {
            Some(due) => self.is_due(due),
            // Whoever edits a canary wants to see what it does now.
            None if is_edited && canary.schedule.is_some() && !is_paused => self.run_now(&name),
            None => {}
        }
    }

    pub(super) fn run_now(&mut self, name: &Arc<str>) {
        let slot = Some(self.parts.clock.now());
        self.is_due(Due { canary: Arc::clone(name), slot, late: Duration::ZERO, missed: 0 });
    }

    fn is_due(&mut self, due: Due) {
        let Due { canary: name, slot, late, missed } = due;
        let Some(canary) = self.canaries.get(&name) else { return };
        let Some(slot) = slot else {
            let recorder = self.parts.recorder.clone();
            let note = async move { recorder.missed(&name, missed).await };
            return self.parts.tasks.spawn("note missed runs", |_stop| note);
        };
        self.parts.last_slots.insert(Arc::clone(&name), slot);
        let now = self.parts.clock.now();
        if canary.maintenance.iter().any(|w| w.closes(now).is_some_and(|closes| now < closes)) {
            let skip = Order::Skip { canary: name, slot, reason: SkipReason::Maintenance };
            return self.carry_out(vec![skip]);
        }
        self.facts.insert((Arc::clone(&name), slot), SlotFacts { slot, late, missed });
        let orders = self.admission.due(&name, canary.overlap, slot);
        self.carry_out(orders);
    }

    fn ended(&mut self, finished: &Finished) {
        if let Some(tokens) = self.running.get_mut(&finished.canary) {
            // A token that was cancelled is told apart from the others by being cancelled; of those
            // that were not, any will do.
            let is_cancelled = finished.cancel.is_cancelled();
            if let Some(at) = tokens.iter().position(|t| t.is_cancelled() == is_cancelled) {
                tokens.swap_remove(at);
            }
            if tokens.is_empty() {
                self.running.remove(&finished.canary);
            }
        }
        let orders = self.admission.finished(&finished.canary);
        self.carry_out(orders);
    }

    fn carry_out(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Start { canary, slot } => self.start(&canary, slot),
                Order::Skip { canary, slot, reason } => {
                    self.facts.remove(&(Arc::clone(&canary), slot));
                    let recorder = self.parts.recorder.clone();
                    let note = async move { recorder.skipped(&canary, slot, reason).await };
                    self.parts.tasks.spawn("note a skipped run", |_stop| note);
                }
                Order::Cancel { canary } => {
                    self.running
                        .get(&canary)
                        .into_iter()
                        .flatten()
                        .for_each(|token| token.cancel());
                }
            }
        }
    }

    fn start(&mut self, name: &Arc<str>, slot: Timestamp) {
        let known = SlotFacts { slot, late: Duration::ZERO, missed: 0 };
        let facts = self.facts.remove(&(Arc::clone(name), slot)).unwrap_or(known);
        let cancel = CancellationToken::new();
        let finished = Finished { canary: Arc::clone(name), cancel: cancel.clone() };
        let tell = self.finished.clone();
        let canary = self.canaries.get(name).cloned();
        self.running.entry(Arc::clone(name)).or_default().push(cancel.clone());
        let (runner, recorder) = (self.parts.runner.clone(), self.parts.recorder.clone());
        // A run ends by its own deadline or by `cancel`, so it takes no notice of the group's stop.
        self.parts.tasks.spawn(format!("run {name}"), |_stop| async move {
            if let Some(canary) = canary {
                Box::pin(run_all(&runner, &recorder, &canary, (facts, cancel))).await;
            }
            tell.send(finished).await.unwrap_or(());
        });
    }

    /// Waits for what runs, at most its grace; then cancels it and waits a little more.
    async fn drain(&mut self) {
        for grace in [self.parts.settings.grace, CANCEL_GRACE] {
            let ends = tokio::time::sleep(grace);
            tokio::pin!(ends);
            while !self.running.is_empty() {
                tokio::select! {
                    () = &mut ends => break,
                    Some(finished) = self.endings.recv() => {
                        // Nothing that waited is started any more.
                        self.running.remove(&finished.canary);
                    }
                }
            }
            self.running.values().flatten().for_each(CancellationToken::cancel);
        }
    }

    pub(super) fn reading(&self) -> Reading {
        Reading::of(self.parts.clock.as_ref())
    }
}

/// Makes the runs of one slot, one for each combination, and keeps what they left.
async fn run_all(
    runner: &Runner,
    recorder: &Recorder,
    canary: &Arc<Canary>,
    (facts, cancel): (SlotFacts, CancellationToken),
) {
    recorder.slot(&canary.name, facts.slot).await;
    for request in RunRequest::expand(canary) {
        let request = RunRequest { scheduled: Some(facts.slot), cancel: cancel.clone(), ..request };
        let report = Box::pin(runner.run(request, &mut |_event| {})).await;
        recorder.run(canary, &report, &facts).await;
        if cancel.is_cancelled() {
            break;
        }
    }
}

/// The alarms that a canary's file declares.
pub fn declared_alarms(canary: &Canary, scope: &Scope, configured: Timestamp) -> Vec<MetricAlarm> {
    let alarm = |(number, declared): (usize, &AlarmDeclaration)| {
        let condition = Condition::parse(&declared.when).ok()?;
        let usual = || format!("Synthetics-Alarm-{}-{number}", canary.name).into();
        let topic = |channel: &Arc<str>| scope.arn("sns", channel).into();
        Some(condition.alarm(ConditionAlarm {
            name: declared.name.clone().unwrap_or_else(usual),
            canary: &canary.name,
            text: &declared.when,
            missing: treatment(declared.missing),
            care: AlarmCare { dwell: declared.dwell, remind: declared.remind },
            notify: declared.notify.iter().map(topic).collect(),
            configured,
        }))
    };
    (1..).zip(&canary.alarms).filter_map(alarm).collect()
}

const fn treatment(missing: MissingData) -> TreatMissingData {
    match missing {
        MissingData::Missing => TreatMissingData::Missing,
        MissingData::Ignore => TreatMissingData::Ignore,
        MissingData::Breaching => TreatMissingData::Breaching,
        MissingData::NotBreaching => TreatMissingData::NotBreaching,
    }
}

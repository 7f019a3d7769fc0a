use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::alarms::{AlarmHandle, AlarmParts};
use super::deliver::{Backlog, Deliverer, NEW_ROWS_MAX};
use super::handle::MonitorHandle;
use super::hosted::{HostedCanaries, HostedParts};
use super::kind;
use super::logs::{LogDeliverer, LogRules};
use super::memory::RunMemory;
use super::metric_streams::MetricStreams;
use super::record::Recorder;
use super::run_row::{CanaryRow, CanaryRunRow};
use super::schedule::{
    CanaryList, SCHEDULE_COMMANDS_MAX, ScheduleCommand, Scheduler, SchedulerParts,
};
use super::settings::MonitorSettings;
use super::trails::{InsightWatch, TrailDeliverer, TrailHandle};
use super::watch::FolderWatch;
use crate::bus::BusHandle;
use crate::notify::Notifier;
use crate::runner::Runner;
use crate::store::{Page, ReadError, RowPage, Store};
use crate::task::{Shutdown, TaskGroup};
use crate::time::{Clock, Timestamp};

/// Why the monitor cannot start.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// What an earlier life of the process left cannot be read.
    #[error("cannot read what the monitor knew")]
    Read(#[from] ReadError),
}

/// The running monitor.
#[derive(Debug)]
pub struct Monitor {
    handle: MonitorHandle,
    grace: Duration,
    scheduling: TaskGroup,
    runs: TaskGroup,
    alarms: TaskGroup,
    deliveries: TaskGroup,
}

/// What the monitor works with.
#[derive(Debug)]
pub struct MonitorParts {
    /// Keeps everything.
    pub store: Store,
    /// Makes runs.
    pub runner: Runner,
    /// Tells people.
    pub notifier: Notifier,
    /// Carries actions on topics and functions; without it they fail and say so. It is started
    /// before the monitor, so that no event of an alarm passes unseen.
    pub bus: Option<BusHandle>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// How many runs of each canary are looked through for the last good and the last bad one.
const REMEMBERED_RUNS: usize = 50;
/// How long the alarms and the deliverer have to stop; neither holds anything that is not stored.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl Monitor {
    /// Loads what is known, then schedules, evaluates and delivers in tasks under `tasks`.
    ///
    /// Errors: as the store's reads. A folder that cannot be read is no error: it is read later.
    pub async fn start(
        settings: MonitorSettings,
        parts: MonitorParts,
        tasks: &TaskGroup,
    ) -> Result<Self, MonitorError> {
        let MonitorParts { store, runner, notifier, bus, clock } = parts;
        let settings = Arc::new(settings);
        let [scheduling, runs, alarm_tasks, deliveries] = [(); 4].map(|()| tasks.child());
        let memory = RunMemory::default();
        let left = Backlog::of(&store).await?;
        let (outbox, new_rows) = mpsc::channel(NEW_ROWS_MAX);
        let alarm_parts = AlarmParts {
            store: store.clone(),
            clock: Arc::clone(&clock),
            settings: Arc::clone(&settings),
            memory: memory.clone(),
            outbox,
            bus: bus.clone(),
        };
        let known = Known::load(&store, &settings).await?;
        let logs = LogRules::load(&store, Arc::clone(&clock)).await?;
        let alarms = AlarmHandle::start(alarm_parts, &notifier, &alarm_tasks).await?;
        let recorder = Recorder {
            store: store.clone(),
            alarms: alarms.clone(),
            logs: logs.clone(),
            memory,
            settings: Arc::clone(&settings),
            clock: Arc::clone(&clock),
        };
        recorder.remember_all(&known.runs);
        let trails = TrailHandle::load(&store, &clock).await?;
        send_telemetry((&store, &clock), &logs, &trails, &deliveries);
        let deliverer = Deliverer {
            store,
            notifier,
            bus,
            settings: Arc::clone(&settings),
            clock: Arc::clone(&clock),
            tasks: deliveries.clone(),
        };
        deliveries.spawn("deliver", |stop| deliverer.run(left, new_rows, stop));
        let hosted_parts = HostedParts {
            store: recorder.store.clone(),
            runner: runner.clone(),
            recorder: recorder.clone(),
            clock: Arc::clone(&clock),
            tasks: runs.clone(),
        };
        let hosted = HostedCanaries::start(hosted_parts, settings.run_slots).await?;
        let (list, scripts) = (CanaryList::default(), runner.script_place());
        let looking = Arc::clone(&clock);
        let scheduler = Scheduler::new(SchedulerParts {
            settings: Arc::clone(&settings),
            clock,
            runner,
            recorder,
            alarms: alarms.clone(),
            list: list.clone(),
            tasks: runs.clone(),
            last_slots: known.last_slots,
            rows: known.rows,
        });
        let (schedule, commands) = mpsc::channel(SCHEDULE_COMMANDS_MAX);
        scheduling.spawn("schedule", |stop| scheduler.run(commands, stop));
        if let Some(folder) = &settings.canaries {
            let (tell, pace) = (schedule.clone(), (settings.look_every, looking));
            let watch = FolderWatch::new(folder.clone(), scripts);
            scheduling.spawn("watch canaries", |stop| watch_folder(watch, pace, tell, stop));
        }
        let (scope, grace) = (settings.scope.clone(), settings.grace);
        let handle = MonitorHandle { scope, alarms, logs, hosted, trails, list, schedule };
        Ok(Self { handle, grace, scheduling, runs, alarms: alarm_tasks, deliveries })
    }

    /// How others ask it.
    pub const fn handle(&self) -> &MonitorHandle {
        &self.handle
    }

    /// Stops in order: no run starts any more; runs end and are kept; alarms have looked at them;
    /// what is not delivered stays in the outbox. The store can be closed after.
    pub async fn stop(&self) {
        let runs_end = self.grace + STOP_GRACE * 5;
        let in_order = [
            ("schedule", &self.scheduling, runs_end),
            ("runs", &self.runs, STOP_GRACE),
            ("alarms", &self.alarms, STOP_GRACE),
            ("deliveries", &self.deliveries, STOP_GRACE),
        ];
        for (part, group, grace) in in_order {
            if let Shutdown::StillRunning(tasks) = group.shutdown(grace).await {
                tracing::warn!(part, ?tasks, "the monitor stops although tasks still run");
            }
        }
    }
}

/// Sends on what was stored: log events, audit records and metrics, to whom asked for them.
fn send_telemetry(
    (store, clock): (&Store, &Arc<dyn Clock>),
    logs: &LogRules,
    trails: &TrailHandle,
    tasks: &TaskGroup,
) {
    let (store, clock) = (store.clone(), Arc::clone(clock));
    let streams = MetricStreams { store: store.clone(), clock: Arc::clone(&clock) };
    let lines = LogDeliverer { store, rules: logs.clone(), clock };
    let (records, rates) = (TrailDeliverer(trails.clone()), InsightWatch(trails.clone()));
    tasks.spawn("deliver log events", |stop| lines.run(stop));
    tasks.spawn("deliver trails", |stop| records.run(stop));
    tasks.spawn("watch rates of calls", |stop| rates.run(stop));
    tasks.spawn("send metric streams", |stop| streams.run(stop));
}

/// What earlier lives of the process left.
#[derive(Debug, Default)]
struct Known {
    rows: HashMap<Arc<str>, CanaryRow>,
    last_slots: HashMap<Arc<str>, Timestamp>,
    /// The last runs of every canary, oldest first.
    runs: Vec<CanaryRunRow>,
}

impl Known {
    async fn load(store: &Store, settings: &MonitorSettings) -> Result<Self, ReadError> {
        let mut known = Self::default();
        let resources = store.resources();
        let scope = &settings.scope;
        let slots = resources.list::<Timestamp>(scope, kind::CANARY_SLOT, &Page::ALL).await?;
        known.last_slots = slots.into_iter().map(|(name, at)| (name.into(), at)).collect();
        for (name, row) in resources.list::<CanaryRow>(scope, kind::CANARY, &Page::ALL).await? {
            let page = RowPage::newest(REMEMBERED_RUNS);
            let mut runs = resources.rows(scope, kind::CANARY_RUN, &name, &page).await?;
            runs.reverse();
            known.runs.extend(runs.into_iter().map(|(_, row)| row));
            known.rows.insert(name.into(), row);
        }
        Ok(known)
    }
}

/// Looks at the folder again and again, on a thread where reading files is right.
async fn watch_folder(
    mut watch: FolderWatch,
    (every, clock): (Duration, Arc<dyn Clock>),
    tell: mpsc::Sender<ScheduleCommand>,
    stop: CancellationToken,
) {
    // BOUND: a look at a hundred thousand files takes a second; looking takes a hundredth of one
    // processor.
    const REST_FOR_EACH_LOOK: u32 = 99;
    const REST_MAX: Duration = Duration::from_secs(120);
    let mut is_lost = false;
    loop {
        let begun = clock.monotonic();
        let looked = tokio::task::spawn_blocking(move || {
            let looked = watch.look();
            (watch, looked)
        });
        let Ok((same, looked)) = looked.await else { return };
        watch = same;
        let rest = match looked {
            Ok(None) => clock.monotonic().since(begun) * REST_FOR_EACH_LOOK,
            // What has just changed often changes again.
            _ => Duration::ZERO,
        };
        match looked {
            Ok(change) => {
                is_lost = false;
                if let Some(change) = change
                    && tell.send(ScheduleCommand::Folder(change)).await.is_err()
                {
                    return;
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_lost, true) {
                    tracing::warn!(%error, "cannot read canaries; those that are known go on");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every.max(rest.min(REST_MAX))) => {}
        }
    }
}

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::alarms::AlarmHandle;
use super::brought::{BringError, BroughtRun};
use super::hosted::{HostedCanaries, HostedParts};
use super::logs::LogRules;
use super::memory::RunMemory;
use super::record::Recorder;
use super::schedule::{CanaryList, ScheduleCommand, Switched};
use super::settings::MonitorSettings;
use super::trails::TrailHandle;
use crate::canary::definition::Canary;
use crate::canary::load::Fault;
use crate::runner::{Runner, RunnerSettings};
use crate::store::{ReadError, Store};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::Clock;

/// Asks the monitor, and reads what it knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MonitorHandle {
    pub(super) scope: Scope,
    pub(super) alarms: AlarmHandle,
    pub(super) logs: LogRules,
    pub(super) hosted: HostedCanaries,
    pub(super) trails: TrailHandle,
    pub(super) list: CanaryList,
    pub(super) schedule: mpsc::Sender<ScheduleCommand>,
}

impl MonitorHandle {
    /// A monitor that does nothing: it knows the stored alarms and answers for them, but schedules,
    /// evaluates and delivers nothing, and carries out no command. For looking into a data folder.
    ///
    /// Errors: as the store's reads.
    pub async fn at_rest(
        store: &Store,
        scope: Scope,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ReadError> {
        let (schedule, _nobody) = mpsc::channel(1);
        let alarms = AlarmHandle::at_rest(store).await?;
        let logs = LogRules::load(store, Arc::clone(clock)).await?;
        let recorder = Recorder {
            store: store.clone(),
            alarms: alarms.clone(),
            logs: logs.clone(),
            memory: RunMemory::default(),
            settings: Arc::new(MonitorSettings::default()),
            clock: Arc::clone(clock),
        };
        let hosted = HostedCanaries::at_rest(HostedParts {
            store: store.clone(),
            runner: Runner::new(RunnerSettings::default(), Arc::clone(clock)),
            recorder,
            clock: Arc::clone(clock),
            tasks: TaskGroup::new(),
        });
        let trails = TrailHandle::load(store, clock).await?;
        Ok(Self { scope, alarms, logs, hosted, trails, list: CanaryList::default(), schedule })
    }

    /// Keeps a run that was made elsewhere, and has the alarms on its metrics look.
    ///
    /// Errors: as the store's; the same run may be brought again and counts once.
    pub async fn bring(
        &self,
        store: &Store,
        scope: &Scope,
        run: BroughtRun,
    ) -> Result<(), BringError> {
        run.keep(store, &self.alarms, scope).await
    }

    /// The scope that canaries, their runs and their alarms are in.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Alarms: read, put, deleted, set by hand.
    pub const fn alarms(&self) -> &AlarmHandle {
        &self.alarms
    }

    /// What follows from log events; whoever appends some has it absorb them first.
    pub const fn logs(&self) -> &LogRules {
        &self.logs
    }

    /// The canaries that clients made.
    pub const fn hosted(&self) -> &HostedCanaries {
        &self.hosted
    }

    /// Trails: what calls become files in a bucket.
    pub const fn trails(&self) -> &TrailHandle {
        &self.trails
    }

    /// The canaries of the folder that can be run, by name.
    pub fn canaries(&self) -> Vec<Arc<Canary>> {
        self.list.canaries()
    }

    /// What is wrong with files of the folder since it last changed.
    pub fn folder_faults(&self) -> Arc<[Fault]> {
        self.list.faults()
    }

    /// Takes a canary of the folder off its schedule.
    pub async fn pause(&self, canary: &str) -> Switched {
        self.switch(|answer| ScheduleCommand::Pause(canary.into(), answer)).await
    }

    /// Puts a canary of the folder on its schedule again, and runs it.
    pub async fn resume(&self, canary: &str) -> Switched {
        self.switch(|answer| ScheduleCommand::Resume(canary.into(), answer)).await
    }

    async fn switch(
        &self,
        command: impl FnOnce(oneshot::Sender<Switched>) -> ScheduleCommand,
    ) -> Switched {
        let (answer, answered) = oneshot::channel();
        if self.schedule.send(command(answer)).await.is_err() {
            return Switched::Unknown;
        }
        answered.await.unwrap_or(Switched::Unknown)
    }

    /// Runs a canary now, as if it were due; says whether there is such a canary.
    pub async fn run_now(&self, canary: &str) -> bool {
        let (answer, answered) = oneshot::channel();
        let command = ScheduleCommand::RunNow(canary.into(), answer);
        if self.schedule.send(command).await.is_err() {
            return false;
        }
        answered.await.unwrap_or(false)
    }
}

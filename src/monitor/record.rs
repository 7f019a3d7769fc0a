use std::sync::Arc;
use std::time::Duration;

use super::alarms::AlarmHandle;
use super::kind;
use super::logs::LogRules;
use super::memory::RunMemory;
use super::run_row::{ArtifactRow, CanaryRow, CanaryRunRow};
use super::schedule::{LATENESS, NAMESPACE, SkipReason};
use super::settings::{MonitorSettings, RunFollower};
use crate::alarm::Condition;
use crate::canary::definition::{AlarmDeclaration, Canary};
use crate::canary::report::{Artifact, RunReport};
use crate::canary::schedule::Schedule;
use crate::canary::telemetry;
use crate::store::{AppendError, ResourceChanges, SortKey, Store};
use crate::telemetry::{
    Dimensions, MetricBatch, MetricDatum, MetricId, StandardUnit, StorageResolution, TelemetryBatch,
};
use crate::time::{Clock, Period, Timestamp};

/// How often a busy store is asked again, and how long is waited in between.
const BUSY_TRIES: u32 = 20;
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// Keeps what runs left: telemetry, the row of the run, artifacts; then has the alarms look.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    pub(super) store: Store,
    pub(super) alarms: AlarmHandle,
    pub(super) logs: LogRules,
    pub(super) memory: RunMemory,
    pub(super) settings: Arc<MonitorSettings>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What the scheduler knows of a slot.
#[derive(Clone, Debug)]
pub(super) struct SlotFacts {
    /// When the run was due.
    pub(super) slot: Timestamp,
    /// How much later it was started.
    pub(super) late: Duration,
    /// Slots before it that were not run.
    pub(super) missed: u64,
}

impl Recorder {
    /// Keeps a finished run.
    pub(super) async fn run(&self, canary: &Canary, report: &RunReport, facts: &SlotFacts) {
        let artifacts = self.artifacts(&report.artifacts).await;
        let row = CanaryRunRow::of(report, artifacts);
        let scope = &self.settings.scope;
        // Its id makes a run that is appended again after an unclear failure count once.
        let mut batch = telemetry::batch(report, canary, scope.clone());
        if needs_seconds(canary) {
            let metrics = batch.metrics.iter_mut().flat_map(|metrics| &mut metrics.data);
            metrics.for_each(|datum| datum.storage_resolution = StorageResolution::High);
        }
        let at = report.started;
        let mut own = vec![(at, LATENESS, seconds(facts.late), StandardUnit::Seconds)];
        if facts.missed > 0 {
            own.push((at, "RunsMissed", count(facts.missed), StandardUnit::Count));
        }
        add_own_metrics(&mut batch, &row.canary, &own);
        let absorbed = match self.logs.absorb(&mut batch) {
            Ok(absorbed) => absorbed,
            Err(error) => {
                return tracing::error!(canary = %row.canary, run = %row.id, %error, "run not kept");
            }
        };
        let metrics = metric_ids(&batch);
        let follower = self.settings.follower.as_ref().map(|follower| (follower, batch.clone()));
        match self.append(batch, &row, absorbed.changes.clone()).await {
            Ok(()) => self.logs.appended(absorbed),
            Err(error) => {
                return tracing::error!(canary = %row.canary, run = %row.id, %error, "run not kept");
            }
        }
        if let Some((RunFollower(tell), batch)) = follower {
            tell(&batch);
        }
        self.remember(&row);
        // The alarms look only after the run is remembered, so that they can tell of it.
        self.alarms.recorded(scope, metrics).await;
        let (outcome, elapsed_ms) = (report.outcome.as_str(), report.elapsed.as_millis());
        tracing::info!(canary = %row.canary, run = %row.id, outcome, elapsed_ms, "run finished");
    }

    /// Keeps that a run was due and did not start.
    pub(super) async fn skipped(&self, canary: &Arc<str>, slot: Timestamp, reason: SkipReason) {
        let row = CanaryRunRow::skipped(canary, slot, reason.as_str());
        let mut batch = TelemetryBatch::new(self.settings.scope.clone());
        let mut own = vec![(slot, "RunsSkipped", 1.0, StandardUnit::Count)];
        if reason == SkipReason::Maintenance {
            // Whoever skips on purpose is not silent.
            own.push((slot, LATENESS, 0.0, StandardUnit::Seconds));
        }
        add_own_metrics(&mut batch, canary, &own);
        self.keep_own(canary, batch, Some(&row)).await;
        match reason {
            SkipReason::Maintenance => tracing::info!(%canary, "run skipped in a window"),
            other => tracing::warn!(%canary, reason = other.as_str(), "run skipped"),
        }
    }

    /// Keeps that slots passed and none of them is run.
    pub(super) async fn missed(&self, canary: &Arc<str>, missed: u64) {
        let mut batch = TelemetryBatch::new(self.settings.scope.clone());
        let now = self.clock.now();
        let own = [(now, "RunsMissed", count(missed), StandardUnit::Count)];
        add_own_metrics(&mut batch, canary, &own);
        self.keep_own(canary, batch, None).await;
        tracing::warn!(%canary, missed, "runs missed");
    }

    async fn keep_own(&self, canary: &Arc<str>, batch: TelemetryBatch, row: Option<&CanaryRunRow>) {
        let metrics = metric_ids(&batch);
        let kept = match row {
            Some(row) => self.append(batch, row, ResourceChanges::new()).await,
            None => self.store.append(batch).await.map(drop),
        };
        match kept {
            Ok(()) => self.alarms.recorded(&self.settings.scope, metrics).await,
            Err(error) => tracing::warn!(%canary, %error, "schedule metrics not kept"),
        }
    }

    /// Telemetry and row in one append; older rows than wanted are dropped with it.
    async fn append(
        &self,
        batch: TelemetryBatch,
        row: &CanaryRunRow,
        changes: ResourceChanges,
    ) -> Result<(), AppendError> {
        let kept_from = self.clock.now().minus(self.settings.runs_kept_for);
        let changes = changes
            .put_row(kind::CANARY_RUN, &row.canary, row.sort_key(), row)?
            .delete_rows_before(kind::CANARY_RUN, &row.canary, SortKey::start_of(kept_from));
        for _ in 0..BUSY_TRIES {
            match self.store.append_with(batch.clone(), changes.clone()).await {
                Err(AppendError::Busy) => tokio::time::sleep(BUSY_WAIT).await,
                answered => return answered.map(drop),
            }
        }
        Err(AppendError::Busy)
    }

    async fn artifacts(&self, artifacts: &[Artifact]) -> Vec<ArtifactRow> {
        let mut rows = Vec::new();
        for artifact in artifacts {
            let put = self.store.artifacts().put(artifact.bytes.clone());
            match put.await {
                Ok(id) => rows.push(ArtifactRow {
                    id,
                    kind: artifact.kind,
                    name: artifact.name.clone(),
                    media_type: artifact.media_type.to_owned(),
                    bytes: artifact.bytes.len() as u64,
                }),
                // The run is worth keeping without its pictures.
                Err(error) => tracing::warn!(name = artifact.name, %error, "artifact not kept"),
            }
        }
        rows
    }

    fn remember(&self, row: &CanaryRunRow) {
        if row.outcome.is_good() {
            self.memory.note_good(&row.canary, row.started);
        } else if let Some(run) = row.failed_run() {
            self.memory.note_failed(&row.canary, run);
        }
    }

    /// Remembers the last runs of an earlier life of the process.
    pub(super) fn remember_all(&self, rows: &[CanaryRunRow]) {
        rows.iter().for_each(|row| self.remember(row));
    }

    /// Notes that a slot is run, before it is: no later life runs it again.
    pub(super) async fn slot(&self, canary: &Arc<str>, slot: Timestamp) {
        let resources = self.store.resources();
        let put = resources.put(&self.settings.scope, kind::CANARY_SLOT, canary, &slot).await;
        if let Err(error) = put {
            tracing::warn!(%canary, %error, "slot not noted");
        }
    }

    /// Notes a canary.
    pub(super) async fn canary(&self, row: &CanaryRow) {
        let resources = self.store.resources();
        let put = resources.put(&self.settings.scope, kind::CANARY, &row.name, row).await;
        if let Err(error) = put {
            tracing::warn!(canary = %row.name, %error, "canary not noted");
        }
    }
}

/// Whether a minute would blur what the canary is watched for: it runs, or is judged, more often.
fn needs_seconds(canary: &Canary) -> bool {
    let minute = Period::MINUTE.as_duration();
    let runs_often =
        canary.schedule.as_ref().and_then(Schedule::period).is_some_and(|p| p < minute);
    let is_judged_often = |alarm: &AlarmDeclaration| {
        Condition::parse(&alarm.when).is_ok_and(|when| when.period.is_high_resolution())
    };
    runs_often || canary.alarms.iter().any(is_judged_often)
}

fn add_own_metrics(
    batch: &mut TelemetryBatch,
    canary: &Arc<str>,
    own: &[(Timestamp, &'static str, f64, StandardUnit)],
) {
    let dimensions = Dimensions::of([("CanaryName", Arc::clone(canary))]);
    let datum = |(at, name, value, unit): &(Timestamp, &'static str, f64, StandardUnit)| {
        MetricDatum::sample(*name, dimensions.clone(), *at, (*value, *unit))
    };
    let data = own.iter().map(datum).collect();
    batch.metrics.push(MetricBatch { namespace: NAMESPACE.into(), data });
}

pub(super) fn metric_ids(batch: &TelemetryBatch) -> Vec<MetricId> {
    let of_batch = |metrics: &MetricBatch| {
        let namespace = Arc::clone(&metrics.namespace);
        let id = move |datum: &MetricDatum| MetricId {
            namespace: Arc::clone(&namespace),
            metric_name: Arc::clone(&datum.metric_name),
            dimensions: datum.dimensions.clone(),
        };
        metrics.data.iter().map(id).collect::<Vec<_>>()
    };
    batch.metrics.iter().flat_map(of_batch).collect()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
const fn count(number: u64) -> f64 {
    number as f64
}

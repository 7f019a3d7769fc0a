use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::canaries::HostedCanaries;
use super::document::{CanaryConfig, CanaryDryRunRow, HostedCanaryRow};
use crate::canary::definition::Canary;
use crate::canary::schedule::Schedule;
use crate::canary::template::TemplateValue;
use crate::monitor::kind;
use crate::monitor::record::{Recorder, SlotFacts};
use crate::monitor::run_row::CanaryRunRow;
use crate::monitor::settings::MonitorSettings;
use crate::runner::RunRequest;
use crate::store::ResourceChanges;
use crate::telemetry::{Dimensions, MetricBatch, MetricDatum, Scope, StandardUnit, TelemetryBatch};
use crate::time::Timestamp;

/// Gives a canary what its configuration says of it.
pub(super) fn configure(canary: &mut Canary, config: &CanaryConfig) {
    canary.schedule = Schedule::parse(&config.schedule.expression, "UTC").ok();
    canary.alarms = Vec::new();
    if let Some(seconds) = config.run_config.timeout_in_seconds
        && let Ok(seconds) = u64::try_from(seconds)
    {
        canary.timeout = Duration::from_secs(seconds);
    }
    if let Some(retry) = &config.schedule.retry_config {
        canary.retry.attempts = retry.max_retries + 1;
    }
    for (name, value) in config.run_config.environment_variables.iter().flatten() {
        if let Some(variable) = canary.variables.iter_mut().find(|known| *known.name == **name) {
            variable.value = TemplateValue::Literal(value.as_str().into());
        }
    }
}

impl HostedCanaries {
    /// Runs at once and then whenever it is due, until it is stopped or its time is over.
    pub(super) fn run_scheduled(
        &self,
        (scope, name): (&Scope, &str),
        canary: Arc<Canary>,
        (row, stop): (&HostedCanaryRow, CancellationToken),
    ) {
        let (own, scope, name) = (self.clone(), scope.clone(), name.to_owned());
        let started = row.started;
        let lasts = u64::try_from(row.config.schedule.duration_in_seconds).unwrap_or(0);
        let end = started.filter(|_| lasts > 0).map(|at| at.plus(Duration::from_secs(lasts)));
        let tasks = self.parts.tasks.clone();
        tasks.spawn(format!("canary {name}"), |group_stop| async move {
            loop {
                if stop.is_cancelled() || group_stop.is_cancelled() {
                    return;
                }
                own.run_once(&scope, &canary).await;
                let now = own.parts.clock.now();
                let next = canary.schedule.as_ref().and_then(|s| s.next_after(now, Duration::ZERO));
                let wait = next.filter(|next| end.is_none_or(|end| *next < end));
                let until = wait.or(end.filter(|_| next.is_some()));
                let pause = until.map_or(Duration::ZERO, |until| between(now, until));
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = group_stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                if wait.is_none() {
                    return own.ended(&scope, &name, started).await;
                }
            }
        });
    }

    async fn run_once(&self, scope: &Scope, canary: &Arc<Canary>) {
        let Ok(_place) = self.places.acquire().await else { return };
        let slot = self.parts.clock.now();
        let facts = SlotFacts { slot, late: Duration::ZERO, missed: 0 };
        let recorder = self.recorder(scope);
        for request in RunRequest::expand(canary) {
            let request = RunRequest { scheduled: Some(slot), ..request };
            let report = Box::pin(self.parts.runner.run(request, &mut |_event| {})).await;
            recorder.run(canary, &report, &facts).await;
        }
    }

    /// Runs once; ordinary metrics and runs know nothing of it.
    ///
    /// Source: CloudWatch User Guide, "Performing safe canary updates".
    pub(super) fn run_dry(&self, (scope, name): (&Scope, &str), id: String, canary: Canary) {
        let (own, scope, name) = (self.clone(), scope.clone(), name.to_owned());
        let canary = Arc::new(canary);
        self.parts.tasks.spawn(format!("dry run {id}"), |_stop| async move {
            let Ok(_place) = own.places.acquire().await else { return };
            let mut passed = true;
            for request in RunRequest::expand(&canary) {
                let report = Box::pin(own.parts.runner.run(request, &mut |_event| {})).await;
                let row = CanaryRunRow::of(&report, Vec::new());
                passed &= row.outcome.is_good();
                own.keep_dry(&scope, &name, CanaryDryRunRow { dry_run: id.clone(), run: row })
                    .await;
            }
            own.dry_run_ended(&scope, &name, &id, passed).await;
        });
    }

    async fn keep_dry(&self, scope: &Scope, name: &str, row: CanaryDryRunRow) {
        let (started, completed) = (row.run.started, row.run.completed);
        let success = if row.run.outcome.is_good() { 100.0 } else { 0.0 };
        let mut batch = TelemetryBatch::new(scope.clone());
        batch.metrics.push(dry_metrics(name, (started, completed), success));
        let sort = row.run.sort_key();
        let changes = ResourceChanges::new().put_row(kind::CANARY_DRY_RUN, name, sort, &row);
        let kept = match changes {
            Ok(changes) => self.parts.store.append_with(batch, changes).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(canary = %name, %error, "dry run not kept");
        }
    }

    fn recorder(&self, scope: &Scope) -> Recorder {
        let recorder = self.parts.recorder.clone();
        let own = MonitorSettings { scope: scope.clone(), ..(*recorder.settings).clone() };
        Recorder { settings: Arc::new(own), ..recorder }
    }
}

/// How much later `to` is; nothing when it is not.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Source: CloudWatch User Guide, "CloudWatch metrics published by canaries".
fn dry_metrics(
    name: &str,
    (started, completed): (Timestamp, Timestamp),
    success: f64,
) -> MetricBatch {
    let dimensions = Dimensions::of([("CanaryName", name)]);
    let millis = between(started, completed).as_secs_f64() * 1_000.0;
    let datum = |name: &'static str, value, unit| {
        MetricDatum::sample(name, dimensions.clone(), started, (value, unit))
    };
    let data = vec![
        datum("SuccessPercentDryRun", success, StandardUnit::Percent),
        datum("DurationDryRun", millis, StandardUnit::Milliseconds),
    ];
    MetricBatch { namespace: "CloudWatchSynthetics".into(), data }
}

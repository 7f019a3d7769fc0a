use std::collections::BTreeMap;

use crate::alarm::{AlarmOrigin, EvaluationWindow, MathPlan, MetricAlarm, SingleMetric, Watched};
use crate::query::statistic::Summary;
use crate::store::{ReadError, Store};
use crate::telemetry::{MetricId, Scope, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

/// Fills one alarm's evaluation window from what the store has.
///
/// Shape: one slot a period, oldest first; `None` is a missing datapoint.
/// Errors: as the store's reads; no partial window is given.
/// Cancel safety: yes; reads only.
pub(in crate::monitor) async fn evaluation_window(
    store: &Store,
    scope: &Scope,
    alarm: &MetricAlarm,
    plan: Option<&MathPlan>,
    at: Timestamp,
) -> Result<EvaluationWindow, ReadError> {
    let reader = Reader { store, scope, period: alarm.period() };
    match (&alarm.watched, plan) {
        (Watched::Metric(single), _) => {
            let range = match &alarm.origin {
                AlarmOrigin::Api => alarm.window(at),
                AlarmOrigin::CanaryFile { .. } => reader.prompt_range(alarm, single, at).await?,
            };
            reader.metric(single, range).await
        }
        (Watched::Queries { .. }, Some(plan)) => reader.expression(plan, alarm.window(at)).await,
        // An alarm whose expressions this build cannot compute: nothing is known of it.
        (Watched::Queries { .. }, None) => {
            let range = alarm.window(at);
            Ok(EvaluationWindow::fill(range, alarm.period(), |_at| None))
        }
    }
}

/// Reads metrics as alarms see them.
#[derive(Clone, Copy, Debug)]
pub(in crate::monitor) struct Reader<'a> {
    pub(in crate::monitor) store: &'a Store,
    pub(in crate::monitor) scope: &'a Scope,
    pub(in crate::monitor) period: Period,
}

impl Reader<'_> {
    /// Takes in the step of the cadence that is not over yet, once it has a sample.
    async fn prompt_range(
        &self,
        alarm: &MetricAlarm,
        single: &SingleMetric,
        at: Timestamp,
    ) -> Result<TimeRange, ReadError> {
        let whole = alarm.window(at);
        let prompt = alarm.prompt_window(at);
        let step = TimeRange::new(whole.end, prompt.end);
        let read = self.store.metrics();
        let fresh = read.read(self.scope, &single.metric, step, (alarm.cadence(), single.unit));
        Ok(if fresh.await?.is_empty() { whole } else { prompt })
    }

    async fn metric(
        &self,
        single: &SingleMetric,
        range: TimeRange,
    ) -> Result<EvaluationWindow, ReadError> {
        let summaries = self.summaries(&single.metric, single.unit, range).await?;
        let datapoint = |at| summaries.get(&at).and_then(|samples| single.datapoint(samples));
        Ok(EvaluationWindow::fill(range, self.period, datapoint))
    }

    async fn expression(
        &self,
        plan: &MathPlan,
        range: TimeRange,
    ) -> Result<EvaluationWindow, ReadError> {
        let mut read = Vec::new();
        for planned in plan.metrics() {
            let samples = self.summaries(&planned.metric, planned.unit, range).await?;
            let point = |(at, sum)| Some((at, planned.statistic.of(&sum)?));
            read.push(samples.into_iter().filter_map(point).collect());
        }
        Ok(plan.window(read, (range, self.period)))
    }

    /// The samples of each period. Units are merged when the alarm names none.
    ///
    /// Differs: AWS leaves it undefined what an alarm without a unit does with several units.
    pub(in crate::monitor) async fn summaries(
        self,
        metric: &MetricId,
        unit: Option<StandardUnit>,
        range: TimeRange,
    ) -> Result<BTreeMap<Timestamp, Summary>, ReadError> {
        let read = self.store.metrics();
        let buckets = read.read(self.scope, metric, range, (self.period, unit)).await?;
        let mut merged: BTreeMap<Timestamp, Summary> = BTreeMap::new();
        for bucket in buckets {
            match merged.get_mut(&bucket.start) {
                Some(summary) => summary.merge(&bucket.summary),
                None => drop(merged.insert(bucket.start, bucket.summary)),
            }
        }
        Ok(merged)
    }
}

use std::collections::BTreeMap;

use crate::alarm::{
    AlarmOrigin, Datapoint, EvaluationWindow, MathPlan, MetricAlarm, SingleMetric, Watched,
};
use crate::query::metric_math::Series;
use crate::query::statistic::{Statistic, Summary};
use crate::store::{ReadError, Store};
use crate::telemetry::{MetricId, Scope, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

/// Fills one alarm's evaluation window from what the store has.
///
/// Shape: one slot a period, oldest first; `None` is a missing datapoint.
/// Errors: as the store's reads; no partial window is given.
/// Cancel safety: yes; reads only.
pub(super) async fn evaluation_window(
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
            Ok(slots(range, alarm.period(), &BTreeMap::new()))
        }
    }
}

struct Reader<'a> {
    store: &'a Store,
    scope: &'a Scope,
    period: Period,
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
        let statistic = single.statistic.statistic();
        let datapoint = |(start, summary): (Timestamp, Summary)| {
            let value = statistic.of(&summary)?;
            Some((start, Datapoint::new(value, summary.sample_count)))
        };
        let points = summaries.into_iter().filter_map(datapoint).collect();
        Ok(slots(range, self.period, &points))
    }

    async fn expression(
        &self,
        plan: &MathPlan,
        range: TimeRange,
    ) -> Result<EvaluationWindow, ReadError> {
        let mut read = Vec::new();
        for planned in plan.metrics() {
            let summaries = self.summaries(&planned.metric, planned.unit, range).await?;
            read.push(series(&planned.id, self.period, planned.statistic, &summaries));
        }
        let computed = plan.compute(read, (range, self.period));
        // The expression computed when the alarm was put; over these points it does not.
        let computed = computed.map(|series| series.points).unwrap_or_default();
        let datapoint = |value| Datapoint { value, sample_count: None, band: None };
        let points = computed.into_iter().map(|(start, value)| (start, datapoint(value))).collect();
        Ok(slots(range, self.period, &points))
    }

    /// The samples of each period. Units are merged when the alarm names none.
    ///
    /// Differs: AWS leaves it undefined what an alarm without a unit does with several units.
    async fn summaries(
        &self,
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

fn series(
    id: &str,
    period: Period,
    statistic: Statistic,
    summaries: &BTreeMap<Timestamp, Summary>,
) -> Series {
    let points = summaries.iter().filter_map(|(start, sum)| Some((*start, statistic.of(sum)?)));
    Series { label: id.to_owned(), period, points: points.collect() }
}

fn slots(
    range: TimeRange,
    period: Period,
    points: &BTreeMap<Timestamp, Datapoint>,
) -> EvaluationWindow {
    let width = period.as_millis();
    let starts = std::iter::successors(Some(range.start), |at| Some(at.plus_millis(width)));
    let slots = starts.take_while(|at| *at < range.end).map(|at| points.get(&at).copied());
    EvaluationWindow::new(range.end, period, slots.collect())
}

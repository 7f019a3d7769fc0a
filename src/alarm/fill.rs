use std::collections::BTreeMap;

use super::{Datapoint, EvaluationWindow, MathPlan, SingleMetric};
use crate::query::metric_math::Series;
use crate::query::statistic::Summary;
use crate::time::{Period, TimeRange, Timestamp};

impl EvaluationWindow {
    /// A window over `range`, each slot asked for by the instant it starts at.
    pub fn fill(
        range: TimeRange,
        period: Period,
        datapoint: impl Fn(Timestamp) -> Option<Datapoint>,
    ) -> Self {
        let width = period.as_millis();
        let starts = std::iter::successors(Some(range.start), |at| Some(at.plus_millis(width)));
        let slots = starts.take_while(|at| *at < range.end).map(datapoint);
        Self::new(range.end, period, slots.collect())
    }
}

impl SingleMetric {
    /// What the samples of one period come to; `None` when the statistic has no answer for them.
    pub fn datapoint(&self, samples: &Summary) -> Option<Datapoint> {
        let value = self.statistic.statistic().of(samples)?;
        Some(Datapoint::new(value, samples.sample_count))
    }
}

impl MathPlan {
    /// What the watched expression comes to over `range`; `read` has the points of each metric, in
    /// their order.
    ///
    /// An expression that cannot be computed over these points, though it could be when the alarm
    /// was put, has no datapoints.
    pub fn window(
        &self,
        read: Vec<Vec<(Timestamp, f64)>>,
        (range, period): (TimeRange, Period),
    ) -> EvaluationWindow {
        let labels = self.metrics().iter().map(|metric| metric.id.to_string());
        let series = |(label, points)| Series { label, period, points };
        let series = labels.zip(read).map(series).collect();
        let computed = self.compute(series, (range, period)).map(|series| series.points);
        let points: BTreeMap<Timestamp, f64> = computed.unwrap_or_default().into_iter().collect();
        let datapoint = |value| Datapoint { value, sample_count: None, band: None };
        EvaluationWindow::fill(range, period, |at| points.get(&at).copied().map(datapoint))
    }
}

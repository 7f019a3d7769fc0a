use std::sync::Arc;

use super::{MetricDataQuery, NamedStatistic, QueriesFault};
use crate::query::metric_math::{Expression, Inputs, MathError, Series, Value};
use crate::query::statistic::Statistic;
use crate::telemetry::{MetricId, StandardUnit};
use crate::time::{Period, TimeRange};

/// An alarm's `Metrics`, parsed and put in the order they are computed in.
#[derive(Clone, Debug)]
pub struct MathPlan {
    metrics: Vec<PlannedMetric>,
    expressions: Vec<(Arc<str>, Expression)>,
    /// The id of what the alarm watches.
    watched: Arc<str>,
}

/// A metric that an expression needs.
#[derive(Clone, Debug)]
pub struct PlannedMetric {
    /// What expressions call it.
    pub id: Arc<str>,
    /// The metric.
    pub metric: MetricId,
    /// Which statistic of it.
    pub statistic: Statistic,
    /// Only samples in this unit.
    pub unit: Option<StandardUnit>,
}

impl MathPlan {
    /// Plans the items of an alarm, or says which of them cannot be computed here.
    pub fn of(queries: &[MetricDataQuery], period: Period) -> Result<Self, QueriesFault> {
        let watched = queries.iter().find(|query| query.returns_data());
        let watched = watched.ok_or(QueriesFault::NotOneReturned)?;
        let mut plan =
            Self { metrics: Vec::new(), expressions: Vec::new(), watched: Arc::clone(&watched.id) };
        let mut waiting = Vec::new();
        for query in queries {
            if let Some(stat) = &query.metric_stat {
                let named: NamedStatistic =
                    stat.stat.parse().map_err(|_unknown| QueriesFault::Statistic)?;
                let metric = MetricId {
                    namespace: Arc::clone(&stat.metric.namespace),
                    metric_name: Arc::clone(&stat.metric.metric_name),
                    dimensions: stat.metric.dimensions.clone(),
                };
                plan.metrics.push(PlannedMetric {
                    id: Arc::clone(&query.id),
                    metric,
                    statistic: named.statistic(),
                    unit: stat.unit,
                });
            } else if let Some(text) = &query.expression {
                let expression = Expression::parse(text).map_err(QueriesFault::Expression)?;
                if !expression.searches().is_empty() {
                    return Err(QueriesFault::Search);
                }
                waiting.push((Arc::clone(&query.id), expression));
            }
        }
        plan.order(waiting)?;
        plan.try_out(period)?;
        Ok(plan)
    }

    /// The metrics to read.
    pub fn metrics(&self) -> &[PlannedMetric] {
        &self.metrics
    }

    /// The series that the alarm watches, `read` being what each metric gave, in their order.
    pub fn compute(
        &self,
        read: Vec<Series>,
        (range, period): (TimeRange, Period),
    ) -> Result<Series, MathError> {
        let ids = || self.metrics.iter().map(|metric| metric.id.to_string());
        let values = ids().zip(read.into_iter().map(Value::Series)).collect();
        let mut inputs =
            Inputs { range, period, values, metrics: ids().collect(), found: Vec::new() };
        for (id, expression) in &self.expressions {
            let value = match <[Series; 1]>::try_from(expression.evaluate(&inputs)?) {
                Ok([one]) => Value::Series(one),
                Err(several) => Value::List(several),
            };
            inputs.values.push((id.to_string(), value));
        }
        let watched = inputs.values.into_iter().find(|(id, _)| **id == *self.watched);
        match watched {
            Some((_, Value::Series(series))) => Ok(series),
            _ => Err(MathError::NotASeries),
        }
    }

    /// Puts expressions after those that they use.
    fn order(&mut self, mut waiting: Vec<(Arc<str>, Expression)>) -> Result<(), QueriesFault> {
        while !waiting.is_empty() {
            let known = |id: &str| {
                let expressions = self.expressions.iter().map(|(id, _)| id);
                self.metrics.iter().map(|m| &m.id).chain(expressions).any(|k| **k == *id)
            };
            let (ready, blocked): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(_, expression)| expression.references().all(known));
            if ready.is_empty() {
                return Err(QueriesFault::UnknownReference);
            }
            self.expressions.extend(ready);
            waiting = blocked;
        }
        Ok(())
    }

    /// Computes once over nothing: functions that are not supported show at once.
    fn try_out(&self, period: Period) -> Result<(), QueriesFault> {
        let nothing = self.metrics.iter().map(|m| Series::new(m.id.to_string(), period)).collect();
        let end = crate::time::Timestamp::EPOCH.plus(period.as_duration());
        let range = TimeRange::new(crate::time::Timestamp::EPOCH, end);
        self.compute(nothing, (range, period)).map(drop).map_err(QueriesFault::Expression)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Timestamp;

    fn queries(expressions: &[(&str, &str)]) -> Vec<MetricDataQuery> {
        let metric = |id: &str| {
            json!({"Id": id, "ReturnData": false, "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": id}, "Period": 60, "Stat": "Sum"}})
        };
        let mut items = vec![metric("a"), metric("b")];
        for (at, (id, text)) in expressions.iter().enumerate() {
            let last = at + 1 == expressions.len();
            items.push(json!({"Id": id, "Expression": text, "ReturnData": last}));
        }
        serde_json::from_value(items.into()).unwrap()
    }

    fn plan(expressions: &[(&str, &str)]) -> Result<MathPlan, QueriesFault> {
        MathPlan::of(&queries(expressions), Period::MINUTE)
    }

    #[test]
    fn expressions_are_computed_after_those_they_use() {
        let plan = plan(&[("share", "100 * errors / a"), ("errors", "b + 0"), ("e", "share")]);
        let plan = plan.unwrap();
        let series = |label: &str, points: &[f64]| Series {
            label: label.to_owned(),
            period: Period::MINUTE,
            points: points
                .iter()
                .zip(0..)
                .map(|(value, minute)| (Timestamp::from_secs(60 * minute), *value))
                .collect(),
        };
        let range = TimeRange::new(Timestamp::EPOCH, Timestamp::from_secs(120));
        let read = vec![series("a", &[10.0, 20.0]), series("b", &[1.0, 5.0])];
        let computed = plan.compute(read, (range, Period::MINUTE)).unwrap();
        let values: Vec<f64> = computed.points.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [10.0, 25.0]);
    }

    #[test]
    fn what_cannot_be_computed_is_refused_when_the_alarm_is_put() {
        for (expressions, fault) in [
            (&[("e", "a + c")][..], "UnknownReference"),
            (&[("e", "f"), ("f", "e")], "UnknownReference"),
            (&[("e", "a +")], "Expression(Syntax"),
            (&[("e", "ANOMALY_DETECTION_BAND(a)")], "Expression(Unsupported"),
            (&[("e", "AVG(a)")], "Expression(NotASeries"),
        ] {
            let found = format!("{:?}", plan(expressions).unwrap_err());
            assert!(found.starts_with(fault), "{expressions:?}: {found}");
        }
    }
}

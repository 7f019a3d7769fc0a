use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms::alarms;
use super::described::DescribedMetricAlarm;
use crate::alarm::{AlarmRef, MetricAlarm, Watched};
use crate::api::call::{Answer, Call};
use crate::telemetry::{Dimensions, StandardUnit};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    metric_name: Arc<str>,
    namespace: Arc<str>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    dimensions: Dimensions,
    period: Option<u32>,
    unit: Option<StandardUnit>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    metric_alarms: Vec<DescribedMetricAlarm>,
}

/// Source: CloudWatch API Reference, DescribeAlarmsForMetric: alarms on one metric only, whose
/// dimensions are exactly those; what is left out matches any.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let mut metric_alarms = Vec::new();
    for snapshot in alarms(&call).all(call.scope()) {
        if let AlarmRef::Metric(alarm) = snapshot.alarm()
            && watches(alarm, &input)
        {
            let state = &snapshot.condition.state;
            metric_alarms.push(DescribedMetricAlarm::of(call.scope(), alarm, state));
        }
    }
    Ok(Output { metric_alarms })
}

fn watches(alarm: &MetricAlarm, input: &Input) -> bool {
    let Watched::Metric(single) = &alarm.watched else { return false };
    let named = input.statistic.as_ref().or(input.extended_statistic.as_ref());
    single.metric.namespace == input.namespace
        && single.metric.metric_name == input.metric_name
        && single.metric.dimensions == input.dimensions
        && named.is_none_or(|name| name == single.statistic.name())
        && input.period.is_none_or(|period| period == single.period.as_secs())
        && input.unit.is_none_or(|unit| Some(unit) == single.unit)
}

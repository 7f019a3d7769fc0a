use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms::{self, Alarm, METRIC_ALARM};
use super::described::DescribedMetricAlarm;
use crate::alarm::{MetricAlarm, Watched};
use crate::api::call::{Answer, Call};
use crate::store::Page;
use crate::telemetry::{Dimensions, StandardUnit};

/// How many alarms are read together.
const SCAN: usize = 500;

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
    let mut after: Option<String> = None;
    loop {
        let page = Page { prefix: "", after: after.as_deref(), limit: SCAN };
        let found: Vec<(String, MetricAlarm)> =
            call.state().store.resources().list(call.scope(), METRIC_ALARM, &page).await?;
        let last = found.len() < SCAN;
        after = found.last().map(|(name, _)| name.clone());
        for (_, alarm) in found.into_iter().filter(|(_, alarm)| watches(alarm, &input)) {
            let alarm = Alarm::Metric(alarm);
            let state = alarms::state_of(&call, &alarm).await?;
            if let Alarm::Metric(alarm) = alarm {
                metric_alarms.push(DescribedMetricAlarm::of(call.scope(), alarm, state));
            }
        }
        if last {
            return Ok(Output { metric_alarms });
        }
    }
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

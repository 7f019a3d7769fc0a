use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE};
use super::reading;
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::query::statistic::Statistic;
use crate::store::Bucket;
use crate::telemetry::{Dimensions, MetricId, StandardUnit};
use crate::time::Period;

const POINTS_MAX: i64 = 1440;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    namespace: Arc<str>,
    metric_name: Arc<str>,
    #[serde(default)]
    dimensions: Dimensions,
    start_time: Instant,
    end_time: Instant,
    period: i64,
    #[serde(default)]
    statistics: Vec<Basic>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<StandardUnit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Basic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    label: Arc<str>,
    datapoints: Vec<Datapoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    timestamp: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_count: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<f64>,
    unit: StandardUnit,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extended_statistics: BTreeMap<String, f64>,
}

/// Source: CloudWatch API Reference, GetMetricStatistics; messages as recorded.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let period = reading::period(input.period, "Period")?;
    check_range(&input, period)?;
    let extended = extended(&input)?;
    let metric = MetricId {
        namespace: input.namespace,
        metric_name: Arc::clone(&input.metric_name),
        dimensions: input.dimensions,
    };
    let range = reading::window((input.start_time.0, input.end_time.0), period, call.now());
    let buckets = reading::buckets(&call, &metric, range, (period, input.unit)).await?;
    let datapoints = buckets
        .iter()
        .filter_map(|bucket| datapoint(bucket, &input.statistics, &extended))
        .collect();
    Ok(Output { label: input.metric_name, datapoints })
}

fn check_range(input: &Input, period: Period) -> Answer<()> {
    let (start, end) = (input.start_time.0, input.end_time.0);
    if start >= end {
        return Err(INVALID_PARAMETER_VALUE
            .because("The parameter StartTime must be less than the parameter EndTime."));
    }
    let width = period.as_millis();
    let span = end.millis_since(start);
    let points = span / width + i64::from(span % width != 0);
    if points > POINTS_MAX {
        return Err(INVALID_PARAMETER_COMBINATION.because(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of \
             {POINTS_MAX}. You may reduce the datapoints requested by increasing Period, or \
             decreasing the time range."
        )));
    }
    Ok(())
}

fn extended(input: &Input) -> Answer<Vec<(String, Statistic)>> {
    if input.statistics.is_empty() && input.extended_statistics.is_empty() {
        return Err(INVALID_PARAMETER_COMBINATION
            .because("Must specify either Statistics or ExtendedStatistics"));
    }
    let parse = |text: &String| match text.parse::<Statistic>() {
        Ok(statistic) => Ok((text.clone(), statistic)),
        Err(_unknown) => Err(INVALID_PARAMETER_VALUE.because(format!(
            "The value {text} for parameter ExtendedStatistic is not supported."
        ))),
    };
    input.extended_statistics.iter().map(parse).collect()
}

/// A bucket whose only asked-for statistics are unknowable gives no datapoint.
fn datapoint(
    bucket: &Bucket,
    basic: &[Basic],
    extended: &[(String, Statistic)],
) -> Option<Datapoint> {
    let asked = |which: Basic, statistic: Statistic| {
        basic.contains(&which).then(|| statistic.of(&bucket.summary)).flatten()
    };
    let extended_statistics = extended
        .iter()
        .filter_map(|(name, statistic)| Some((name.clone(), statistic.of(&bucket.summary)?)))
        .collect::<BTreeMap<_, _>>();
    if basic.is_empty() && extended_statistics.is_empty() {
        return None;
    }
    Some(Datapoint {
        timestamp: bucket.start.into(),
        sample_count: asked(Basic::SampleCount, Statistic::SampleCount),
        average: asked(Basic::Average, Statistic::Average),
        sum: asked(Basic::Sum, Statistic::Sum),
        minimum: asked(Basic::Minimum, Statistic::Minimum),
        maximum: asked(Basic::Maximum, Statistic::Maximum),
        unit: bucket.unit,
        extended_statistics,
    })
}

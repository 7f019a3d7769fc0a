use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::telemetry::{
    Dimension, Dimensions, LogEvent, MetricBatch, MetricDatum, MetricValue, StandardUnit,
    StatisticSet, StorageResolution,
};
use crate::time::Timestamp;

const DIMENSIONS_MAX: usize = 30;
const DIMENSION_VALUE_CHARACTERS_MAX: usize = 1024;
const METRICS_MAX: usize = 100;
const VALUES_MAX: usize = 100;

/// What stands under `_aws` in an event in embedded metric format.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: Arc<str>,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Arc<str>,
    unit: Option<String>,
    storage_resolution: Option<i64>,
}

/// The metrics that log events in embedded metric format hold, by namespace.
///
/// An event in another form, or one that breaks the format, holds none and is a log event all the
/// same; a single broken dimension set or metric leaves its siblings alone.
/// Source: CloudWatch User Guide, "Specification: Embedded metric format".
pub fn embedded_metrics(events: &[LogEvent]) -> Vec<MetricBatch> {
    let mut batches: Vec<MetricBatch> = Vec::new();
    for event in events {
        for (namespace, data) in of_message(&event.message).unwrap_or_default() {
            match batches.iter_mut().find(|batch| batch.namespace == namespace) {
                Some(batch) => batch.data.extend(data),
                None => batches.push(MetricBatch { namespace, data }),
            }
        }
    }
    batches
}

fn of_message(message: &str) -> Option<Vec<(Arc<str>, Vec<MetricDatum>)>> {
    // Most log lines are no JSON, and most JSON is no EMF; neither costs a parse.
    if !message.trim_start().starts_with('{') || !message.contains("\"CloudWatchMetrics\"") {
        return None;
    }
    let root: Map<String, Value> = serde_json::from_str(message).ok()?;
    let metadata = Metadata::deserialize(root.get("_aws")?).ok()?;
    let at = Timestamp::from_millis(metadata.timestamp);
    let directives = metadata.cloud_watch_metrics.into_iter();
    Some(
        directives
            .map(|directive| (Arc::clone(&directive.namespace), data(&directive, &root, at)))
            .collect(),
    )
}

fn data(directive: &Directive, root: &Map<String, Value>, at: Timestamp) -> Vec<MetricDatum> {
    let valid = !directive.namespace.trim().is_empty() && directive.metrics.len() <= METRICS_MAX;
    if !valid {
        return Vec::new();
    }
    let sets = directive.dimensions.iter().filter_map(|names| dimensions(names, root));
    let sets = sets.collect::<Vec<_>>();
    let mut data = Vec::new();
    for definition in &directive.metrics {
        let Some((value, unit, storage_resolution)) = measured(definition, root) else { continue };
        data.extend(sets.iter().map(|dimensions| MetricDatum {
            metric_name: Arc::clone(&definition.name),
            dimensions: dimensions.clone(),
            timestamp: at,
            value: value.clone(),
            unit,
            storage_resolution,
        }));
    }
    data
}

fn dimensions(names: &[String], root: &Map<String, Value>) -> Option<Dimensions> {
    if names.len() > DIMENSIONS_MAX {
        return None;
    }
    let pair = |name: &String| {
        let value = root.get(name)?.as_str()?;
        let fits = !value.is_empty() && value.chars().count() <= DIMENSION_VALUE_CHARACTERS_MAX;
        fits.then(|| Dimension { name: name.as_str().into(), value: value.into() })
    };
    names.iter().map(pair).collect::<Option<Vec<_>>>().map(Dimensions::from)
}

fn measured(
    definition: &Definition,
    root: &Map<String, Value>,
) -> Option<(MetricValue, StandardUnit, StorageResolution)> {
    let value = match root.get(&*definition.name)? {
        Value::Array(values) if !values.is_empty() && values.len() <= VALUES_MAX => {
            let numbers = values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
            MetricValue::Distribution(numbers.into_iter().map(|value| (value, 1.0)).collect())
        }
        Value::Object(summary) => summarised(summary)?,
        value => MetricValue::Value(value.as_f64()?),
    };
    let unit = definition.unit.as_deref().map_or(Ok(StandardUnit::None), str::parse).ok()?;
    let resolution = match definition.storage_resolution {
        None | Some(60) => StorageResolution::Standard,
        Some(1) => StorageResolution::High,
        Some(_) => return None,
    };
    Some((value, unit, resolution))
}

/// What the OpenTelemetry exporter writes for a histogram: a summary, or values with counts.
fn summarised(summary: &Map<String, Value>) -> Option<MetricValue> {
    let number = |name: &str| summary.get(name)?.as_f64();
    let numbers = |name: &str| {
        summary.get(name)?.as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()
    };
    if let (Some(values), Some(counts)) = (numbers("Values"), numbers("Counts")) {
        let fits = !values.is_empty() && values.len() <= VALUES_MAX && values.len() == counts.len();
        return fits.then(|| MetricValue::Distribution(values.into_iter().zip(counts).collect()));
    }
    let set = StatisticSet {
        sample_count: number("Count")?,
        sum: number("Sum")?,
        minimum: number("Min")?,
        maximum: number("Max")?,
    };
    (set.sample_count > 0.0 && set.minimum <= set.maximum).then_some(MetricValue::StatisticSet(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(message: &str) -> Vec<MetricBatch> {
        let message = message.to_owned();
        embedded_metrics(&[LogEvent { timestamp: Timestamp::EPOCH, message }])
    }

    #[test]
    fn each_dimension_set_and_metric_is_a_datum() {
        let batches = found(
            r#"{"_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": [{"Namespace": "App",
            "Dimensions": [["page"], []], "Metrics": [{"Name": "time", "Unit": "Milliseconds",
            "StorageResolution": 1}, {"Name": "sizes"}, {"Name": "absent"}]}]},
            "page": "home", "time": 100, "sizes": [1, 2.5], "extra": {"x": 1}}"#,
        );
        assert_eq!(batches.len(), 1);
        assert_eq!(&*batches[0].namespace, "App");
        let data = &batches[0].data;
        assert_eq!(data.len(), 4);
        assert_eq!(data[0].dimensions.get("page"), Some("home"));
        assert!(data[1].dimensions.is_empty());
        assert_eq!(data[0].value, MetricValue::Value(100.0));
        assert_eq!(data[0].unit, StandardUnit::Milliseconds);
        assert_eq!(data[0].storage_resolution, StorageResolution::High);
        assert_eq!(data[0].timestamp.as_millis(), 1_574_109_732_004);
        assert_eq!(data[2].value, MetricValue::Distribution(vec![(1.0, 1.0), (2.5, 1.0)]));
    }

    #[test]
    fn a_histogram_is_a_summary_or_values_with_counts() {
        let batches = found(
            r#"{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "App",
            "Dimensions": [[]], "Metrics": [{"Name": "s"}, {"Name": "v"}, {"Name": "bad"}]}]},
            "s": {"Max": 4, "Min": 1, "Count": 3, "Sum": 7},
            "v": {"Values": [1, 2], "Counts": [3, 4], "Max": 2, "Min": 1, "Count": 7, "Sum": 11},
            "bad": {"Max": 1, "Min": 4, "Count": 3, "Sum": 7}}"#,
        );
        let set = StatisticSet { sample_count: 3.0, sum: 7.0, minimum: 1.0, maximum: 4.0 };
        let values = batches[0].data.iter().map(|datum| datum.value.clone()).collect::<Vec<_>>();
        let counted = MetricValue::Distribution(vec![(1.0, 3.0), (2.0, 4.0)]);
        assert_eq!(values, [MetricValue::StatisticSet(set), counted]);
    }

    #[test]
    fn what_breaks_the_format_holds_no_metric() {
        let directive = |dimensions: &str, metric: &str, members: &str| {
            format!(
                r#"{{"_aws": {{"Timestamp": 1, "CloudWatchMetrics": [{{"Namespace": "App",
                "Dimensions": {dimensions}, "Metrics": [{metric}]}}]}}, {members}}}"#
            )
        };
        let plain = r#"{"Name": "m"}"#;
        for message in [
            "not json".to_owned(),
            r#"{"m": 1}"#.to_owned(),
            r#"{"_aws": {"CloudWatchMetrics": []}, "m": 1}"#.to_owned(),
            format!("START {}", directive("[[]]", plain, r#""m": 1"#)),
            directive(r#"[["gone"]]"#, plain, r#""m": 1"#),
            directive(r#"[["d"]]"#, plain, r#""m": 1, "d": 5"#),
            directive("[[]]", plain, r#""m": "1""#),
            directive("[[]]", plain, r#""m": [1, "2"]"#),
            directive("[[]]", plain, r#""x": 1"#),
            directive("[[]]", r#"{"Name": "a.b"}"#, r#""a": {"b": 1}"#),
            directive("[[]]", r#"{"Name": "m", "Unit": "Parsecs"}"#, r#""m": 1"#),
            directive("[[]]", r#"{"Name": "m", "StorageResolution": 30}"#, r#""m": 1"#),
        ] {
            let count = found(&message).iter().map(|batch| batch.data.len()).sum::<usize>();
            assert_eq!(count, 0, "{message}");
        }
    }
}

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use serde_json::{Value, json};

use super::mapping::Mapped;
use super::{LastPoints, Mapping};
use crate::telemetry::{Dimensions, MetricValue, Scope, StandardUnit};
use crate::time::Timestamp;

const BEGUN: i64 = 1_700_000_000;

/// Seconds after the process began to listen, as OTLP's JSON writes instants.
fn at(seconds: i64) -> String {
    ((BEGUN + seconds) * 1_000_000_000).to_string()
}

fn map(last: &LastPoints, metric: Value) -> Mapped {
    let attributes = json!([
        {"key": "service.name", "value": {"stringValue": "shop"}},
        {"key": "telemetry.sdk.name", "value": {"stringValue": "sdk"}}]);
    let request: ExportMetricsServiceRequest = serde_json::from_value(json!({"resourceMetrics": [{
        "resource": {"attributes": attributes},
        "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": [metric]}]}]}))
    .expect("OTLP JSON");
    let begun = Timestamp::from_secs(BEGUN);
    let scope = Scope::default();
    Mapping { scope: &scope, now: begun, listening_since: begun, last }.map(&request)
}

fn values(mapped: &Mapped) -> Vec<MetricValue> {
    let data = mapped.batches.iter().flat_map(|batch| &batch.data);
    data.map(|datum| datum.value.clone()).collect()
}

fn sum(value: i64, start: i64, time: i64) -> Value {
    json!({"name": "requests", "unit": "By", "sum": {"aggregationTemporality": 2,
        "isMonotonic": true, "dataPoints": [{"asInt": value.to_string(),
        "startTimeUnixNano": at(start), "timeUnixNano": at(time),
        "attributes": [{"key": "route", "value": {"stringValue": "/"}}]}]}})
}

#[test]
fn a_datum_carries_namespace_unit_and_the_attributes_of_point_and_resource() {
    let mapped = map(
        &LastPoints::default(),
        json!({"name": "depth", "unit": "ms", "gauge": {"dataPoints": [
            {"asDouble": 1.5, "timeUnixNano": at(3),
             "attributes": [{"key": "queue", "value": {"intValue": "7"}}]}]}}),
    );
    assert_eq!(&*mapped.batches[0].namespace, "shop");
    let datum = &mapped.batches[0].data[0];
    let expected = [("queue", "7"), ("OTelLib", "lib"), ("service.name", "shop")];
    assert_eq!(datum.dimensions, Dimensions::of(expected));
    assert_eq!(datum.unit, StandardUnit::Milliseconds);
    assert_eq!(datum.timestamp, Timestamp::from_secs(BEGUN + 3));
    assert_eq!(datum.value, MetricValue::Value(1.5));
}

#[test]
fn a_cumulative_sum_becomes_its_changes_and_survives_a_restart_of_its_process() {
    let last = LastPoints::default();
    let mut sent = Vec::new();
    for (value, start, time) in
        [(10, -60, 10), (14, -60, 20), (14, -60, 20), (20, -60, 30), (3, 31, 40)]
    {
        let mapped = map(&last, sum(value, start, time));
        sent.push(values(&mapped));
        last.keep(mapped.pending);
    }
    let value = |value: f64| vec![MetricValue::Value(value)];
    // It began before we listened, so that the first point says nothing; the third is the second
    // again; the last is of a new process.
    assert_eq!(sent, [vec![], value(4.0), vec![], value(6.0), value(3.0)]);
}

#[test]
fn a_sum_that_began_while_we_listened_counts_from_its_first_point() {
    let last = LastPoints::default();
    assert_eq!(values(&map(&last, sum(5, 1, 2))), [MetricValue::Value(5.0)]);
    // Not kept: the same request, refused and sent again, counts the same.
    assert_eq!(values(&map(&last, sum(5, 1, 2))), [MetricValue::Value(5.0)]);
}

#[test]
fn a_delta_sum_and_one_that_can_fall_are_kept_as_they_are() {
    let last = LastPoints::default();
    for (temporality, monotonic) in [(1, true), (2, false)] {
        let metric = json!({"name": "n", "sum": {"aggregationTemporality": temporality,
            "isMonotonic": monotonic, "dataPoints": [{"asDouble": -3.0, "timeUnixNano": at(1)}]}});
        assert_eq!(values(&map(&last, metric)), [MetricValue::Value(-3.0)]);
    }
}

fn distribution(mapped: &Mapped) -> (f64, f64, Vec<f64>) {
    match values(mapped).as_slice() {
        [MetricValue::Distribution(values)] => (
            values.iter().map(|(_, count)| count).sum(),
            values.iter().map(|(value, count)| value * count).sum(),
            values.iter().map(|(value, _)| *value).collect(),
        ),
        other => panic!("one distribution, not {other:?}"),
    }
}

fn histogram(counts: [u64; 3], sum: f64, time: i64) -> Value {
    json!({"name": "latency", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
        "startTimeUnixNano": at(1), "timeUnixNano": at(time),
        "count": counts.iter().sum::<u64>().to_string(), "sum": sum,
        "bucketCounts": counts.map(|count| count.to_string()), "explicitBounds": [10.0, 20.0],
        "min": 4.0, "max": 50.0}]}})
}

#[test]
fn a_histogram_keeps_count_sum_and_extremes_and_later_its_changes() {
    let last = LastPoints::default();
    let first = map(&last, histogram([2, 1, 1], 80.0, 10));
    let (count, sum, kept) = distribution(&first);
    assert_eq!((count, kept[0], kept[kept.len() - 1]), (4.0, 4.0, 50.0));
    assert!((sum - 80.0).abs() < 1e-9);
    last.keep(first.pending);
    let (count, sum, kept) = distribution(&map(&last, histogram([2, 4, 1], 125.0, 20)));
    assert_eq!(count, 3.0);
    assert!((sum - 45.0).abs() < 1e-9);
    assert!(kept.iter().all(|value| (10.0..=20.0).contains(value)), "{kept:?}");
}

#[test]
fn an_exponential_histogram_is_compared_across_a_change_of_scale() {
    let last = LastPoints::default();
    let metric = |scale: i32, counts: Value, count: u64, time: i64| {
        json!({"name": "size", "exponentialHistogram": {"aggregationTemporality": 2,
            "dataPoints": [{"startTimeUnixNano": at(1), "timeUnixNano": at(time),
            "count": count.to_string(), "scale": scale, "zeroCount": "1",
            "positive": {"offset": 0, "bucketCounts": counts}}]}})
    };
    let first = map(&last, metric(1, json!(["1", "1"]), 3, 10));
    assert_eq!(distribution(&first).0, 3.0);
    last.keep(first.pending);
    // At scale 0 both buckets are one, (1, 2]; it has grown by three.
    let (count, _, kept) = distribution(&map(&last, metric(0, json!(["5"]), 6, 20)));
    assert_eq!(count, 3.0);
    assert!(kept.iter().all(|value| (1.0..=2.0).contains(value)), "{kept:?}");
}

#[test]
fn a_summary_is_a_statistic_set_and_what_is_no_number_is_rejected() {
    let last = LastPoints::default();
    let summary = json!({"name": "s", "summary": {"dataPoints": [{"startTimeUnixNano": at(1),
        "timeUnixNano": at(2), "count": "4", "sum": 10.0, "quantileValues": [
            {"quantile": 0.0, "value": 1.0}, {"quantile": 1.0, "value": 4.0}]}]}});
    let kept = values(&map(&last, summary));
    let [MetricValue::StatisticSet(set)] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((set.sample_count, set.sum, set.minimum, set.maximum), (4.0, 10.0, 1.0, 4.0));
    let stale =
        json!({"name": "g", "gauge": {"dataPoints": [{"flags": 1}, {"timeUnixNano": "1"}]}});
    let mapped = map(&last, stale);
    assert!(mapped.batches.is_empty());
    assert_eq!(mapped.rejected.count, 1);
}

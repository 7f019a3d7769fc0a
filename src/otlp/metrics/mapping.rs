use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric, NumberDataPoint, SummaryDataPoint,
};

use super::around::{Around, NAME_CHARACTERS_MAX, keyed, namespace, resource_dimensions, unit};
use super::last_points::{LastPoints, Pending, Point, SeriesKey};
use super::point::{explicit, exponential, quantiles};
use crate::otlp::rejected::Rejected;
use crate::telemetry::{MetricBatch, MetricDatum, MetricValue, Scope, StorageResolution};
use crate::time::Timestamp;

/// Maps the metrics of one request.
#[derive(Debug)]
pub(in crate::otlp) struct Mapping<'m> {
    pub(in crate::otlp) scope: &'m Scope,
    pub(in crate::otlp) now: Timestamp,
    /// When this process began to listen: what began to count later was seen from its first point.
    pub(in crate::otlp) listening_since: Timestamp,
    pub(in crate::otlp) last: &'m LastPoints,
}

/// What became of a request.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Mapped {
    pub(in crate::otlp) batches: Vec<MetricBatch>,
    pub(in crate::otlp) pending: Pending,
    pub(in crate::otlp) rejected: Rejected,
}

impl Mapping<'_> {
    /// Maps a request.
    ///
    /// Source: the awsemf exporter of the OpenTelemetry Collector. Differs: there is one set of
    /// dimensions, without roll-ups; attributes of the resource are among them; and a sum that can
    /// fall is kept as it is, because a queue's length is a length and not a change.
    pub(in crate::otlp) fn map(&self, request: &ExportMetricsServiceRequest) -> Mapped {
        let mut mapped = Mapped::default();
        let mut namespaces: HashMap<String, Vec<MetricDatum>> = HashMap::new();
        for resource in &request.resource_metrics {
            let attributes = resource.resource.as_ref().map_or(&[][..], |r| &r.attributes);
            let namespace = namespace(attributes);
            let dimensions = resource_dimensions(attributes);
            let seed = self.seed(&namespace, attributes);
            let out = namespaces.entry(namespace).or_default();
            for scope in &resource.scope_metrics {
                let library = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
                let around = Around { library, resource: dimensions.clone(), seed };
                for metric in &scope.metrics {
                    self.metric(metric, &around, out, &mut mapped);
                }
            }
        }
        let batch = |(namespace, data): (String, Vec<MetricDatum>)| MetricBatch {
            namespace: namespace.into(),
            data,
        };
        let filled = namespaces.into_iter().filter(|(_, data)| !data.is_empty());
        mapped.batches = filled.map(batch).collect();
        mapped.batches.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        mapped
    }

    fn seed(&self, namespace: &str, resource: &[KeyValue]) -> u64 {
        let around = format!("{}\0{namespace}", self.scope);
        let whole = keyed(xxhash_rust::xxh3::xxh3_128(around.as_bytes()), resource);
        u64::try_from(whole & u128::from(u64::MAX)).unwrap_or(0)
    }

    fn metric(
        &self,
        metric: &Metric,
        around: &Around<'_>,
        out: &mut Vec<MetricDatum>,
        mapped: &mut Mapped,
    ) {
        let name: Arc<str> = metric.name.as_str().into();
        let unit = unit(&metric.unit);
        let is_name = !name.is_empty() && name.chars().count() <= NAME_CHARACTERS_MAX;
        let series = around.series(&metric.name);
        for (attributes, nanos, value) in self.values(metric, series, &mut mapped.pending) {
            let value = if is_name { value } else { Err("a metric's name is empty or too long") };
            let value = match value {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(why) => {
                    mapped.rejected.add(1, why);
                    continue;
                }
            };
            out.push(MetricDatum {
                metric_name: Arc::clone(&name),
                dimensions: around.dimensions(attributes, &mut mapped.rejected),
                timestamp: if nanos == 0 { self.now } else { instant(nanos) },
                value,
                unit,
                storage_resolution: StorageResolution::Standard,
            });
        }
    }

    /// The points of a metric: their attributes, when, and what is kept of them.
    fn values<'p>(
        &self,
        metric: &'p Metric,
        series: u128,
        pending: &mut Pending,
    ) -> Vec<(&'p [KeyValue], u64, Value)> {
        match &metric.data {
            None => Vec::new(),
            Some(Data::Gauge(gauge)) => {
                let points = gauge.data_points.iter();
                let value = |p: &'p NumberDataPoint| (attributes(p), p.time_unix_nano, plain(p));
                points.map(value).collect()
            }
            Some(Data::Sum(sum)) => {
                let counts = is_cumulative(sum.aggregation_temporality) && sum.is_monotonic;
                let points = sum.data_points.iter();
                let value = |p: &'p NumberDataPoint| {
                    let kept = match (counts, number(p)) {
                        (true, Ok(Some(value))) => {
                            let point = Point::of_sum(p, value);
                            let delta =
                                self.since_last(keyed(series, &p.attributes), point, pending);
                            Ok(delta.map(|delta| MetricValue::Value(delta.sum)))
                        }
                        _ => plain(p),
                    };
                    (attributes(p), p.time_unix_nano, kept)
                };
                points.map(value).collect()
            }
            Some(Data::Histogram(histogram)) => {
                let counts = is_cumulative(histogram.aggregation_temporality);
                let points = histogram.data_points.iter();
                let value = |p: &'p HistogramDataPoint| {
                    let whole = Point::of_histogram(p);
                    let key = keyed(series, &p.attributes);
                    let kept = self.counted(counts, key, (whole, p.flags), pending);
                    let kept = kept.map(|(delta, is_whole)| explicit(p, &delta, is_whole));
                    (p.attributes.as_slice(), p.time_unix_nano, Ok(kept.flatten()))
                };
                points.map(value).collect()
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let counts = is_cumulative(histogram.aggregation_temporality);
                let points = histogram.data_points.iter();
                let value = |p: &'p ExponentialHistogramDataPoint| {
                    let whole = Point::of_exponential(p);
                    let key = keyed(series, &p.attributes);
                    let kept = self.counted(counts, key, (whole, p.flags), pending);
                    let kept = kept.map(|(delta, is_whole)| exponential(p, &delta, is_whole));
                    (p.attributes.as_slice(), p.time_unix_nano, Ok(kept.flatten()))
                };
                points.map(value).collect()
            }
            Some(Data::Summary(summary)) => {
                let points = summary.data_points.iter();
                let value = |p: &'p SummaryDataPoint| {
                    let key = keyed(series, &p.attributes);
                    let kept = self.counted(true, key, (Point::of_summary(p), p.flags), pending);
                    let kept = kept.map(|(delta, _)| quantiles(p, &delta));
                    (p.attributes.as_slice(), p.time_unix_nano, Ok(kept.flatten()))
                };
                points.map(value).collect()
            }
        }
    }

    /// What was counted since the last point, and whether that is all the point says.
    pub(super) fn counted(
        &self,
        is_cumulative: bool,
        key: SeriesKey,
        (point, flags): (Point, u32),
        pending: &mut Pending,
    ) -> Option<(Point, bool)> {
        if is_stale(flags) {
            return None;
        }
        if !is_cumulative {
            return Some((point, true));
        }
        let whole = point.count;
        let delta = self.since_last(key, point, pending)?;
        let is_whole = delta.count == whole;
        Some((delta, is_whole))
    }

    /// The change since the last point of the series; nothing where there is none to compare with,
    /// or where this point is not newer.
    fn since_last(&self, key: SeriesKey, point: Point, pending: &mut Pending) -> Option<Point> {
        let last = pending.get(&key).cloned().or_else(|| self.last.get(key));
        let Some(last) = last else {
            // It began to count while this process listened, so that nothing was missed.
            let seen_whole =
                point.start_nanos > 0 && instant(point.start_nanos) >= self.listening_since;
            pending.insert(key, point.clone());
            return seen_whole.then_some(point);
        };
        if last.time_nanos >= point.time_nanos {
            return None;
        }
        let delta = point.since(last);
        pending.insert(key, point);
        Some(delta)
    }
}

type Value = Result<Option<MetricValue>, &'static str>;

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
fn number(point: &NumberDataPoint) -> Result<Option<f64>, &'static str> {
    let value = match point.value {
        _ if is_stale(point.flags) => return Ok(None),
        None => return Err("a data point has no value"),
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
    };
    if value.is_finite() { Ok(Some(value)) } else { Err("a data point is not a finite number") }
}

fn plain(point: &NumberDataPoint) -> Value {
    number(point).map(|value| value.map(MetricValue::Value))
}

fn attributes(point: &NumberDataPoint) -> &[KeyValue] {
    &point.attributes
}

const fn is_cumulative(temporality: i32) -> bool {
    temporality == AggregationTemporality::Cumulative as i32
}

const fn is_stale(flags: u32) -> bool {
    flags & (DataPointFlags::NoRecordedValueMask as u32) != 0
}

fn instant(nanos: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
}

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric, NumberDataPoint, SummaryDataPoint,
};

use super::last_points::{Grid, LastPoints, Pending, Point, SeriesKey};
use super::spread::{Bucket, Known, spread};
use crate::otlp::json::{any, text_of, value_of};
use crate::otlp::rejected::Rejected;
use crate::telemetry::{
    Dimension, Dimensions, MetricBatch, MetricDatum, MetricValue, Scope, StandardUnit,
    StatisticSet, StorageResolution,
};
use crate::time::Timestamp;

/// Source: CloudWatch API Reference, `MetricDatum`.
const DIMENSIONS_MAX: usize = 30;
const NAME_CHARACTERS_MAX: usize = 255;
const VALUE_CHARACTERS_MAX: usize = 1024;

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
    fn counted(
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

impl Point {
    fn of_sum(point: &NumberDataPoint, sum: f64) -> Self {
        Self {
            start_nanos: point.start_time_unix_nano,
            time_nanos: point.time_unix_nano,
            count: 0,
            sum,
            buckets: Vec::new(),
            grid: Grid::None,
        }
    }

    fn of_histogram(point: &HistogramDataPoint) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for bound in &point.explicit_bounds {
            hash.update(&bound.to_le_bytes());
        }
        let numbered = (0..).zip(point.bucket_counts.iter().copied());
        Self {
            start_nanos: point.start_time_unix_nano,
            time_nanos: point.time_unix_nano,
            count: point.count,
            sum: point.sum.unwrap_or(f64::NAN),
            buckets: numbered.collect(),
            grid: Grid::Bounds(hash.digest()),
        }
    }

    fn of_exponential(point: &ExponentialHistogramDataPoint) -> Self {
        let mut buckets = BTreeMap::new();
        let sides = [(&point.negative, Side::Negative), (&point.positive, Side::Positive)];
        for (side, sign) in sides {
            let Some(Buckets { offset, bucket_counts }) = side else { continue };
            for (at, count) in (i64::from(*offset)..).zip(bucket_counts) {
                if *count > 0 {
                    buckets.insert(sign.number(at), *count);
                }
            }
        }
        if point.zero_count > 0 {
            buckets.insert(ZERO, point.zero_count);
        }
        Self {
            start_nanos: point.start_time_unix_nano,
            time_nanos: point.time_unix_nano,
            count: point.count,
            sum: point.sum.unwrap_or(f64::NAN),
            buckets: buckets.into_iter().collect(),
            grid: Grid::Scale(point.scale),
        }
    }

    fn of_summary(point: &SummaryDataPoint) -> Self {
        Self {
            start_nanos: point.start_time_unix_nano,
            time_nanos: point.time_unix_nano,
            count: point.count,
            sum: point.sum,
            buckets: Vec::new(),
            grid: Grid::None,
        }
    }

    /// What was counted after `last`; all of it when counting began anew in between.
    fn since(&self, last: Self) -> Self {
        let Some(last) = last.on_grid(self.grid) else { return self.clone() };
        let has_restarted = self.start_nanos > last.start_nanos && last.start_nanos > 0;
        let before: HashMap<i64, u64> = last.buckets.iter().copied().collect();
        let grown = |(number, count): &(i64, u64)| {
            let before = before.get(number).copied().unwrap_or(0);
            count.checked_sub(before).map(|grown| (*number, grown))
        };
        let buckets: Option<Vec<(i64, u64)>> = self.buckets.iter().map(grown).collect();
        let falls = self.count < last.count || (self.count == 0 && self.sum < last.sum);
        let (false, false, Some(buckets)) = (has_restarted, falls, buckets) else {
            return self.clone();
        };
        let (count, sum) = (self.count - last.count, self.sum - last.sum);
        Self { count, sum, buckets, ..self.clone() }
    }

    /// The same counts on a grid that is coarser; `None` where the grids do not fit.
    fn on_grid(self, grid: Grid) -> Option<Self> {
        let (Grid::Scale(own), Grid::Scale(wanted)) = (self.grid, grid) else {
            return (self.grid == grid).then_some(self);
        };
        let coarser = u32::try_from(own.checked_sub(wanted)?).ok().filter(|steps| *steps < 60)?;
        let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
        for (number, count) in self.buckets {
            let number = match Side::of(number) {
                Some((side, at)) => side.number(at >> coarser),
                None => ZERO,
            };
            *buckets.entry(number).or_default() += count;
        }
        Some(Self { buckets: buckets.into_iter().collect(), grid, ..self })
    }
}

/// The bucket around zero of an exponential histogram.
const ZERO: i64 = 0;

#[derive(Clone, Copy)]
enum Side {
    Negative,
    Positive,
}

impl Side {
    /// One number for a side and an index; the lowest two bits tell the side.
    const fn number(self, at: i64) -> i64 {
        match self {
            Self::Negative => at * 4 + 1,
            Self::Positive => at * 4 + 2,
        }
    }

    const fn of(number: i64) -> Option<(Self, i64)> {
        match number.rem_euclid(4) {
            1 => Some((Self::Negative, number.div_euclid(4))),
            2 => Some((Self::Positive, number.div_euclid(4))),
            _ => None,
        }
    }
}

fn explicit(point: &HistogramDataPoint, delta: &Point, is_whole: bool) -> Option<MetricValue> {
    let bounds = &point.explicit_bounds;
    let known = known(delta.sum, point.min, point.max, is_whole);
    if bounds.is_empty() || delta.buckets.len() != bounds.len() + 1 {
        return summarized(delta.count, known);
    }
    let first = bounds.first().copied().unwrap_or(0.0);
    let edges = std::iter::once(first.min(0.0)).chain(bounds.iter().copied());
    let last = bounds.last().copied().unwrap_or(0.0);
    let ends = bounds.iter().copied().chain([last]);
    let buckets: Vec<Bucket> = edges
        .zip(ends)
        .zip(&delta.buckets)
        .map(|((low, high), (_, count))| Bucket { low, high, count: *count })
        .collect();
    distribution(&buckets, known)
}

fn exponential(
    point: &ExponentialHistogramDataPoint,
    delta: &Point,
    is_whole: bool,
) -> Option<MetricValue> {
    let known = known(delta.sum, point.min, point.max, is_whole);
    let step = f64::from(-point.scale).exp2();
    #[expect(clippy::cast_precision_loss, reason = "an index is an i32 and little more")]
    let edge = |at: i64| (at as f64 * step).exp2();
    let bucket = |(number, count): &(i64, u64)| match Side::of(*number) {
        Some((Side::Positive, at)) => Bucket { low: edge(at), high: edge(at + 1), count: *count },
        Some((Side::Negative, at)) => Bucket { low: -edge(at + 1), high: -edge(at), count: *count },
        None => Bucket { low: 0.0, high: 0.0, count: *count },
    };
    let mut buckets: Vec<Bucket> = delta.buckets.iter().map(bucket).collect();
    buckets.sort_by(|a, b| a.low.total_cmp(&b.low));
    distribution(&buckets, known)
}

fn quantiles(point: &SummaryDataPoint, delta: &Point) -> Option<MetricValue> {
    let ends = [point.quantile_values.first(), point.quantile_values.last()];
    let [min, max] = ends.map(|end| end.map(|end| end.value).filter(|value| value.is_finite()));
    summarized(delta.count, Known { sum: Some(delta.sum), min, max })
}

/// The extremes are those of all time where the point is cumulative.
fn known(sum: f64, min: Option<f64>, max: Option<f64>, is_whole: bool) -> Known {
    let extremes = if is_whole { (min, max) } else { (None, None) };
    Known { sum: Some(sum).filter(|sum| sum.is_finite()), min: extremes.0, max: extremes.1 }
}

fn distribution(buckets: &[Bucket], known: Known) -> Option<MetricValue> {
    let values = spread(buckets, known);
    (!values.is_empty()).then_some(MetricValue::Distribution(values))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a period are far below 2^52")]
fn summarized(count: u64, known: Known) -> Option<MetricValue> {
    let count = count as f64;
    let sum = known.sum.filter(|_| count > 0.0)?;
    let mean = sum / count;
    Some(MetricValue::StatisticSet(StatisticSet {
        sample_count: count,
        sum,
        minimum: known.min.unwrap_or(mean),
        maximum: known.max.unwrap_or(mean),
    }))
}

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

/// Source: the awsemf exporter, `getNamespace`.
fn namespace(resource: &[KeyValue]) -> String {
    let text = |key: &str| resource.iter().find(|attribute| attribute.key == key).and_then(text_of);
    let name = match (text("service.namespace"), text("service.name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "default".to_owned(),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    let kept = name.chars().map(|c| if allowed(c) { c } else { '_' });
    kept.take(NAME_CHARACTERS_MAX).collect()
}

/// Source: the awsemf exporter, `translateUnit`.
fn unit(unit: &str) -> StandardUnit {
    match unit {
        "s" => StandardUnit::Seconds,
        "ms" => StandardUnit::Milliseconds,
        "us" => StandardUnit::Microseconds,
        "By" => StandardUnit::Bytes,
        "kBy" | "KiBy" => StandardUnit::Kilobytes,
        "MBy" | "MiBy" => StandardUnit::Megabytes,
        "GBy" | "GiBy" => StandardUnit::Gigabytes,
        "TBy" | "TiBy" => StandardUnit::Terabytes,
        "bit" | "Bi" => StandardUnit::Bits,
        "By/s" => StandardUnit::BytesPerSecond,
        "%" => StandardUnit::Percent,
        named => named.parse().unwrap_or(StandardUnit::None),
    }
}

/// What stands around a metric.
struct Around<'a> {
    library: &'a str,
    resource: Vec<Dimension>,
    /// Hash of scope, namespace and resource.
    seed: u64,
}

impl Around<'_> {
    fn series(&self, metric: &str) -> u128 {
        let key = [self.library.as_bytes(), b"\0", metric.as_bytes()].concat();
        xxhash_rust::xxh3::xxh3_128_with_seed(&key, self.seed)
    }

    /// The point's attributes, the library, and the resource's attributes, in this order while
    /// there is room.
    fn dimensions(&self, attributes: &[KeyValue], rejected: &mut Rejected) -> Dimensions {
        let mut found = Vec::with_capacity(attributes.len() + self.resource.len() + 1);
        found.extend(attributes.iter().filter_map(dimension));
        if !self.library.is_empty() {
            found.push(Dimension { name: "OTelLib".into(), value: self.library.into() });
        }
        for dimension in &self.resource {
            if !found.iter().any(|own| own.name == dimension.name) {
                found.push(dimension.clone());
            }
        }
        if found.len() > DIMENSIONS_MAX {
            rejected.warn("a metric has at most 30 dimensions; the others were left out");
            found.truncate(DIMENSIONS_MAX);
        }
        found.into()
    }
}

/// Which of the resource's attributes are dimensions: not those about the SDK itself.
fn resource_dimensions(attributes: &[KeyValue]) -> Vec<Dimension> {
    let own = attributes.iter().filter(|attribute| !attribute.key.starts_with("telemetry."));
    own.filter_map(dimension).collect()
}

fn dimension(attribute: &KeyValue) -> Option<Dimension> {
    let value: Arc<str> = match (text_of(attribute), value_of(attribute)?) {
        (Some(text), _) if text.len() <= VALUE_CHARACTERS_MAX => text.into(),
        (Some(text), _) => text.chars().take(VALUE_CHARACTERS_MAX).collect::<String>().into(),
        (None, value) => {
            let mut text = String::new();
            any(&mut text, value, 0);
            text.chars().take(VALUE_CHARACTERS_MAX).collect::<String>().into()
        }
    };
    let name = attribute.key.as_str();
    let fits = !name.is_empty() && name.len() <= NAME_CHARACTERS_MAX && !value.is_empty();
    fits.then(|| Dimension { name: name.into(), value })
}

/// A series of a metric: its attributes in any order.
fn keyed(series: u128, attributes: &[KeyValue]) -> SeriesKey {
    let mut text = String::new();
    attributes.iter().fold(series, |key, attribute| {
        text.clear();
        text.push_str(&attribute.key);
        text.push('\0');
        if let Some(value) = value_of(attribute) {
            any(&mut text, value, 0);
        }
        key.wrapping_add(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    })
}

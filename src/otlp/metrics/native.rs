//! Native histograms of Prometheus.
//!
//! Source: Prometheus, "Native Histograms", and prometheus/prompb/types.proto.

use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint};
use prost::Message;

use super::last_points::{Grid, Point, SeriesKey};
use super::mapping::{Mapped, Mapping};
use super::point::{Side, ZERO, explicit, exponential};
use crate::telemetry::{Dimensions, MetricDatum, MetricValue, StandardUnit, StorageResolution};
use crate::time::Timestamp;

/// The schema of histograms with bounds of their own.
const CUSTOM_BOUNDS: i32 = -53;
/// The schemas with a base of 2^(2^-n).
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;
/// A hint that the histogram does not count since its process began.
const GAUGE: i32 = 3;
/// The value that ends a series.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A histogram as remote write sends it, in both of its versions.
#[derive(Clone, PartialEq, Message)]
pub(in crate::otlp) struct NativeHistogram {
    #[prost(uint64, optional, tag = "1")]
    pub(in crate::otlp) count_int: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(in crate::otlp) count_float: Option<f64>,
    #[prost(double, tag = "3")]
    pub(in crate::otlp) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(in crate::otlp) schema: i32,
    #[prost(uint64, tag = "6")]
    pub(in crate::otlp) zero_count_int: u64,
    #[prost(message, repeated, tag = "8")]
    pub(in crate::otlp) negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub(in crate::otlp) negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    pub(in crate::otlp) positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub(in crate::otlp) positive_deltas: Vec<i64>,
    #[prost(int32, tag = "14")]
    pub(in crate::otlp) reset_hint: i32,
    #[prost(int64, tag = "15")]
    pub(in crate::otlp) timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    pub(in crate::otlp) custom_values: Vec<f64>,
}

/// Buckets one after another; the offset counts from the end of the span before.
#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::otlp) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(in crate::otlp) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(in crate::otlp) length: u32,
}

/// The histograms of one series.
#[derive(Clone, Debug)]
pub(in crate::otlp) struct NativeSeries {
    pub(in crate::otlp) metric_name: Arc<str>,
    pub(in crate::otlp) dimensions: Dimensions,
    pub(in crate::otlp) histograms: Vec<NativeHistogram>,
}

impl Mapping<'_> {
    /// What is kept of native histograms: the samples since the one before, as values with counts.
    ///
    /// A histogram with nothing to compare with is kept by the next one, unless it is a gauge.
    /// Errors: in `mapped`, for those that are none.
    pub(in crate::otlp) fn native(
        &self,
        all: &[NativeSeries],
        mapped: &mut Mapped,
    ) -> Vec<MetricDatum> {
        let mut data = Vec::new();
        for series in all {
            let key = self.native_key(series);
            for histogram in &series.histograms {
                if histogram.sum.to_bits() == STALE {
                    continue;
                }
                let point = match histogram.point() {
                    Ok(point) => point,
                    Err(why) => {
                        mapped.rejected.add(1, why);
                        continue;
                    }
                };
                let counts = histogram.reset_hint != GAUGE;
                let kept = self.counted(counts, key, (point, 0), &mut mapped.pending);
                let value = kept.and_then(|(delta, is_whole)| histogram.value(&delta, is_whole));
                data.extend(value.map(|value| MetricDatum {
                    metric_name: Arc::clone(&series.metric_name),
                    dimensions: series.dimensions.clone(),
                    timestamp: Timestamp::from_millis(histogram.timestamp),
                    value,
                    unit: StandardUnit::None,
                    storage_resolution: StorageResolution::Standard,
                }));
            }
        }
        data
    }

    fn native_key(&self, series: &NativeSeries) -> SeriesKey {
        let mut text = format!("{}\0native\0{}", self.scope, series.metric_name);
        for dimension in series.dimensions.iter() {
            text.push('\0');
            text.push_str(&dimension.name);
            text.push('\0');
            text.push_str(&dimension.value);
        }
        xxhash_rust::xxh3::xxh3_128(text.as_bytes())
    }
}

impl NativeHistogram {
    fn point(&self) -> Result<Point, &'static str> {
        if self.count_float.is_some() {
            return Err("a native histogram counts in fractions");
        }
        let is_custom = self.schema == CUSTOM_BOUNDS;
        if !is_custom && !SCHEMAS.contains(&self.schema) {
            return Err("the schema of a native histogram is not known");
        }
        let positive = counts(&self.positive_spans, &self.positive_deltas)?;
        let negative = counts(&self.negative_spans, &self.negative_deltas)?;
        let nanos = u64::try_from(self.timestamp).unwrap_or(0).saturating_mul(1_000_000);
        let (buckets, grid) = if is_custom {
            (self.custom(&positive)?, Point::of_histogram(&self.bounds()).grid)
        } else {
            // A bucket of Prometheus is named by its upper edge, one of OTLP by its lower.
            let placed = |side: Side, counts: Vec<(i64, u64)>| {
                counts.into_iter().map(move |(at, count)| (side.number(at - 1), count))
            };
            let mut buckets = placed(Side::Negative, negative)
                .chain(placed(Side::Positive, positive))
                .collect::<Vec<_>>();
            if self.zero_count_int > 0 {
                buckets.push((ZERO, self.zero_count_int));
            }
            buckets.sort_unstable();
            (buckets, Grid::Scale(self.schema))
        };
        Ok(Point {
            start_nanos: 0,
            time_nanos: nanos,
            count: self.count_int.unwrap_or(0),
            sum: self.sum,
            buckets,
            grid,
        })
    }

    /// The counts between bounds, of which the last has no upper one.
    fn custom(&self, counts: &[(i64, u64)]) -> Result<Vec<(i64, u64)>, &'static str> {
        let mut buckets =
            (0..).zip(vec![0; self.custom_values.len() + 1]).collect::<Vec<(i64, u64)>>();
        for (at, count) in counts {
            let bucket = usize::try_from(*at).ok().and_then(|at| buckets.get_mut(at));
            let (_, held) = bucket.ok_or("a bucket of a native histogram has no bound")?;
            *held = *count;
        }
        Ok(buckets)
    }

    fn bounds(&self) -> HistogramDataPoint {
        HistogramDataPoint {
            explicit_bounds: self.custom_values.clone(),
            ..HistogramDataPoint::default()
        }
    }

    fn value(&self, delta: &Point, is_whole: bool) -> Option<MetricValue> {
        if self.schema == CUSTOM_BOUNDS {
            return explicit(&self.bounds(), delta, is_whole);
        }
        let scale = self.schema;
        let point = ExponentialHistogramDataPoint { scale, ..Default::default() };
        exponential(&point, delta, is_whole)
    }
}

/// The buckets that are not empty; each count is told as the change from the one before.
fn counts(spans: &[BucketSpan], deltas: &[i64]) -> Result<Vec<(i64, u64)>, &'static str> {
    const NOT: &str = "the buckets of a native histogram do not fit its spans";
    let mut deltas = deltas.iter();
    let (mut found, mut at, mut count) = (Vec::new(), 0_i64, 0_i64);
    for span in spans {
        at += i64::from(span.offset);
        for _ in 0..span.length {
            let delta = deltas.next().ok_or(NOT)?;
            count = count.checked_add(*delta).ok_or(NOT)?;
            let whole = u64::try_from(count).map_err(|_negative| NOT)?;
            if whole > 0 {
                found.push((at, whole));
            }
            at += 1;
        }
    }
    if deltas.next().is_some() { Err(NOT) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::super::LastPoints;
    use super::*;
    use crate::telemetry::Scope;

    fn histogram(counts: &[i64], sum: f64, at: i64) -> NativeHistogram {
        let mut before = 0;
        let deltas = counts.iter().map(|count| {
            let delta = count - before;
            before = *count;
            delta
        });
        NativeHistogram {
            count_int: Some(counts.iter().sum::<i64>().unsigned_abs()),
            sum,
            schema: 0,
            positive_spans: vec![BucketSpan { offset: 1, length: 2 }],
            positive_deltas: deltas.collect(),
            timestamp: at,
            ..NativeHistogram::default()
        }
    }

    fn map(last: &LastPoints, histogram: NativeHistogram) -> (Vec<MetricDatum>, Mapped) {
        let now = Timestamp::EPOCH;
        let scope = Scope::default();
        let mapping = Mapping { scope: &scope, now, listening_since: now, last };
        let mut mapped = Mapped::default();
        let series = NativeSeries {
            metric_name: "latency".into(),
            dimensions: Dimensions::none(),
            histograms: vec![histogram],
        };
        (mapping.native(&[series], &mut mapped), mapped)
    }

    #[test]
    fn what_came_since_the_histogram_before_is_kept_in_its_buckets() {
        let last = LastPoints::default();
        // The buckets are (1, 2] and (2, 4].
        let (first, mapped) = map(&last, histogram(&[1, 1], 4.5, 1_000));
        assert_eq!(first, []);
        last.keep(mapped.pending);
        let (second, _) = map(&last, histogram(&[3, 2], 10.5, 2_000));
        let [datum] = second.as_slice() else { panic!("{second:?}") };
        let MetricValue::Distribution(values) = &datum.value else { panic!("{datum:?}") };
        let count = values.iter().map(|(_, count)| count).sum::<f64>();
        let sum = values.iter().map(|(value, count)| value * count).sum::<f64>();
        assert!((count - 3.0).abs() < 1e-9 && (sum - 6.0).abs() < 1e-9, "{values:?}");
        assert!(values.iter().all(|(value, _)| (1.0..=4.0).contains(value)), "{values:?}");
        assert_eq!(datum.timestamp, Timestamp::from_millis(2_000));
    }

    #[test]
    fn a_gauge_is_kept_whole_and_bounds_of_its_own_are_bounds() {
        let gauge = NativeHistogram { reset_hint: GAUGE, ..histogram(&[2, 0], 3.0, 1) };
        let (kept, _) = map(&LastPoints::default(), gauge);
        assert_eq!(kept.len(), 1);
        let custom = NativeHistogram {
            schema: CUSTOM_BOUNDS,
            custom_values: vec![0.5, 1.0, 5.0],
            reset_hint: GAUGE,
            ..histogram(&[2, 1], 4.0, 1)
        };
        let (kept, mapped) = map(&LastPoints::default(), custom);
        assert_eq!((kept.len(), mapped.rejected.why), (1, None));
    }

    #[test]
    fn what_is_no_histogram_is_told() {
        let short = NativeHistogram { positive_deltas: vec![1], ..histogram(&[], 0.0, 1) };
        let negative = NativeHistogram { positive_deltas: vec![1, -2], ..histogram(&[], 0.0, 1) };
        let fractions = NativeHistogram { count_float: Some(0.5), ..histogram(&[1, 1], 0.0, 1) };
        let unknown = NativeHistogram { schema: 77, ..histogram(&[1, 1], 0.0, 1) };
        for bad in [short, negative, fractions, unknown] {
            let (kept, mapped) = map(&LastPoints::default(), bad);
            assert!(kept.is_empty() && mapped.rejected.why.is_some());
        }
        let stale = NativeHistogram { sum: f64::from_bits(STALE), ..histogram(&[1, 1], 0.0, 1) };
        let (kept, mapped) = map(&LastPoints::default(), stale);
        assert!(kept.is_empty() && mapped.rejected.is_empty());
    }
}

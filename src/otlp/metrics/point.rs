//! What is counted of a series, compared with what was counted before.

use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
};

use super::last_points::{Grid, Point};
use super::spread::{Bucket, Known, spread};
use crate::telemetry::{MetricValue, StatisticSet};

impl Point {
    /// A sum.
    pub(super) fn of_sum(point: &NumberDataPoint, sum: f64) -> Self {
        Self {
            start_nanos: point.start_time_unix_nano,
            time_nanos: point.time_unix_nano,
            count: 0,
            sum,
            buckets: Vec::new(),
            grid: Grid::None,
        }
    }

    /// A histogram with bounds.
    pub(super) fn of_histogram(point: &HistogramDataPoint) -> Self {
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

    /// An exponential histogram.
    pub(super) fn of_exponential(point: &ExponentialHistogramDataPoint) -> Self {
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

    /// A sum.
    /// A summary: count and sum.
    pub(super) fn of_summary(point: &SummaryDataPoint) -> Self {
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
    pub(super) fn since(&self, last: Self) -> Self {
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
pub(super) const ZERO: i64 = 0;

/// A side of an exponential histogram.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Negative,
    Positive,
}

impl Side {
    /// One number for a side and an index; the lowest two bits tell the side.
    pub(super) const fn number(self, at: i64) -> i64 {
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

/// What is kept of a histogram with bounds.
pub(super) fn explicit(
    point: &HistogramDataPoint,
    delta: &Point,
    is_whole: bool,
) -> Option<MetricValue> {
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

/// What is kept of an exponential histogram.
pub(super) fn exponential(
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

/// What is kept of a summary.
pub(super) fn quantiles(point: &SummaryDataPoint, delta: &Point) -> Option<MetricValue> {
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

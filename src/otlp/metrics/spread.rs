//! The samples of a histogram, as values with counts.

/// A bucket: its bounds and how many samples lie in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) count: u64,
}

/// What is known of the samples beside their buckets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

/// PutMetricData's own limit of distinct values in a datum.
const VALUES_MAX: usize = 500;

/// Chooses a value in each bucket so that count, sum, smallest and largest are what they were.
///
/// Shape: `(value, count)`, by value. One sample stands at the known minimum, one at the maximum;
/// the others stand at the same share of the way through their buckets, chosen so that the sum is
/// right. Where the known sum cannot come from the buckets, they stand at the nearest edge.
/// Differs: the awsemf exporter keeps explicit buckets as four numbers, without percentiles.
#[expect(clippy::cast_precision_loss, reason = "counts of a period are far below 2^52")]
pub(super) fn spread(buckets: &[Bucket], known: Known) -> Vec<(f64, f64)> {
    let mut buckets: Vec<Bucket> =
        buckets.iter().copied().filter(|bucket| bucket.count > 0).collect();
    let (Some(first), Some(last)) = (buckets.first().copied(), buckets.last().copied()) else {
        return Vec::new();
    };
    let floor = known.min.filter(|min| min.is_finite()).unwrap_or(first.low);
    let ceiling = known.max.filter(|max| max.is_finite()).unwrap_or(last.high);
    for bucket in &mut buckets {
        bucket.low = bucket.low.clamp(floor.min(ceiling), ceiling.max(floor));
        bucket.high = bucket.high.clamp(bucket.low, ceiling.max(bucket.low));
    }
    let mut values = Vec::with_capacity(buckets.len() + 2);
    let mut rest = known.sum;
    let mut place = |at: Option<f64>, bucket: Option<&mut Bucket>| {
        if let (Some(at), Some(bucket)) = (at.filter(|at| at.is_finite()), bucket)
            && bucket.count > 0
        {
            bucket.count -= 1;
            values.push((at, 1.0));
            rest = rest.map(|rest| rest - at);
        }
    };
    place(known.min, buckets.first_mut());
    place(known.max, buckets.last_mut());
    let (low, high) = buckets.iter().fold((0.0, 0.0), |(low, high), bucket| {
        let count = bucket.count as f64;
        (low + bucket.low * count, high + bucket.high * count)
    });
    let share = match rest.filter(|rest| rest.is_finite()) {
        Some(rest) if high > low => ((rest - low) / (high - low)).clamp(0.0, 1.0),
        _ => 0.5,
    };
    let inside = buckets
        .iter()
        .filter(|bucket| bucket.count > 0)
        .map(|bucket| (bucket.low + share * (bucket.high - bucket.low), bucket.count as f64));
    values.extend(inside.filter(|(value, _)| value.is_finite()));
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.dedup_by(|next, kept| {
        let same = next.0.total_cmp(&kept.0).is_eq();
        if same {
            kept.1 += next.1;
        }
        same
    });
    // BOUND: neighbours join until a datum can hold them.
    while values.len() > VALUES_MAX {
        values = values.chunks(2).map(joined).collect();
    }
    values
}

fn joined(pair: &[(f64, f64)]) -> (f64, f64) {
    let count: f64 = pair.iter().map(|(_, count)| count).sum();
    let sum: f64 = pair.iter().map(|(value, count)| value * count).sum();
    (sum / count, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket((low, high, count): (f64, f64, u64)) -> Bucket {
        Bucket { low, high, count }
    }

    #[test]
    fn the_sum_and_the_extremes_are_kept() {
        let buckets = [(0.0, 5.0, 3), (5.0, 10.0, 0), (10.0, f64::INFINITY, 2)].map(bucket);
        let known = Known { sum: Some(47.0), min: Some(1.0), max: Some(25.0) };
        let values = spread(&buckets, known);
        assert_eq!((values[0], values[values.len() - 1]), ((1.0, 1.0), (25.0, 1.0)));
        let (count, sum) = values.iter().fold((0.0, 0.0), |(n, s), (v, c)| (n + c, s + v * c));
        assert_eq!(count, 5.0);
        assert!((sum - 47.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_histogram_of_which_nothing_else_is_known_stands_in_the_middle_of_its_buckets() {
        assert_eq!(spread(&[bucket((2.0, 4.0, 7))], Known::default()), [(3.0, 7.0)]);
        assert!(spread(&[bucket((2.0, 4.0, 0))], Known::default()).is_empty());
    }

    proptest! {
        #[test]
        fn samples_come_back_with_their_count_sum_and_extremes(
            samples in prop::collection::vec(0.0..1000.0_f64, 1..200),
        ) {
            let bounds = [0.0, 1.0, 10.0, 100.0, 500.0, f64::INFINITY];
            let buckets: Vec<Bucket> = bounds
                .windows(2)
                .map(|b| {
                    let inside = |s: &&f64| (**s > b[0] || b[0] == 0.0) && **s <= b[1];
                    let count = samples.iter().filter(inside).count() as u64;
                    Bucket { low: b[0], high: b[1], count }
                })
                .collect();
            let sum: f64 = samples.iter().sum();
            let min = samples.iter().copied().fold(f64::INFINITY, f64::min);
            let max = samples.iter().copied().fold(0.0, f64::max);
            let known = Known { sum: Some(sum), min: Some(min), max: Some(max) };
            let values = spread(&buckets, known);
            let (count, total) =
                values.iter().fold((0.0, 0.0), |(n, s), (v, c)| (n + c, s + v * c));
            prop_assert_eq!(count, samples.len() as f64);
            prop_assert!((total - sum).abs() < 1e-6 * sum.max(1.0), "{} {}", total, sum);
            prop_assert!((values[0].0 - min).abs() < 1e-9);
            prop_assert!((values[values.len() - 1].0 - max).abs() < 1e-9);
        }
    }
}

/// A base-2 exponential histogram of positive values, on OTLP's own grid.
///
/// Bucket `i` holds values in `(base^i, base^(i+1)]` with `base = 2^(2^-scale)`; halving the scale
/// merges pairs of buckets exactly, so two histograms of any scales can be added.
/// Source: OpenTelemetry data model, "ExponentialHistogram".
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialHistogram {
    scale: i8,
    zero_count: f64,
    /// `(index, count)`, by index, each index once.
    buckets: Vec<(i32, f64)>,
}

impl ExponentialHistogram {
    /// The finest scale: a value is known to 0.27 %.
    pub const SCALE_MAX: i8 = 7;
    /// The coarsest scale that a stored histogram may name; one bucket is then 1024 octaves.
    pub const SCALE_MIN: i8 = -10;
    /// Past this many buckets the scale is halved.
    const BUCKETS_MAX: usize = 2048;

    /// No values, at the finest scale.
    pub const fn new() -> Self {
        Self { scale: Self::SCALE_MAX, zero_count: 0.0, buckets: Vec::new() }
    }

    /// The histogram of these parts, as they were read from a disk or a wire.
    ///
    /// Returns `None` when the scale is out of range or a count is not a finite number above zero.
    pub fn from_parts(scale: i8, zero_count: f64, mut buckets: Vec<(i32, f64)>) -> Option<Self> {
        let counts_hold = buckets.iter().all(|(_, n)| n.is_finite() && *n > 0.0);
        if !counts_hold || !zero_count.is_finite() || zero_count < 0.0 || scale < Self::SCALE_MIN {
            return None;
        }
        buckets.sort_unstable_by_key(|(index, _)| *index);
        let mut histogram = Self { scale, zero_count, buckets };
        histogram.merge_equal_indexes();
        let finest = scale.min(Self::SCALE_MAX);
        histogram.lower_to(finest);
        Some(histogram)
    }

    /// The scale.
    pub const fn scale(&self) -> i8 {
        self.scale
    }

    /// How many values are zero.
    pub const fn zero_count(&self) -> f64 {
        self.zero_count
    }

    /// `(index, count)` of each bucket that is not empty, by index.
    pub fn buckets(&self) -> &[(i32, f64)] {
        &self.buckets
    }

    /// Adds `count` values of `value`, which is zero or positive.
    pub(super) fn add(&mut self, value: f64, count: f64) {
        if value <= 0.0 {
            self.zero_count += count;
            return;
        }
        let index = self.index_of(value);
        match self.buckets.binary_search_by_key(&index, |(i, _)| *i) {
            Ok(at) => {
                if let Some((_, n)) = self.buckets.get_mut(at) {
                    *n += count;
                }
            }
            Err(at) => self.buckets.insert(at, (index, count)),
        }
        self.bound();
    }

    /// Adds every value of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        let scale = self.scale.min(other.scale);
        self.lower_to(scale);
        let mut lowered = other.clone();
        lowered.lower_to(scale);
        self.zero_count += lowered.zero_count;
        self.buckets.append(&mut lowered.buckets);
        self.buckets.sort_by_key(|(index, _)| *index);
        self.merge_equal_indexes();
        self.bound();
    }

    /// `(value, count)`, by value; a bucket stands at its geometric middle.
    pub(super) fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let width = (-f64::from(self.scale)).exp2();
        let zero = (self.zero_count > 0.0).then_some((0.0, self.zero_count));
        let middle = move |index: i32| ((f64::from(index) + 0.5) * width).exp2();
        zero.into_iter().chain(self.buckets.iter().map(move |(index, n)| (middle(*index), *n)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 1075 octaves of 128 buckets")]
    fn index_of(&self, value: f64) -> i32 {
        (value.log2() * f64::from(self.scale).exp2()).ceil() as i32 - 1
    }

    fn lower_to(&mut self, scale: i8) {
        let steps = u32::try_from(self.scale - scale).unwrap_or(0);
        if steps == 0 {
            return;
        }
        self.scale = scale;
        for (index, _) in &mut self.buckets {
            *index = index.checked_shr(steps).unwrap_or(if *index < 0 { -1 } else { 0 });
        }
        self.merge_equal_indexes();
    }

    fn merge_equal_indexes(&mut self) {
        self.buckets.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
    }

    // BOUND: a wider spread of values costs precision, never memory.
    fn bound(&mut self) {
        while self.buckets.len() > Self::BUCKETS_MAX && self.scale > Self::SCALE_MIN {
            self.lower_to(self.scale - 1);
        }
    }
}

impl Default for ExponentialHistogram {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_given_back_to_three_tenths_of_a_percent() {
        for value in [1e-9, 0.001, 0.37, 1.0, 2.0, 431.7, 6.02e23] {
            let mut histogram = ExponentialHistogram::new();
            histogram.add(value, 1.0);
            let (seen, count) = histogram.points().next().unwrap();
            assert!((seen / value - 1.0).abs() < 0.003, "{value} came back as {seen}");
            assert_eq!(count, 1.0);
        }
    }

    #[test]
    fn adding_at_a_coarser_scale_keeps_every_count() {
        let mut fine = ExponentialHistogram::new();
        (1..=100).for_each(|v| fine.add(f64::from(v), 2.0));
        let coarse = ExponentialHistogram::from_parts(3, 1.0, vec![(-2, 4.0), (0, 1.0)]).unwrap();
        fine.merge(&coarse);
        assert_eq!(fine.scale(), 3);
        let total: f64 = fine.points().map(|(_, n)| n).sum();
        assert_eq!(total, 206.0);
    }

    #[test]
    fn a_spread_of_a_thousand_octaves_stays_bounded() {
        let mut histogram = ExponentialHistogram::new();
        for exponent in -1000..1000 {
            histogram.add(f64::from(exponent).exp2(), 1.0);
            histogram.add(f64::from(exponent).exp2() * 1.3, 1.0);
        }
        assert!(histogram.buckets().len() <= ExponentialHistogram::BUCKETS_MAX);
        assert_eq!(histogram.points().map(|(_, n)| n).sum::<f64>(), 4000.0);
    }

    #[test]
    fn parts_that_no_histogram_can_have_are_refused() {
        assert_eq!(ExponentialHistogram::from_parts(-11, 0.0, vec![]), None);
        assert_eq!(ExponentialHistogram::from_parts(0, -1.0, vec![]), None);
        assert_eq!(ExponentialHistogram::from_parts(0, 0.0, vec![(0, f64::NAN)]), None);
    }
}

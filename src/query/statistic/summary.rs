use super::distribution::Distribution;
use crate::telemetry::{MetricValue, StatisticSet};

/// What is kept of the samples of one bucket. Summaries of disjoint samples add up.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many samples; fractional counts are legal.
    pub sample_count: f64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// Their spread; `None` when it cannot be known or a value is negative, which leaves the
    /// extended statistics without an answer.
    pub distribution: Option<Distribution>,
}

impl Summary {
    /// One sample.
    pub fn of_sample(value: f64) -> Self {
        Self::of_repeated(value, 1.0)
    }

    /// `count` samples of one value.
    pub fn of_repeated(value: f64, count: f64) -> Self {
        let distribution = Distribution::of([(value, count)]);
        let sum = value * count;
        Self { sample_count: count, sum, minimum: value, maximum: value, distribution }
    }

    /// What a datum carries; `None` when it carries no sample at all.
    ///
    /// Source: CloudWatch API Reference, `MetricStat`: percentiles of a statistic set exist only
    /// when it has one sample, or its minimum is its maximum.
    pub fn of(value: &MetricValue) -> Option<Self> {
        match value {
            MetricValue::Value(value) => Some(Self::of_sample(*value)),
            MetricValue::StatisticSet(set) => Self::of_statistic_set(set),
            MetricValue::Distribution(pairs) => Self::of_pairs(pairs),
        }
    }

    fn of_statistic_set(set: &StatisticSet) -> Option<Self> {
        if set.sample_count <= 0.0 {
            return None;
        }
        // `n = 1` with different extremes contradicts itself, so equal extremes cover both rules.
        let is_raw = set.minimum == set.maximum && set.sum == set.minimum * set.sample_count;
        let distribution =
            if is_raw { Distribution::of([(set.minimum, set.sample_count)]) } else { None };
        Some(Self {
            sample_count: set.sample_count,
            sum: set.sum,
            minimum: set.minimum,
            maximum: set.maximum,
            distribution,
        })
    }

    fn of_pairs(pairs: &[(f64, f64)]) -> Option<Self> {
        let seen = || pairs.iter().copied().filter(|(_, count)| *count > 0.0);
        let (first, _) = seen().next()?;
        let mut summary = Self {
            sample_count: 0.0,
            sum: 0.0,
            minimum: first,
            maximum: first,
            distribution: Distribution::of(seen()),
        };
        for (value, count) in seen() {
            summary.sample_count += count;
            summary.sum += value * count;
            summary.minimum = summary.minimum.min(value);
            summary.maximum = summary.maximum.max(value);
        }
        Some(summary)
    }

    /// Adds the samples of `other` to this one's.
    pub fn merge(&mut self, other: &Self) {
        self.sample_count += other.sample_count;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        match (&mut self.distribution, &other.distribution) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            // One part that cannot be told apart spoils the whole.
            (mine, _) => *mine = None,
        }
    }

    /// Whether it is exactly one sample, and so told entirely by its value.
    #[must_use]
    pub fn as_sample(&self) -> Option<f64> {
        let value = self.minimum;
        let is_one = self.sample_count == 1.0 && self.maximum == value && self.sum == value;
        (is_one && (self.distribution.is_some() || value < 0.0)).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sample_count: f64, sum: f64, minimum: f64, maximum: f64) -> Summary {
        let set = StatisticSet { sample_count, sum, minimum, maximum };
        Summary::of(&MetricValue::StatisticSet(set)).unwrap()
    }

    #[test]
    fn a_statistic_set_is_spread_out_only_when_its_extremes_are_equal() {
        assert!(set(1.0, 5.0, 5.0, 5.0).distribution.is_some());
        assert!(set(4.0, 20.0, 5.0, 5.0).distribution.is_some());
        assert!(set(2.0, 9.0, 4.0, 5.0).distribution.is_none());
        assert!(set(4.0, 21.0, 5.0, 5.0).distribution.is_none());
    }

    #[test]
    fn one_unknown_part_leaves_the_sum_without_a_spread() {
        let mut sum = Summary::of_sample(1.0);
        sum.merge(&set(2.0, 9.0, 4.0, 5.0));
        assert_eq!(sum.distribution, None);
        assert_eq!((sum.sample_count, sum.sum, sum.minimum, sum.maximum), (3.0, 10.0, 1.0, 5.0));
    }

    #[test]
    fn values_without_counts_above_zero_are_no_samples() {
        assert_eq!(Summary::of(&MetricValue::Distribution(vec![(7.0, 0.0)])), None);
        let seen = Summary::of(&MetricValue::Distribution(vec![(7.0, 0.0), (2.0, 2.5)])).unwrap();
        assert_eq!((seen.sample_count, seen.sum, seen.maximum), (2.5, 5.0, 2.0));
    }

    #[test]
    fn only_one_plain_sample_is_told_by_its_value() {
        assert_eq!(Summary::of_sample(3.5).as_sample(), Some(3.5));
        assert_eq!(Summary::of_sample(-3.5).as_sample(), Some(-3.5));
        assert_eq!(Summary::of_repeated(3.5, 2.0).as_sample(), None);
    }
}

use super::definition::{Bounds, Statistic};
use super::summary::Summary;

impl Statistic {
    /// Reads the statistic from one bucket.
    ///
    /// Returns `None` when the bucket does not tell: an extended statistic without a spread, or a
    /// trimmed one with no sample left.
    /// Source: CloudWatch User Guide, "CloudWatch statistics definitions".
    /// Differs: AWS's interpolation is unpublished; here samples are weighted on `(0, n]`, and a
    /// percentile is the nearest rank. Past 64 distinct values a value is known to 0.27 %.
    pub fn of(self, summary: &Summary) -> Option<f64> {
        match self {
            Self::SampleCount => Some(summary.sample_count),
            Self::Average => Some(summary.sum / summary.sample_count),
            Self::Sum => Some(summary.sum),
            Self::Minimum => Some(summary.minimum),
            Self::Maximum => Some(summary.maximum),
            Self::InterquartileMean => {
                Samples::of(summary)?.mean(Bounds::Percent { low: 25.0, high: 75.0 })
            }
            Self::Percentile(percent) => {
                let samples = Samples::of(summary)?;
                // A histogram's buckets blur the extremes; the summary knows them exactly.
                match percent {
                    0.0 => Some(summary.minimum),
                    100.0 => Some(summary.maximum),
                    _ => samples.percentile(percent),
                }
            }
            Self::TrimmedMean(bounds) => Samples::of(summary)?.mean(bounds),
            Self::TrimmedCount(bounds) => Samples::of(summary)?.inside(bounds).map(|(n, _)| n),
            Self::TrimmedSum(bounds) => Samples::of(summary)?.inside(bounds).map(|(_, sum)| sum),
            Self::WinsorizedMean(bounds) => Samples::of(summary)?.winsorized(bounds),
            Self::PercentileRank { low, high } => {
                let samples = Samples::of(summary)?;
                let inside = samples.inside(Bounds::Absolute { low, high });
                Some(100.0 * inside.map_or(0.0, |(n, _)| n) / samples.count)
            }
        }
    }
}

/// Weighted samples, by value, and their total weight.
struct Samples {
    points: Vec<(f64, f64)>,
    count: f64,
}

impl Samples {
    fn of(summary: &Summary) -> Option<Self> {
        let mut points = summary.distribution.as_ref()?.points();
        // The extremes are known exactly; a bucket's middle must not lie beyond them.
        for (value, _) in &mut points {
            *value = value.clamp(summary.minimum, summary.maximum);
        }
        let count = points.iter().map(|(_, n)| n).sum();
        Some(Self { points, count })
    }

    fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = self.count * percent / 100.0;
        // A weight of a billionth is rounding, not a sample.
        let slack = self.count * 1e-9;
        let mut reached = 0.0;
        for (value, count) in &self.points {
            reached += count;
            if reached + slack >= rank {
                return Some(*value);
            }
        }
        self.points.last().map(|(value, _)| *value)
    }

    /// Weight and sum of the samples inside; `None` when there is none.
    fn inside(&self, bounds: Bounds) -> Option<(f64, f64)> {
        let (mut weight, mut sum, mut reached) = (0.0, 0.0, 0.0);
        for &(value, count) in &self.points {
            let part = match bounds {
                Bounds::Percent { low, high } => {
                    let from = f64::max(reached, self.count * low / 100.0);
                    let to = f64::min(reached + count, self.count * high / 100.0);
                    f64::max(to - from, 0.0)
                }
                Bounds::Absolute { low, high } => {
                    let above = low.is_none_or(|low| value > low);
                    let below = high.is_none_or(|high| value <= high);
                    if above && below { count } else { 0.0 }
                }
            };
            reached += count;
            weight += part;
            sum += part * value;
        }
        (weight > 0.0).then_some((weight, sum))
    }

    fn mean(&self, bounds: Bounds) -> Option<f64> {
        self.inside(bounds).map(|(weight, sum)| sum / weight)
    }

    fn winsorized(&self, bounds: Bounds) -> Option<f64> {
        match bounds {
            Bounds::Percent { low, high } => {
                let (_, inside) = self.inside(bounds).unwrap_or((0.0, 0.0));
                let below = low / 100.0 * self.percentile(low)?;
                let above = (100.0 - high) / 100.0 * self.percentile(high)?;
                Some(inside / self.count + below + above)
            }
            Bounds::Absolute { low, high } => {
                let clamp =
                    |value: f64| value.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX));
                let sum: f64 = self.points.iter().map(|(value, n)| clamp(*value) * n).sum();
                Some(sum / self.count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{MetricValue, StatisticSet};

    fn of(statistic: &str, pairs: &[(f64, f64)]) -> Option<f64> {
        let summary = Summary::of(&MetricValue::Distribution(pairs.to_vec())).unwrap();
        statistic.parse::<Statistic>().unwrap().of(&summary)
    }

    /// Expected values: an independent script that expands the samples and cuts the sorted list.
    #[test]
    fn ten_samples_follow_the_table() {
        let samples: Vec<(f64, f64)> = (1..=10).map(|v| (f64::from(v * 10), 1.0)).collect();
        for (statistic, expected) in [
            ("SampleCount", 10.0),
            ("Average", 55.0),
            ("Sum", 550.0),
            ("Minimum", 10.0),
            ("Maximum", 100.0),
            ("p0", 10.0),
            ("p10", 10.0),
            ("p10.1", 20.0),
            ("p50", 50.0),
            ("p90", 90.0),
            ("p99", 100.0),
            ("p100", 100.0),
            ("tm90", 50.0),
            ("TM(10%:90%)", 55.0),
            ("TM(95%:)", 100.0),
            ("TM(20:50)", 40.0),
            ("tc90", 9.0),
            ("TC(5%:90%)", 8.5),
            ("TC(20:50)", 3.0),
            ("ts90", 450.0),
            ("TS(80%:)", 190.0),
            ("TS(20:50)", 120.0),
            ("wm90", 54.0),
            ("WM(10%:90%)", 54.0),
            ("WM(20%:80%)", 53.0),
            ("WM(20:50)", 41.0),
            ("PR(:30)", 30.0),
            ("PR(30:)", 70.0),
            ("PR(30:50)", 20.0),
            ("PR(500:600)", 0.0),
            ("IQM", 55.0),
        ] {
            let seen = of(statistic, &samples).unwrap();
            assert!((seen - expected).abs() < 1e-9, "{statistic}: {seen}, expected {expected}");
        }
    }

    #[test]
    fn fractional_counts_weigh_as_they_say() {
        let samples = [(1.0, 0.5), (2.0, 1.5), (3.0, 2.0)];
        assert_eq!(of("p50", &samples), Some(2.0));
        assert_eq!(of("p51", &samples), Some(3.0));
        assert_eq!(of("tc50", &samples), Some(2.0));
        assert_eq!(of("tm50", &samples), Some(1.75));
    }

    #[test]
    fn what_has_no_sample_left_has_no_answer() {
        assert_eq!(of("TM(500:600)", &[(1.0, 1.0)]), None);
        assert_eq!(of("TC(500:600)", &[(1.0, 1.0)]), None);
    }

    #[test]
    fn extended_statistics_do_not_exist_without_a_spread() {
        assert_eq!(of("p50", &[(-1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(of("Average", &[(-1.0, 1.0), (2.0, 1.0)]), Some(0.5));
        let set = StatisticSet { sample_count: 2.0, sum: 9.0, minimum: 4.0, maximum: 5.0 };
        let summary = Summary::of(&MetricValue::StatisticSet(set)).unwrap();
        assert_eq!("p50".parse::<Statistic>().unwrap().of(&summary), None);
        assert_eq!("IQM".parse::<Statistic>().unwrap().of(&summary), None);
    }

    #[test]
    fn percentiles_of_many_values_stay_within_a_third_of_a_percent() {
        let samples: Vec<(f64, f64)> = (1..=10_000).map(|v| (f64::from(v) * 0.37, 1.0)).collect();
        for percent in [1.0, 25.0, 50.0, 90.0, 99.0, 99.9] {
            let exact = percent / 100.0 * 10_000.0 * 0.37;
            let seen = of(&format!("p{percent}"), &samples).unwrap();
            assert!((seen / exact - 1.0).abs() < 0.0034, "p{percent}: {seen}, expected {exact}");
        }
        assert_eq!(of("p100", &samples), Some(3700.0));
        assert_eq!(of("p0", &samples), of("Minimum", &samples));
    }
}

use std::time::Duration;

use super::fault::INVALID_PARAMETER_VALUE;
use crate::api::call::{Answer, Call};
use crate::query::statistic::Statistic;
use crate::store::Bucket;
use crate::telemetry::{MetricId, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

const DAY: Duration = Duration::from_secs(86_400);

/// Reads a period as a caller gives it.
pub(super) fn period(seconds: i64, parameter: &str) -> Answer<Period> {
    u32::try_from(seconds).ok().and_then(|seconds| Period::new(seconds).ok()).ok_or_else(|| {
        INVALID_PARAMETER_VALUE.because(format!(
            "The value {seconds} for parameter {parameter} is invalid: it must be 1, 5, 10, 20, \
             30 or a multiple of 60."
        ))
    })
}

/// What is read when `start` to `end` is asked for at `period`; `None` when there is no data so
/// finely for times so long ago.
///
/// The start is rounded down as AWS does, and buckets are counted from there.
/// Source: CloudWatch API Reference, GetMetricStatistics, `StartTime` and `Period`.
pub(super) fn window(
    (start, end): (Timestamp, Timestamp),
    period: Period,
    now: Timestamp,
) -> Option<TimeRange> {
    let older_than = |age: Duration| start < now.minus(age);
    let (finest, rounding) = if older_than(63 * DAY) {
        (Period::HOUR, Period::HOUR)
    } else if older_than(15 * DAY) {
        (Period::FIVE_MINUTES, Period::FIVE_MINUTES)
    } else if older_than(Duration::from_secs(3 * 3600)) {
        (Period::MINUTE, Period::MINUTE)
    } else {
        (Period::SECOND, period.min(Period::MINUTE))
    };
    let fits = period.as_secs().is_multiple_of(finest.as_secs());
    fits.then(|| TimeRange::new(start.floor(rounding), end))
}

/// Buckets of one metric.
pub(super) async fn buckets(
    call: &Call,
    metric: &MetricId,
    range: Option<TimeRange>,
    (period, unit): (Period, Option<StandardUnit>),
) -> Answer<Vec<Bucket>> {
    let Some(range) = range else { return Ok(Vec::new()) };
    let metrics = call.state().store.metrics();
    Ok(metrics.read(call.scope(), metric, range, (period, unit)).await?)
}

/// One statistic of buckets that may be in several units: points of one unit, and all the units.
///
/// Source: recorded GetMetricData answers: with several units the values of one are returned, by a
/// fixed preference.
pub(super) fn one_unit(
    buckets: &[Bucket],
    statistic: &Statistic,
) -> (Vec<(Timestamp, f64)>, Vec<StandardUnit>) {
    let mut units = buckets.iter().map(|bucket| bucket.unit).collect::<Vec<_>>();
    units.sort_by_key(|unit| unit.as_str());
    units.dedup();
    let chosen = PREFERRED.iter().find(|unit| units.contains(unit));
    let points = buckets
        .iter()
        .filter(|bucket| Some(&bucket.unit) == chosen)
        .filter_map(|bucket| Some((bucket.start, statistic.of(&bucket.summary)?)))
        .collect();
    (points, units)
}

/// Source: recorded GetMetricData answers.
const PREFERRED: [StandardUnit; 27] = {
    use StandardUnit as U;
    [
        U::Megabits,
        U::Terabits,
        U::Gigabits,
        U::Count,
        U::Bytes,
        U::Gigabytes,
        U::GigabytesPerSecond,
        U::Kilobytes,
        U::KilobitsPerSecond,
        U::Terabytes,
        U::TerabitsPerSecond,
        U::BytesPerSecond,
        U::Percent,
        U::Megabytes,
        U::MegabitsPerSecond,
        U::Milliseconds,
        U::Microseconds,
        U::KilobytesPerSecond,
        U::GigabitsPerSecond,
        U::MegabytesPerSecond,
        U::Bits,
        U::BitsPerSecond,
        U::CountPerSecond,
        U::Seconds,
        U::Kilobits,
        U::TerabytesPerSecond,
        U::None,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: GetMetricStatistics, the tables of `StartTime` and `Period`.
    #[test]
    fn the_start_is_rounded_and_the_period_limited_by_age() {
        let now = Timestamp::parse("2026-03-31T12:00:00Z").unwrap();
        for (start, seconds, expected) in [
            ("2026-03-31T11:07:31Z", 60, Some("2026-03-31T11:07:00Z")),
            ("2026-03-31T11:07:31Z", 300, Some("2026-03-31T11:07:00Z")),
            ("2026-03-31T11:07:31Z", 1, Some("2026-03-31T11:07:31Z")),
            ("2026-03-31T11:07:37Z", 5, Some("2026-03-31T11:07:35Z")),
            ("2026-03-31T11:07:37Z", 30, Some("2026-03-31T11:07:30Z")),
            ("2026-03-31T08:59:59Z", 30, None),
            ("2026-03-20T11:07:31Z", 60, Some("2026-03-20T11:07:00Z")),
            ("2026-03-10T11:07:31Z", 60, None),
            ("2026-03-10T11:07:31Z", 300, Some("2026-03-10T11:05:00Z")),
            ("2026-01-10T11:07:31Z", 300, None),
            ("2026-01-10T11:07:31Z", 3600, Some("2026-01-10T11:00:00Z")),
            ("2001-01-01T00:30:00Z", 86_400, Some("2001-01-01T00:00:00Z")),
            ("2027-01-01T00:00:07Z", 10, Some("2027-01-01T00:00:00Z")),
        ] {
            let asked = (Timestamp::parse(start).unwrap(), Timestamp::MAX);
            let window = window(asked, Period::new(seconds).unwrap(), now);
            let rounded = window.map(|range| range.start.to_rfc3339());
            assert_eq!(rounded.as_deref(), expected, "{start} by {seconds}");
        }
    }

    #[test]
    fn every_unit_has_its_place_in_the_preference() {
        assert!(StandardUnit::ALL.iter().all(|unit| PREFERRED.contains(unit)));
    }
}

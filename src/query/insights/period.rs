//! Periods as a query writes them: `5m`, `1h`, `1mo`.

use chrono::{DateTime, Datelike, Utc};

use crate::time::Timestamp;

/// A number of units of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Millis(i64),
    Months(i32),
}

impl Period {
    /// The period of `count` units, or `None` for an unknown unit.
    ///
    /// COMPAT: a count above the unit's cap is clamped and not converted: `300s` is one minute.
    pub(super) fn new(count: u32, unit: &str) -> Option<Self> {
        let singular = unit.to_ascii_lowercase();
        let singular = match singular.as_str() {
            "ms" | "s" => singular.as_str(),
            word if word.len() > 1 => word.strip_suffix('s').unwrap_or(word),
            word => word,
        };
        let (unit, cap) = match singular {
            "ms" | "msec" | "millisecond" => (Unit::Millis(1), 1000),
            "s" | "sec" | "second" => (Unit::Millis(1000), 60),
            "m" | "min" | "minute" => (Unit::Millis(60_000), 60),
            "h" | "hr" | "hour" => (Unit::Millis(3_600_000), 24),
            "d" | "day" => (Unit::Millis(86_400_000), u32::MAX),
            "w" | "week" => (Unit::Millis(604_800_000), u32::MAX),
            "mo" | "mon" | "month" => (Unit::Months(1), u32::MAX),
            "q" | "qtr" | "quarter" => (Unit::Months(3), u32::MAX),
            "y" | "yr" | "year" => (Unit::Months(12), u32::MAX),
            _ => return None,
        };
        Some(Self { count: count.min(cap).max(1), unit })
    }

    /// Start of the period that holds `at`, counted from `offset` past the epoch.
    pub(super) fn floor(self, at: Timestamp, offset: Option<Self>) -> Timestamp {
        match self.unit {
            Unit::Millis(width) => {
                let width = width.saturating_mul(i64::from(self.count));
                let shift = offset.map_or(0, Self::millis);
                let whole = (at.as_millis() - shift).div_euclid(width).saturating_mul(width);
                Timestamp::from_millis(whole.saturating_add(shift))
            }
            Unit::Months(width) => calendar_floor(at, width.saturating_mul(self.months())),
        }
    }

    /// Start of the first period that begins at or after `at`.
    pub(super) fn ceil(self, at: Timestamp) -> Timestamp {
        let floor = self.floor(at, None);
        if floor == at { at } else { self.next(floor) }
    }

    /// Start of the period after the one that begins at `start`.
    pub(super) fn next(self, start: Timestamp) -> Timestamp {
        match self.unit {
            Unit::Millis(_) => start.plus_millis(self.millis()),
            Unit::Months(width) => {
                let months = width.saturating_mul(self.months());
                // Any day of the next period will do, and 31 days a month reach into it.
                let beyond = i64::from(months).saturating_mul(31 * 86_400_000);
                calendar_floor(start.plus_millis(beyond), months)
            }
        }
    }

    fn months(self) -> i32 {
        i32::try_from(self.count).unwrap_or(i32::MAX)
    }

    /// Its length, months counted as 30 days.
    pub(super) fn millis(self) -> i64 {
        let unit = match self.unit {
            Unit::Millis(width) => width,
            Unit::Months(width) => i64::from(width) * 30 * 86_400_000,
        };
        unit.saturating_mul(i64::from(self.count))
    }
}

/// Start of the stretch of `months` calendar months, counted from year 0, that holds `at`.
fn calendar_floor(at: Timestamp, months: i32) -> Timestamp {
    let floor = DateTime::<Utc>::from_timestamp_millis(at.as_millis()).and_then(|at| {
        let month0 = i32::try_from(at.month0()).ok()?;
        let first = (at.year().checked_mul(12)? + month0).div_euclid(months).checked_mul(months)?;
        let month = u32::try_from(first.rem_euclid(12)).ok()? + 1;
        let day = chrono::NaiveDate::from_ymd_opt(first.div_euclid(12), month, 1)?;
        Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
    });
    floor.map_or(at, Timestamp::from_millis)
}

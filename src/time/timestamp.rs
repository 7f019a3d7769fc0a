use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Period;

/// An instant: milliseconds since the Unix epoch, UTC. Any past or future instant is valid.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A text that is not an instant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not an ISO 8601 instant or a number of epoch seconds")]
pub struct TimestampError;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The instant a JSON or CBOR protocol writes as fractional epoch seconds, to the millisecond.
    #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Epoch seconds with fractional milliseconds, as AWS's JSON protocols write instants.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years around the epoch")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Start of the period that contains this instant, also before 1970.
    pub fn floor(self, period: Period) -> Self {
        let width = period.as_millis();
        Self(self.0.div_euclid(width).saturating_mul(width))
    }

    /// This instant moved by a signed number of milliseconds, held at the ends of time.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved into the future, held at the end of time.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// This instant moved into the past, held at the start of time.
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads ISO 8601 (with `Z`, an offset, or no zone meaning UTC) or epoch seconds.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let text = text.trim();
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(instant.timestamp_millis()));
        }
        for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f"] {
            if let Ok(instant) = NaiveDateTime::parse_from_str(text, form) {
                return Ok(Self(instant.and_utc().timestamp_millis()));
            }
        }
        if let Ok(day) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()));
        }
        match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => Ok(Self::from_secs_f64(seconds)),
            _ => Err(TimestampError),
        }
    }

    /// The instant in RFC 3339, UTC, to the second when it is whole, to the millisecond otherwise.
    pub fn to_rfc3339(self) -> String {
        let form =
            if self.0.rem_euclid(1000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        match DateTime::from_timestamp_millis(self.0) {
            Some(instant) => instant.to_rfc3339_opts(form, true),
            // BOUND: years beyond 262,000 have no calendar form; the number is still exact.
            None => format!("{}ms", self.0),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// A half-open stretch of time: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant after.
    pub end: Timestamp,
}

impl TimeRange {
    /// The stretch from `start` up to, not including, `end`.
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// All of time.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether `at` lies inside.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether the two stretches share an instant.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether no instant lies inside.
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_before_1970_starts_at_or_before_its_instant() {
        let minute = Period::MINUTE;
        for (millis, start) in [(-1, -60_000), (-60_000, -60_000), (0, 0), (59_999, 0)] {
            assert_eq!(Timestamp::from_millis(millis).floor(minute).as_millis(), start, "{millis}");
        }
    }

    #[test]
    fn every_form_that_clients_send_is_read() {
        let expected = Timestamp::from_millis(1_767_323_045_678);
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.678000Z",
            "2026-01-02T04:04:05.678+01:00",
            "2026-01-02T03:04:05.678",
            "1767323045.678",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(expected), "{text}");
        }
        assert_eq!(Timestamp::parse("2026-01-02").map(|t| t.as_millis()), Ok(1_767_312_000_000));
        assert_eq!(Timestamp::parse("yesterday"), Err(TimestampError));
        assert_eq!(Timestamp::parse("NaN"), Err(TimestampError));
    }

    #[test]
    fn text_is_to_the_second_unless_millis_matter() {
        assert_eq!(Timestamp::from_secs(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_millis(5).to_string(), "1970-01-01T00:00:00.005Z");
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        assert_eq!(Timestamp::MAX.plus(Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::from_secs(1)), Timestamp::MIN);
    }
}

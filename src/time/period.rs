use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A metric period: the width of one datapoint.
///
/// Source: CloudWatch API Reference, `MetricStat.Period`: 1, 5, 10, 20, 30 or a multiple of 60 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Period(u32);

/// A number of seconds that is no period.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("period {seconds} is not 1, 5, 10, 20, 30 or a multiple of 60 seconds")]
pub struct PeriodError {
    /// What was asked for.
    pub seconds: u32,
}

impl Period {
    /// One second, the finest resolution.
    pub const SECOND: Self = Self(1);
    /// One minute, the standard resolution.
    pub const MINUTE: Self = Self(60);
    /// Five minutes.
    pub const FIVE_MINUTES: Self = Self(300);
    /// One hour.
    pub const HOUR: Self = Self(3600);

    /// The period of `seconds` seconds.
    pub const fn new(seconds: u32) -> Result<Self, PeriodError> {
        match seconds {
            1 | 5 | 10 | 20 | 30 => Ok(Self(seconds)),
            _ if seconds > 0 && seconds.is_multiple_of(60) => Ok(Self(seconds)),
            _ => Err(PeriodError { seconds }),
        }
    }

    /// Width in seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// Width in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0 as i64 * 1000
    }

    /// Width as a duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    /// Whether only high-resolution data can fill such a period.
    pub const fn is_high_resolution(self) -> bool {
        self.0 < 60
    }
}

impl TryFrom<u32> for Period {
    type Error = PeriodError;

    fn try_from(seconds: u32) -> Result<Self, PeriodError> {
        Self::new(seconds)
    }
}

impl From<Period> for u32 {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s if s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_published_widths_are_periods() {
        for seconds in [1, 5, 10, 20, 30, 60, 120, 3600, 86_400] {
            assert_eq!(Period::new(seconds).map(Period::as_secs), Ok(seconds));
        }
        for seconds in [0, 2, 15, 45, 61, 90] {
            assert_eq!(Period::new(seconds), Err(PeriodError { seconds }));
        }
    }
}

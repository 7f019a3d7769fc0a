//! When a canary runs: `rate(..)`, `cron(..)` and time zones, as pure functions of an instant.
//!
//! Main type: [`Schedule`]. It decides which instants are due and knows no clock; who is late, what
//! was missed and what to do about it is `monitor`'s business. Fields of a cron expression are
//! parsed and searched by the `cron` crate; `L`, `W` and `#`, which it does not know, and time
//! zones, whose gaps and repeats it would pass over, are ours.

mod cron;
mod days;
mod rate;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use xxhash_rust::xxh3::xxh3_64;

use self::cron::Cron;
use crate::time::Timestamp;

/// A schedule expression that parsed.
///
/// Source: CloudWatch Synthetics API Reference, `CanaryScheduleInput`; EventBridge Scheduler User
/// Guide, "Schedule types", for time zones and daylight saving time.
/// Differs: `rate` knows seconds and days; `cron` knows time zones.
#[derive(Clone, Debug)]
pub struct Schedule {
    expression: Arc<str>,
    timezone: Tz,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// `rate(0 minute)`: once, when started.
    Once,
    Rate(Duration),
    Cron(Box<Cron>),
}

/// What is wrong with a schedule expression, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleFault {
    /// What is wrong, a lowercase fragment.
    pub problem: String,
    /// The bytes of the expression it is about.
    pub range: Range<usize>,
    /// What to do about it.
    pub help: Option<&'static str>,
}

impl ScheduleFault {
    fn new(problem: impl Into<String>, range: Range<usize>) -> Self {
        Self { problem: problem.into(), range, help: None }
    }

    fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

impl Schedule {
    /// Reads an expression; `timezone` is an IANA name and matters to `cron` only.
    ///
    /// Errors: the first fault of the expression, or an unknown time zone.
    pub fn parse(expression: &str, timezone: &str) -> Result<Self, ScheduleFault> {
        let whole = 0..expression.len();
        let timezone: Tz = timezone.parse().map_err(|_unknown| {
            ScheduleFault::new(format!("`{timezone}` is no time zone"), whole.clone())
                .help("write an IANA name: UTC, Europe/Berlin, America/New_York")
        })?;
        let trimmed = expression.trim();
        let start = expression.len() - expression.trim_start().len();
        let inner = |prefix: &str| {
            let inside = trimmed.strip_prefix(prefix)?.strip_suffix(')')?;
            Some((inside, start + prefix.len()))
        };
        let kind = if let Some((inside, offset)) = inner("rate(") {
            match rate::parse(inside, offset)? {
                Duration::ZERO => Kind::Once,
                period => Kind::Rate(period),
            }
        } else if let Some((inside, offset)) = inner("cron(") {
            Kind::Cron(Box::new(Cron::parse(inside, offset)?))
        } else {
            let problem = format!("`{trimmed}` is no schedule");
            let fault = ScheduleFault::new(problem, whole);
            return Err(fault.help("write rate(1 minute) or cron(0/5 8-18 ? * MON-FRI *)"));
        };
        Ok(Self { expression: expression.into(), timezone, kind })
    }

    /// The expression as it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The IANA name of its time zone.
    pub fn timezone(&self) -> &'static str {
        self.timezone.name()
    }

    /// The stretch between two runs of a `rate`; `None` for `cron` and for a single run.
    pub const fn period(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Rate(period) => Some(*period),
            Kind::Once | Kind::Cron(_) => None,
        }
    }

    /// Whether it asks for one run, when started, and no more: `rate(0 minute)`.
    pub const fn is_once(&self) -> bool {
        matches!(self.kind, Kind::Once)
    }

    /// The first due instant after `after`; `None` when there is none before the year 2101, and for
    /// a schedule that asks for a single run.
    ///
    /// A `rate` is due at every multiple of its period since the epoch, moved by `phase`; its slots
    /// are the same after a restart and do not drift. A `cron` takes no notice of the phase.
    ///
    /// Source: EventBridge Scheduler User Guide, "Daylight saving time": an instant that the wall
    /// clock passes over is skipped, one that it shows twice is due the first time only.
    pub fn next_after(&self, after: Timestamp, phase: Duration) -> Option<Timestamp> {
        match &self.kind {
            Kind::Once => None,
            Kind::Rate(period) => rate::next_after(*period, after, phase),
            Kind::Cron(cron) => cron.next_after(self.timezone, after),
        }
    }

    /// The last due instant that is not after `at`.
    pub fn last_until(&self, at: Timestamp, phase: Duration) -> Option<Timestamp> {
        match &self.kind {
            Kind::Once => None,
            Kind::Rate(period) => rate::last_until(*period, at, phase),
            Kind::Cron(cron) => cron.last_until(self.timezone, at),
        }
    }
}

/// A share of `spread` that is always the same for the same name, so that canaries of one period
/// do not all start at once, and keep their place after a restart.
pub fn stable_phase(name: &str, spread: Duration) -> Duration {
    let millis = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(xxh3_64(name.as_bytes()) % millis)
}

#[cfg(test)]
mod tests;

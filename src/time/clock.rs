use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Timestamp;

/// A reading of the monotonic clock. Only differences mean anything; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(tokio::time::Instant);

impl Monotonic {
    /// Time from `earlier` to this reading; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The reading `duration` after this one.
    pub fn plus(self, duration: Duration) -> Self {
        // BOUND: a deadline past what the platform can count is as good as 30 years.
        const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
        Self(self.0.checked_add(duration).unwrap_or_else(|| self.0 + FAR))
    }

    /// The same reading as the runtime's timers count it.
    pub const fn instant(self) -> tokio::time::Instant {
        self.0
    }
}

impl From<tokio::time::Instant> for Monotonic {
    fn from(instant: tokio::time::Instant) -> Self {
        Self(instant)
    }
}

/// Tells the time. Wall time is for data and calendars, monotonic time for durations and deadlines.
///
/// The monotonic side follows the runtime's timers, so a test that pauses the runtime moves both.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock. It may jump either way between two readings.
    fn now(&self) -> Timestamp;

    /// The monotonic clock.
    fn monotonic(&self) -> Monotonic {
        Monotonic(tokio::time::Instant::now())
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp::from_millis(since(after)),
            Err(before) => Timestamp::from_millis(-since(before.duration())),
        }
    }
}

/// A clock for tests: it shows what it was told.
///
/// `frozen` stands still until moved; `following` advances with the runtime's (pausable) timers.
/// Both can be stepped either way, as a wall clock is by an operator or by NTP.
#[derive(Debug)]
pub struct ManualClock {
    wall_millis: AtomicI64,
    follows: Option<tokio::time::Instant>,
}

impl ManualClock {
    /// A clock that stands at `at`.
    pub fn frozen(at: Timestamp) -> Self {
        Self { wall_millis: AtomicI64::new(at.as_millis()), follows: None }
    }

    /// A clock that shows `at` now and moves with the runtime's timers.
    pub fn following(at: Timestamp) -> Self {
        let follows = Some(tokio::time::Instant::now());
        Self { wall_millis: AtomicI64::new(at.as_millis()), follows }
    }

    /// Steps the wall clock by `millis`, forwards or backwards.
    pub fn step_millis(&self, millis: i64) {
        self.wall_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Steps the wall clock forwards.
    pub fn advance(&self, by: Duration) {
        self.step_millis(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Sets a frozen wall clock.
    pub fn set(&self, at: Timestamp) {
        self.wall_millis.store(at.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let base = Timestamp::from_millis(self.wall_millis.load(Ordering::SeqCst));
        match self.follows {
            Some(start) => base.plus(start.elapsed()),
            None => base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_following_clock_moves_with_paused_timers_and_steps_both_ways() {
        let clock = ManualClock::following(Timestamp::from_secs(100));
        let start = clock.monotonic();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), Timestamp::from_secs(105));
        clock.step_millis(-60_000);
        assert_eq!(clock.now(), Timestamp::from_secs(45));
        assert_eq!(clock.monotonic().since(start), Duration::from_secs(5));
    }

    #[test]
    fn a_far_deadline_does_not_overflow() {
        let now = SystemClock.monotonic();
        assert!(now.plus(Duration::MAX) > now);
    }
}

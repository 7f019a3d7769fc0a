use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use super::{Clock, Monotonic};

/// A point on the monotonic clock after which an operation must not go on.
///
/// Deadlines nest: `tightened` gives one that is never later than its parent, so that an I/O
/// deadline lies inside its step's, and the step's inside its run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Monotonic);

/// The deadline passed before the operation ended.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("deadline passed")]
pub struct DeadlinePassed;

impl Deadline {
    /// The deadline at a reading of the monotonic clock.
    pub const fn at(at: Monotonic) -> Self {
        Self(at)
    }

    /// The deadline `timeout` from now.
    pub fn after(clock: &dyn Clock, timeout: Duration) -> Self {
        Self(clock.monotonic().plus(timeout))
    }

    /// The earlier of this deadline and `timeout` from now.
    pub fn tightened(self, clock: &dyn Clock, timeout: Duration) -> Self {
        self.min(Self::after(clock, timeout))
    }

    /// Time left; zero once passed.
    pub fn left(self, clock: &dyn Clock) -> Duration {
        self.0.since(clock.monotonic())
    }

    /// Whether it has passed.
    pub fn has_passed(self, clock: &dyn Clock) -> bool {
        self.left(clock).is_zero()
    }

    /// The reading it stands for.
    pub const fn monotonic(self) -> Monotonic {
        self.0
    }

    /// Runs `operation` until it ends or the deadline passes; a late operation is dropped.
    ///
    /// Cancel safety: that of `operation`.
    pub async fn bound<F: Future>(self, operation: F) -> Result<F::Output, DeadlinePassed> {
        tokio::time::timeout_at(self.0.instant(), operation).await.map_err(|_late| DeadlinePassed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemClock;

    #[tokio::test(start_paused = true)]
    async fn a_child_deadline_is_never_later_than_its_parent() {
        let run = Deadline::after(&SystemClock, Duration::from_secs(10));
        let step = run.tightened(&SystemClock, Duration::from_secs(60));
        assert_eq!(step, run);
        let io = step.tightened(&SystemClock, Duration::from_secs(1));
        assert_eq!(io.left(&SystemClock), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_operation_is_dropped() {
        let deadline = Deadline::after(&SystemClock, Duration::from_secs(1));
        let outcome = deadline.bound(std::future::pending::<()>()).await;
        assert_eq!(outcome, Err(DeadlinePassed));
        assert!(deadline.has_passed(&SystemClock));
    }
}

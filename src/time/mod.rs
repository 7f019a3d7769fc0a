//! Instants, periods and the clock.
//!
//! Main types: [`Timestamp`] for data, [`Monotonic`] for durations and deadlines, [`Clock`] to ask
//! for either. Nothing else in the program reads a clock. This module knows no calendar: schedules
//! and time zones live in `canary::schedule`.

mod clock;
mod deadline;
pub mod millis;
mod period;
mod timestamp;

pub use clock::{Clock, ManualClock, Monotonic, SystemClock};
pub use deadline::{Deadline, DeadlinePassed};
pub use period::{Period, PeriodError};
pub use timestamp::{TimeRange, Timestamp, TimestampError};

//! Starts runs when they are due.
//!
//! Main type: [`Scheduler`]. When a canary is due is decided by `timetable`, whether a due run
//! starts by `admission`; both are plain state, told what time it is. What a run does is `runner`'s
//! business, what becomes of its report is `record`'s.

mod admission;
mod pause;
mod scheduler;
mod silence;
mod timetable;

pub(in crate::monitor) use admission::SkipReason;
pub use pause::Switched;
pub use scheduler::declared_alarms;
pub(in crate::monitor) use scheduler::{
    CanaryList, SCHEDULE_COMMANDS_MAX, ScheduleCommand, Scheduler, SchedulerParts,
};
pub(in crate::monitor) use silence::{LATENESS, NAMESPACE};

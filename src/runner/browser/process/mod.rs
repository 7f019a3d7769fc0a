//! Drivers as processes of ours: started, watched, and ended without a trace.
//!
//! Main type: [`Driver`]. What is said to a driver is the business of `webdriver`.

mod driver;
mod guard;
mod tree;

pub use driver::DriverError;
pub(super) use driver::{Driver, find_program};
pub use guard::{GUARD_SUBCOMMAND, guard_main};
pub use tree::{MARKER_VARIABLE, marked_processes};

//! Runs one canary: steps, variables, secrets, attempts; probes, browsers and scripts.
//!
//! It makes `canary::event::RunEvent`s and one `canary::report::RunReport`, and never an `Err`:
//! what went wrong is in the report. It stores nothing, schedules nothing and notifies nobody.

pub mod browser;
pub mod policy;
pub mod probe;

//! `coalmine run`: canaries once, reported, with an exit code. Opens no database.

mod artifacts;
mod command;
mod dry_run;
mod keeper;
mod outputs;
mod select;
mod session;

pub(super) use command::{RunCommand, execute, once};

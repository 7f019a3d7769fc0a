//! Scripts in a process of their own, for code that is not trusted.
//!
//! Main functions: [`run`] and [`read`] on our side, [`worker_main`] on the other. The worker has
//! the machine, its two pipes, and limits that it cannot lift: no file, no socket, no further
//! process, so much memory, so much time of the processor. Network, policy, secrets and telemetry
//! stay here. Whatever becomes of a worker is the failure of one step of one run. A worker is never
//! started again for the same attempt, so a script that crashes its worker costs one start each.

mod frame;
mod limits;
mod pipe;
mod read;
mod run;
mod wreck;

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Answered, Request};
use super::metadata::{Said as Metadata, ScriptFault};
use crate::canary::report::Failure;

pub(super) use pipe::Pipe;
pub use pipe::worker_main;
pub(super) use read::read;
pub(super) use run::run;

/// The hidden subcommand under which the program becomes a worker.
pub const WORKER_SUBCOMMAND: &str = "script-worker";

/// Stands in the environment of every worker, and nothing else does.
pub const MARKER_VARIABLE: &str = "COALMINE_SCRIPT";

/// From us to the worker.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Order(Order),
    Reply(Answered),
}

/// What a worker is to do; the first it is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    chunk: String,
    text: String,
    task: Task,
    /// Of the processor, until the system ends it.
    processor_time: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
enum Task {
    /// Find out what the script says about itself.
    Read,
    /// Run it.
    Run { parameters: Vec<(String, Value)>, time: Duration },
}

/// From the worker to us.
#[derive(Debug, Serialize, Deserialize)]
enum Heard {
    Ask(Request),
    Read(Result<Metadata, ScriptFault>),
    Ran(Option<Box<Failure>>),
}

fn command(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.arg(WORKER_SUBCOMMAND).env_clear().env(MARKER_VARIABLE, "1").current_dir("/");
    command
}

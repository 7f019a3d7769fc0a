//! Luau scripts: a sandbox, limits, and the functions that scripts can call.
//!
//! Main functions: [`load`], what a script says about itself, read without running its steps; and
//! `Attempt::script`, which runs it. Requests, page actions and expectations go through the rules
//! and the probes of YAML steps, so that both behave and report alike. A script reaches files only
//! through `require`, inside its canary's folder, and the network only inside of a step.
//!
//! ```text
//! guest     the machine: Luau and its functions, which know nothing of the run
//!   | call    requests and replies, plain values
//! host      the run: attempt, network, policy, secrets, telemetry
//! ```
//!
//! In full trust the two are one process. A script of a pull request gets its guest in a process of
//! its own, [`worker_main`], which has nothing but its pipes and can be killed.

mod api;
mod attempt;
mod call;
mod expect;
mod failure;
mod guest;
mod host;
mod metadata;
mod modules;
mod page;
mod request;
mod sandbox;
mod steps;
mod value;
mod worker;

pub use metadata::{ScriptPlace, load};
pub use worker::{MARKER_VARIABLE as WORKER_MARKER_VARIABLE, WORKER_SUBCOMMAND, worker_main};

/// The type definitions of everything that scripts can call, for editors.
pub const TYPE_DEFINITIONS: &str = include_str!("coalmine.d.luau");

/// BOUND: of a script and of each module it requires.
const SOURCE_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests;

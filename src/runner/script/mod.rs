//! Luau scripts: a sandbox, limits, and the functions that scripts can call.
//!
//! Main functions: [`load`], what a script says about itself, read without running its steps; and
//! `Attempt::script`, which runs it. Requests, page actions and expectations go through the rules
//! and the probes of YAML steps, so that both behave and report alike. A script reaches files only
//! through `require`, inside its canary's folder, and the network only inside of a step.

mod api;
mod attempt;
mod expect;
mod failure;
mod host;
mod metadata;
mod modules;
mod page;
mod request;
mod sandbox;
mod value;

pub use metadata::load;

/// The type definitions of everything that scripts can call, for editors.
pub const TYPE_DEFINITIONS: &str = include_str!("coalmine.d.luau");

/// BOUND: of a script and of each module it requires.
const SOURCE_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests;

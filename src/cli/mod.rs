//! The command line: one file a subcommand, and the exit codes.
//!
//! Main function: [`main`]. Arguments, environment and configuration file are read here, once, and
//! handed down as values. What a command does is decided in the rooms below; a subcommand only
//! wires them together, prints, and chooses an [`ExitStatus`].

mod arguments;
mod check;
mod context;
mod defaults;
mod demo;
mod doctor;
mod exit;
mod fatal;
mod new;
mod print_config;
mod ready;
mod screen;
mod signal;
mod values;

use std::ffi::OsString;

pub use exit::ExitStatus;

use arguments::{Command, Invocation};
use context::Context;
use fatal::Fatal;

/// Runs the program.
///
/// Takes the arguments as the system hands them over, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let invocation = match Invocation::read(arguments.into_iter().collect()) {
        Ok(invocation) => invocation,
        Err(status) => return status,
    };
    let context = Context::new(&invocation);
    if invocation.prints_config() {
        return print_config::execute(&context, &invocation);
    }
    let ended = match &invocation.command {
        Command::Check(command) => check::execute(&context, command),
        Command::Demo(command) => demo::execute(&context, command),
        Command::Doctor(command) => doctor::execute(&context, command),
        Command::New(command) => new::execute(&context, command),
    };
    ended.unwrap_or_else(|fatal: Fatal| {
        context.screen.fatal(&fatal);
        fatal.status
    })
}

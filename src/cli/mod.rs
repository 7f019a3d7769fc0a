//! The command line: one file a subcommand, and the exit codes.
//!
//! Main function: [`main`]. Arguments, environment and configuration file are read here, once, and
//! handed down as values. What a command does is decided in the rooms below; a subcommand only
//! wires them together, prints, and chooses an [`ExitStatus`].

mod alarms;
mod arguments;
mod baselines;
mod check;
mod context;
mod defaults;
mod demo;
mod diff;
mod doctor;
mod events;
mod exit;
mod fatal;
mod import;
mod logs;
mod metrics;
mod new;
mod otlp_flags;
mod picture_files;
mod print_config;
mod range;
mod ready;
mod run;
mod runner_flags;
mod schema;
mod screen;
mod serve;
mod signal;
mod source;
mod table;
mod traces;
mod trust;
mod values;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

pub use exit::ExitStatus;

use arguments::{Command, Invocation};
use context::Context;
use fatal::Fatal;

use crate::runner::browser::{GUARD_SUBCOMMAND, guard_main};

/// Runs the program.
///
/// Takes the arguments as the system hands them over, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // The guard of a browser is this program under another name; it knows no flags and no files.
    if let [_, subcommand, order] = arguments.as_slice()
        && subcommand == GUARD_SUBCOMMAND
    {
        return guard_main(order);
    }
    execute(arguments).into()
}

fn execute(arguments: Vec<OsString>) -> ExitStatus {
    let invocation = match Invocation::read(arguments) {
        Ok(invocation) => invocation,
        Err(status) => return status,
    };
    let context = Context::new(&invocation);
    if invocation.prints_config() {
        return print_config::execute(&context, &invocation);
    }
    let ended = match &invocation.command {
        Command::Run(command) => run::execute(&context, command),
        Command::Check(command) => check::execute(&context, command),
        Command::Serve(command) => serve::execute(&context, command),
        Command::Alarms(command) => alarms::execute(&context, command),
        Command::Logs(command) => logs::execute(&context, command),
        Command::Metrics(command) => metrics::execute(&context, command),
        Command::Traces(command) => traces::execute(&context, command),
        Command::Events(command) => events::execute(&context, command),
        Command::Demo(command) => demo::execute(&context, command),
        Command::Baselines(command) => baselines::execute(&context, command),
        Command::Diff(command) => diff::execute(&context, command),
        Command::Doctor(command) => doctor::execute(&context, command),
        Command::Schema(command) => schema::execute(&context, command),
        Command::New(command) => new::execute(&context, command),
        Command::Import(command) => import::execute(&context, command),
    };
    ended.unwrap_or_else(|fatal: Fatal| {
        context.screen.fatal(&fatal);
        fatal.status
    })
}

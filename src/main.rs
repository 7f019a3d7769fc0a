//! Arguments in, exit code out.

use std::process::ExitCode;

use coalmine::runner::browser::{GUARD_SUBCOMMAND, guard_main};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // A guard is started by the program itself, many times a day: it takes the short way in.
    if arguments.next().is_some_and(|first| first == GUARD_SUBCOMMAND) {
        return guard_main(&arguments.next().unwrap_or_default());
    }
    coalmine::cli::main(std::env::args_os())
}

//! Arguments in, exit code out.

use std::process::ExitCode;

use coalmine::runner::browser::{GUARD_SUBCOMMAND, guard_main};
use coalmine::runner::script::{WORKER_SUBCOMMAND, worker_main};

/// Gives memory back: after some minutes of runs the system's own holds five times what is in
/// use, in arenas of threads that made segments once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Guards and workers are started by the program itself, many times a day: they take the short
    // way in.
    match arguments.next() {
        Some(first) if first == GUARD_SUBCOMMAND => {
            guard_main(&arguments.next().unwrap_or_default())
        }
        Some(first) if first == WORKER_SUBCOMMAND => worker_main(),
        _ => coalmine::cli::main(std::env::args_os()),
    }
}

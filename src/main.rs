//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    coalmine::cli::main(std::env::args_os()).into()
}

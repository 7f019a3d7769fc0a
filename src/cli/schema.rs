use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use crate::canary::schema::{SchemaKind, schema};

/// Print the JSON Schema of canary files, for editors
///
/// An editor that knows it completes keys and marks faults while one types. It is made from the
/// same tables that `coalmine check` reads with.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SchemaCommand {
    /// The kind of file
    #[arg(value_enum, default_value = "canary")]
    kind: Kind,

    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  coalmine schema --output canary.schema.json

Then, in the first line of a canary file:
  # yaml-language-server: $schema=../canary.schema.json";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A canary.
    Canary,
    /// A file of steps and variables that canaries `use`.
    Shared,
}

pub(super) fn execute(context: &Context, command: &SchemaCommand) -> Result<ExitStatus, Fatal> {
    let kind = match command.kind {
        Kind::Canary => SchemaKind::Canary,
        Kind::Shared => SchemaKind::Fragment,
    };
    let text = format!("{:#}\n", schema(kind));
    match &command.output {
        None => context.screen.write(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            let message = format!("cannot write {}", path.display());
            Fatal::new(ExitStatus::OurSide, message).because(&error)
        })?,
    }
    Ok(ExitStatus::Passed)
}

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use crate::canary::schema::{SchemaKind, schema};
use crate::runner::script::TYPE_DEFINITIONS;

/// Print the schema of canary files, for editors
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
  coalmine schema luau --output coalmine.d.luau

Then, in the first line of a canary file:
  # yaml-language-server: $schema=../canary.schema.json";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A canary.
    Canary,
    /// A file of steps and variables that canaries `use`.
    Shared,
    /// The types of everything that scripts can call, as Luau's language server reads them.
    Luau,
}

pub(super) fn execute(context: &Context, command: &SchemaCommand) -> Result<ExitStatus, Fatal> {
    let text = match command.kind {
        Kind::Canary => format!("{:#}\n", schema(SchemaKind::Canary)),
        Kind::Shared => format!("{:#}\n", schema(SchemaKind::Fragment)),
        Kind::Luau => TYPE_DEFINITIONS.to_owned(),
    };
    match &command.output {
        None => context.screen.write(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            let message = format!("cannot write {}", path.display());
            Fatal::new(ExitStatus::OurSide, message).because(&error)
        })?,
    }
    Ok(ExitStatus::Passed)
}

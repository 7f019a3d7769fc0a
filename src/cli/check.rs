use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::trust::trust;
use crate::monitor::library::{Library, LibraryError};
use crate::runner::WorkerProgram;
use crate::runner::policy::Trust;
use crate::runner::script::ScriptPlace;

/// Validate canary files without running them
///
/// Prints every fault of every file at once: on a terminal with the line, a caret and a hint,
/// elsewhere as `file:line:column: code: message`, or as JSON lines with --message-format json.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CheckCommand {
    /// Files and folders; what is in folders called `shared` is passed over
    #[arg(value_name = "PATH", default_value = "canaries")]
    paths: Vec<PathBuf>,

    /// Let warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
}

const EXAMPLES: &str = "\
Examples:
  coalmine check
  coalmine check canaries/checkout.yaml
  coalmine check --deny-warnings --message-format json canaries shared-canaries";

pub(super) fn execute(context: &Context, command: &CheckCommand) -> Result<ExitStatus, Fatal> {
    let library = read(context, &command.paths, Trust::Full)?;
    let (errors, warnings) = (library.faults.len(), library.warnings.len());
    let is_good = errors == 0 && (warnings == 0 || !command.deny_warnings);
    let canaries = library.canaries.len();
    if context.screen.speaks_json() {
        let summary = json!({
            "type": "summary", "files": library.files, "canaries": canaries,
            "errors": errors, "warnings": warnings,
        });
        context.screen.line(&summary.to_string());
    } else {
        let found =
            format!("{} in {}", counted(canaries, "canary"), counted(library.files, "file"));
        let wrong = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
        context.screen.note(&if is_good && warnings == 0 {
            format!("{found}: all fine")
        } else {
            format!("{found}: {wrong}")
        });
    }
    Ok(if is_good { ExitStatus::Passed } else { ExitStatus::Usage })
}

/// Reads canaries and shows every fault and warning. What a script says about itself is found out
/// as far as it is trusted: as asked, or less where the surroundings say so.
pub(super) fn read(context: &Context, paths: &[PathBuf], asked: Trust) -> Result<Library, Fatal> {
    let scripts = match trust(asked, &context.environment) {
        Trust::Full => ScriptPlace::Here,
        Trust::PullRequest => ScriptPlace::Worker(WorkerProgram::default().0),
    };
    let library = Library::read(paths, &scripts).map_err(|error| {
        let hint = match &error {
            LibraryError::NotFound { .. } => "make a first canary with: coalmine new NAME",
            _ => "name canary files, or folders of them",
        };
        Fatal::new(ExitStatus::Usage, "no canaries").because(&error).hint(hint)
    })?;
    for fault in library.warnings.iter().chain(&library.faults) {
        context.screen.diagnostic(&fault.diagnostic, &fault.file);
    }
    if library.files == 0 {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = format!("no canary files in {}", names.join(", "));
        let hint = "canaries are files that end in .yaml, .yml, .lua or .luau";
        return Err(Fatal::new(ExitStatus::Usage, message).hint(hint));
    }
    Ok(library)
}

/// `1 error`, `2 canaries`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

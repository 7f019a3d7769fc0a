use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::new::{canary_name, write_new};
use super::run;
use super::runner_flags::RunnerFlags;
use crate::canary::definition::Canary;
use crate::canary::import::{self, Draft, ImportError, ImportExtent, ImportOptions};
use crate::canary::load::{NoImports, load};
use crate::diagnostic::SourceFile;

/// Make a canary of a recording or a description
///
/// The canary has the base URL as a variable, names its secrets without their values, asserts on
/// what was recorded and leaves out what a monitor does not need; notes at its top say what. It is
/// checked before it is written, and with --verify it is run.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ImportCommand {
    /// What it is made of
    #[arg(value_enum, value_name = "KIND")]
    kind: ImportKind,

    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    source: PathBuf,

    /// The canary's name [default: made from the source]
    #[arg(long, value_name = "NAME", value_parser = canary_name)]
    name: Option<String>,

    /// The file to write [default: canaries/NAME.yaml]; `-` writes to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The base URL, instead of that of the source
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Take over everything: every host of a recording, every method of a description
    #[arg(long)]
    all: bool,

    /// Run the canary once it is written; what fails then is reported as by `coalmine run`
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    runner: RunnerFlags,
}

const EXAMPLES: &str = "\
Examples:
  coalmine import har shop.har --verify
  coalmine import openapi https.yaml --base-url https://staging.shop.example
  pbpaste | coalmine import curl - --name checkout
  coalmine import postman collection.json --output -
  coalmine import recorder journey.json --verify";

/// What a canary can be made of.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ImportKind {
    /// An HTTP archive, as the network panel of a browser saves it.
    Har,
    /// A description in OpenAPI 3, JSON or YAML.
    Openapi,
    /// One or several curl commands.
    Curl,
    /// A Postman collection, version 2.
    Postman,
    /// A user flow, as the Recorder panel of Chrome's developer tools exports it (JSON).
    Recorder,
}

impl ImportKind {
    fn draft(self, text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
        match self {
            Self::Har => import::har::draft(text, options),
            Self::Openapi => import::openapi::draft(text, options),
            Self::Curl => import::curl::draft(text, options),
            Self::Postman => import::postman::draft(text, options),
            Self::Recorder => import::recorder::draft(text, options),
        }
    }
}

/// BOUND: a recording with all its pictures is large; a larger one is no recording of one visit.
const SOURCE_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(super) fn execute(context: &Context, command: &ImportCommand) -> Result<ExitStatus, Fatal> {
    let text = read(&command.source)?;
    let options = ImportOptions {
        name: command.name.clone(),
        base_url: command.base_url.clone(),
        extent: if command.all { ImportExtent::Everything } else { ImportExtent::Careful },
    };
    let source = command.source.display();
    let draft = command.kind.draft(&text, &options).map_err(|error| {
        Fatal::new(ExitStatus::Usage, format!("cannot import {source}")).because(&error)
    })?;
    let written = draft.to_yaml();
    let is_stdout = command.output.as_deref() == Some(Path::new("-"));
    let path = command
        .output
        .clone()
        .unwrap_or_else(|| Path::new("canaries").join(format!("{}.yaml", draft.name)));
    let canary = checked(context, &path, &written)?;
    if is_stdout {
        context.screen.write(&written);
    } else {
        write_new(&path, &written)?;
        context.screen.line(&path.display().to_string());
    }
    for note in &draft.notes {
        context.screen.note(note);
    }
    if !draft.secrets.is_empty() {
        context.screen.note(&format!("give it its secrets: {}", draft.secrets.join(", ")));
    }
    match command.verify {
        true => run::once(context, &command.runner, &canary),
        false => {
            if !is_stdout {
                context.screen.note(&format!("run it with: coalmine run {}", path.display()));
            }
            Ok(ExitStatus::Passed)
        }
    }
}

/// The canary that the file will hold. A fault in it is ours, and nothing is written then.
fn checked(context: &Context, path: &Path, text: &str) -> Result<Arc<Canary>, Fatal> {
    let file = SourceFile::new(path.display().to_string(), text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let loaded = load(&file, folder, &NoImports).map_err(|faults| {
        for fault in &faults {
            context.screen.diagnostic(&fault.diagnostic, &fault.file);
        }
        Fatal::new(ExitStatus::OurSide, "the import would have faults, and was not written")
            .hint("this is a mistake of coalmine; please report the source that led to it")
    })?;
    for warning in &loaded.warnings {
        context.screen.diagnostic(&warning.diagnostic, &warning.file);
    }
    Ok(Arc::new(loaded.canary))
}

fn read(path: &Path) -> Result<String, Fatal> {
    let fatal = |error: std::io::Error| {
        Fatal::new(ExitStatus::Usage, format!("cannot read {}", path.display())).because(&error)
    };
    let mut text = String::new();
    let length = match path == Path::new("-") {
        true => std::io::stdin().take(SOURCE_BYTES_MAX + 1).read_to_string(&mut text),
        false => {
            let file = std::fs::File::open(path).map_err(fatal)?;
            file.take(SOURCE_BYTES_MAX + 1).read_to_string(&mut text)
        }
    };
    if length.map_err(fatal)? as u64 > SOURCE_BYTES_MAX {
        let message = format!("{} is larger than 256 MiB", path.display());
        return Err(Fatal::new(ExitStatus::Usage, message));
    }
    Ok(text)
}

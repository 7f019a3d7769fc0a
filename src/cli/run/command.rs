use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::artifacts::ArtifactFolder;
use super::outputs::{self, ReportRequest};
use super::select::Selection;
use super::session::{Session, WhenFailed};
use crate::canary::definition::Canary;
use crate::cli::ExitStatus;
use crate::cli::check::{counted, read};
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::runner_flags::RunnerFlags;
use crate::report::Detail;
use crate::runner::{NewPicture, RunRequest};

/// Run canaries once and report how they went
///
/// Takes files and folders of canaries, runs each once for every combination of its matrix, and
/// ends with 0 when all passed. Nothing is stored: no database is opened.
///
/// Several reports can be written at once. Runs are reported in the order of their files, whatever
/// order they end in.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\nExit codes:\n{}", ExitStatus::table()))]
pub(in crate::cli) struct RunCommand {
    /// Files and folders; what is in folders called `shared` is passed over
    #[arg(value_name = "PATH", default_value = "canaries")]
    paths: Vec<PathBuf>,

    /// Only canaries with this in their name, or whose name this describes with `*`
    #[arg(short, long, value_name = "NAME", help_heading = SELECTION)]
    filter: Vec<String>,

    /// Only canaries with this tag; may be repeated, one must match
    #[arg(short, long, value_name = "TAG", help_heading = SELECTION)]
    tag: Vec<String>,

    /// How many runs at a time [default: the number of processors]
    #[arg(short, long, value_name = "COUNT", env = "COALMINE_JOBS", hide_env_values = true)]
    #[arg(help_heading = RUNNING)]
    jobs: Option<NonZeroUsize>,

    /// Start no further run once one has failed
    #[arg(long, help_heading = RUNNING)]
    fail_fast: bool,

    /// Set a variable, instead of what the file says; may be repeated
    ///
    /// A value that is JSON (a number, true, a list) is taken as such, anything else as text.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, help_heading = RUNNING)]
    set: Vec<(String, Value)>,

    /// A report on standard output or to a file; may be repeated
    ///
    /// One of terminal, json, junit, github, tap and markdown; without any, terminal. At most one
    /// document (all but terminal and github) can go to standard output; the terminal report then
    /// goes to standard error.
    #[arg(short, long, value_name = "KIND[=FILE]", value_parser = ReportRequest::parse)]
    #[arg(help_heading = REPORTING)]
    report: Vec<ReportRequest>,

    /// Tell about steps and log lines of runs that passed too
    #[arg(short, long, help_heading = REPORTING)]
    verbose: bool,

    /// Where pictures and other files that runs leave are written
    #[arg(long, value_name = "DIR", default_value = "coalmine-artifacts")]
    #[arg(env = "COALMINE_ARTIFACTS_DIR", hide_env_values = true, help_heading = REPORTING)]
    artifacts_dir: PathBuf,

    /// Approve every picture that is new or differs, instead of failing: it becomes the baseline
    #[arg(long, help_heading = RUNNING)]
    update_baselines: bool,

    #[command(flatten)]
    runner: RunnerFlags,
}

const SELECTION: &str = "Which canaries";
const RUNNING: &str = "How they run";
const REPORTING: &str = "What is reported";

const EXAMPLES: &str = "\
Examples:
  coalmine run                                  # everything in canaries/
  coalmine run canaries/checkout.yaml --verbose
  coalmine run --tag smoke --jobs 8 --fail-fast
  coalmine run canaries/look.yaml --update-baselines
  coalmine run --set base=https://preview-123.example
  coalmine run --report terminal --report junit=target/junit.xml --report github
  coalmine run --report markdown=\"$GITHUB_STEP_SUMMARY\"";

fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

pub(in crate::cli) fn execute(
    context: &Context,
    command: &RunCommand,
) -> Result<ExitStatus, Fatal> {
    let library = read(context, &command.paths)?;
    if !library.faults.is_empty() {
        let faults = counted(library.faults.len(), "fault");
        let message = format!("{faults} in canary files; nothing was run");
        return Err(Fatal::new(ExitStatus::Usage, message));
    }
    let selection = Selection { filters: &command.filter, tags: &command.tag };
    let canaries = selection.of(&library.canaries);
    if canaries.is_empty() {
        let all = counted(library.canaries.len(), "canary");
        let message = format!("no canary is selected, of {all}");
        return Err(Fatal::new(ExitStatus::Usage, message).hint("widen --filter or --tag"));
    }
    let terminal = [ReportRequest::TERMINAL];
    let requests = if command.report.is_empty() { &terminal } else { command.report.as_slice() };
    let detail = if command.verbose { Detail::Steps } else { Detail::Runs };
    let jobs = command.jobs.map_or_else(processors, NonZeroUsize::get);
    let new = if command.update_baselines { NewPicture::Approve } else { NewPicture::Refuse };
    let session = Session {
        runner: command.runner.runner(context, jobs, new),
        reports: outputs::open(requests, &context.screen, detail)?,
        artifacts: ArtifactFolder::new(command.artifacts_dir.clone()),
        jobs,
        when_failed: if command.fail_fast { WhenFailed::Stop } else { WhenFailed::GoOn },
        clock: Arc::clone(&context.clock),
    };
    let requests = requests_of(&canaries, &command.set);
    context.block_on(session.run(requests))?
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn requests_of(canaries: &[Arc<Canary>], set: &[(String, Value)]) -> Vec<RunRequest> {
    let variables = || set.iter().map(|(name, value)| (name.as_str().into(), value.clone()));
    let mut requests: Vec<RunRequest> = canaries.iter().flat_map(RunRequest::expand).collect();
    for request in &mut requests {
        request.variables = variables().collect();
    }
    requests
}

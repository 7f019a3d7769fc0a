use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use url::Url;

use super::artifacts::ArtifactFolder;
use super::dry_run;
use super::keeper::Keeper;
use super::outputs::{self, ReportRequest};
use super::select::{Chosen, Shard};
use super::session::{Session, WhenFailed};
use crate::canary::broken::broken_files;
use crate::canary::definition::{Canary, RetryPolicy};
use crate::canary::report::RunId;
use crate::canary::selection::Selection;
use crate::cli::ExitStatus;
use crate::cli::check::{counted, read};
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::otlp_flags::OtlpFlags;
use crate::cli::runner_flags::RunnerFlags;
use crate::cli::source::Source;
use crate::report::Detail;
use crate::runner::{NewPicture, RunRequest};

/// Run canaries once and report how they went
///
/// Takes files and folders of canaries, runs each once for every combination of its matrix, and
/// ends with 0 when all passed. No database is opened, unless --store or --push asks to keep the
/// runs.
///
/// A file that cannot be read is reported as an error, and the other canaries run all the same. A
/// step fails when one of its assertions does not hold; and, unless it asserts on the status, when
/// the answer is an HTTP error (400 and above).
///
/// Several reports can be written at once. Runs are reported in the order of their files, whatever
/// order they end in; files that cannot be read come first.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\nExit codes:\n{}", ExitStatus::table()))]
pub(in crate::cli) struct RunCommand {
    /// Files and folders; what is in folders called `shared` is passed over
    #[arg(value_name = "PATH", default_value = "canaries")]
    paths: Vec<PathBuf>,

    /// Only canaries with this in their name, or whose name this describes with `*`
    ///
    /// Words can be joined by `and`, `or`, `not` and parentheses: `shop-* and not checkout`. May be
    /// repeated; one must hold.
    #[arg(short, long, value_name = "NAMES", help_heading = SELECTION)]
    #[arg(value_parser = Selection::parse)]
    filter: Vec<Selection>,

    /// Only canaries with these tags: `smoke and not (slow or flaky)`; may be repeated
    #[arg(short, long, value_name = "TAGS", help_heading = SELECTION)]
    #[arg(value_parser = Selection::parse)]
    tag: Vec<Selection>,

    /// Only every n-th run, from the i-th on: one of n machines that share the work
    #[arg(long, value_name = "I/N", env = "COALMINE_SHARD", hide_env_values = true)]
    #[arg(value_parser = str::parse::<Shard>, help_heading = SELECTION)]
    shard: Option<Shard>,

    /// How many runs at a time [default: the number of processors]
    #[arg(short, long, value_name = "COUNT", env = "COALMINE_JOBS", hide_env_values = true)]
    #[arg(help_heading = RUNNING)]
    jobs: Option<NonZeroUsize>,

    /// Start no further run once one has failed
    #[arg(long, help_heading = RUNNING)]
    fail_fast: bool,

    /// Repeat a failed run so often, instead of what the file says
    ///
    /// Only failures that the file would repeat, or those of the target where it says nothing. A
    /// run that passes only then is reported as flaky.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=9))]
    #[arg(env = "COALMINE_RETRIES", hide_env_values = true, help_heading = RUNNING)]
    retries: Option<u32>,

    /// Make every run so often, to find flaky ones
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[arg(default_value_t = 1, help_heading = RUNNING)]
    repeat: u32,

    /// Show what would be sent, without secrets, and send nothing
    #[arg(long, help_heading = RUNNING)]
    dry_run: bool,

    /// Set a variable, instead of what the file says; may be repeated
    ///
    /// A value that is JSON (a number, true, a list) is taken as such, anything else as text.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, help_heading = RUNNING)]
    set: Vec<(String, Value)>,

    /// A report on standard output or to a file; may be repeated
    ///
    /// One of terminal, json, junit, github, tap, markdown, html and har; without any, terminal.
    /// At most one document (all but terminal and github) can go to standard output; the terminal
    /// report then goes to standard error.
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

    /// Keep what the runs measured in this data folder, made when absent
    ///
    /// As `serve` would: metrics, logs, traces, events, the files they left. Ask it afterwards with
    /// `coalmine metrics`, `logs`, `traces` and `events`.
    #[arg(long, value_name = "DIR", env = "COALMINE_STORE", hide_env_values = true)]
    #[arg(help_heading = REPORTING, conflicts_with = "push")]
    store: Option<PathBuf>,

    /// Bring what the runs measured to this server, whose alarms then look at it
    ///
    /// A run counts once, however often it has to be brought. Signed with AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY where the environment has them.
    #[arg(long, value_name = "URL", env = "COALMINE_PUSH", hide_env_values = true)]
    #[arg(help_heading = REPORTING)]
    push: Option<Url>,

    #[command(flatten)]
    otlp: OtlpFlags,

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
  coalmine run canaries/checkout.yaml --dry-run
  coalmine run --tag 'smoke and not slow' --jobs 8 --fail-fast
  coalmine run --shard 2/5 --retries 1
  coalmine run canaries/look.yaml --update-baselines
  coalmine run --set base=https://preview-123.example
  coalmine run --report terminal --report junit=target/junit.xml --report github
  coalmine run --report terminal --report html=report.html
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
    let library = read(context, &command.paths, command.runner.trust())?;
    let chosen = Chosen { filters: &command.filter, tags: &command.tag };
    let canaries = chosen.of(&library.canaries);
    if canaries.is_empty() && library.faults.is_empty() {
        let all = counted(library.canaries.len(), "canary");
        let message = format!("no canary is selected, of {all}");
        return Err(Fatal::new(ExitStatus::Usage, message).hint("widen --filter or --tag"));
    }
    let requests = requests_of(&canaries, command);
    if command.dry_run {
        let runner = command.runner.runner(context, 1, NewPicture::Refuse);
        let shown = context.block_on(dry_run::show(&context.screen, &runner, &requests))?;
        let read = if library.faults.is_empty() { shown } else { shown.max(ExitStatus::Usage) };
        return Ok(read);
    }
    let terminal = [ReportRequest::TERMINAL];
    let reports = if command.report.is_empty() { &terminal } else { command.report.as_slice() };
    let detail = if command.verbose { Detail::Steps } else { Detail::Runs };
    let jobs = command.jobs.map_or_else(processors, NonZeroUsize::get);
    let new = if command.update_baselines { NewPicture::Approve } else { NewPicture::Refuse };
    let session = Session {
        runner: command.runner.runner(context, jobs, new),
        reports: outputs::open(reports, &context.screen, detail)?,
        artifacts: ArtifactFolder::new(command.artifacts_dir.clone()),
        keeper: None,
        otlp: command.otlp.sender()?,
        jobs,
        when_failed: if command.fail_fast { WhenFailed::Stop } else { WhenFailed::GoOn },
        clock: Arc::clone(&context.clock),
    };
    let mut new_id = || RunId(uuid::Uuid::new_v4().to_string().into());
    let broken = broken_files(&library.faults, context.clock.now(), &mut new_id);
    context.block_on(async {
        let keeper = keeper(context, command).await?;
        Session { keeper, ..session }.run(broken, requests).await
    })?
}

/// Where the runs are kept: opened before the first one starts, so that a folder that cannot be
/// used is known at once.
async fn keeper(context: &Context, command: &RunCommand) -> Result<Option<Keeper>, Fatal> {
    let source = match (&command.store, &command.push) {
        (Some(folder), _) => Source::folder(context, folder).await?,
        (None, Some(url)) => Source::server(context, url)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Keeper::new(source)))
}

/// Makes each run of one canary and reports it to the terminal.
pub(in crate::cli) fn once(
    context: &Context,
    flags: &RunnerFlags,
    canary: &Arc<Canary>,
) -> Result<ExitStatus, Fatal> {
    let reports = [ReportRequest::TERMINAL];
    let session = Session {
        runner: flags.runner(context, 1, NewPicture::Refuse),
        reports: outputs::open(&reports, &context.screen, Detail::Steps)?,
        artifacts: ArtifactFolder::new("coalmine-artifacts".into()),
        keeper: None,
        otlp: None,
        jobs: 1,
        when_failed: WhenFailed::GoOn,
        clock: Arc::clone(&context.clock),
    };
    context.block_on(session.run(Vec::new(), RunRequest::expand(canary)))?
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The runs to make, in order: each canary with each combination, as often as it is repeated.
fn requests_of(canaries: &[Arc<Canary>], command: &RunCommand) -> Vec<RunRequest> {
    let variables =
        || command.set.iter().map(|(name, value)| (name.as_str().into(), value.clone()));
    let mut requests = Vec::new();
    for canary in canaries {
        let canary = match command.retries {
            None => Arc::clone(canary),
            Some(retries) => Arc::new(retried(canary, retries)),
        };
        for request in RunRequest::expand(&canary) {
            let request = RunRequest { variables: variables().collect(), ..request };
            requests.extend(repeated(&request, command.repeat));
        }
    }
    match command.shard {
        None => requests,
        Some(shard) => shard.of(requests),
    }
}

fn retried(canary: &Canary, retries: u32) -> Canary {
    let retry = RetryPolicy { attempts: retries.saturating_add(1), ..canary.retry.clone() };
    Canary { retry, ..canary.clone() }
}

/// Repetitions are numbered where there is more than one.
fn repeated(request: &RunRequest, count: u32) -> Vec<RunRequest> {
    let number = |number: u32| if count > 1 { NonZeroU32::new(number) } else { None };
    (1..=count).map(|n| RunRequest { repetition: number(n), ..request.clone() }).collect()
}

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::desk::Desk;
use super::judge::{ApproveCommand, RejectCommand};
use super::prune::PruneCommand;
use super::review::ReviewCommand;
use super::source::SourceError;
use super::status::StatusCommand;
use super::{judge, prune, review, status};
use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;

/// Review the pictures of a run, and keep those that are approved
///
/// A run compares what it sees with the approved pictures in `baselines/` and never changes them.
/// What it left to decide is taken from its artifacts folder, from an artifact downloaded from CI
/// (the zip file or its folder), or from a JSON or HTML report: --from says where.
///
/// Approving writes the picture, who approved it and why; what remains to do is `git commit`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct BaselinesCommand {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    action: Action,
}

/// Where everything lies.
#[derive(Debug, Args)]
pub(super) struct Places {
    /// What a run left: a folder, a zip file, a JSON or HTML report
    #[arg(long, global = true, value_name = "PATH", default_value = "coalmine-artifacts")]
    #[arg(env = "COALMINE_ARTIFACTS_DIR", hide_env_values = true)]
    pub(super) from: PathBuf,

    /// The folder of approved pictures
    #[arg(long, global = true, value_name = "DIR", default_value = "baselines")]
    #[arg(env = "COALMINE_BASELINES", hide_env_values = true)]
    pub(super) baselines: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  coalmine baselines status                          # what the last run left to decide
  coalmine baselines review                          # look at it in a browser, and decide there
  coalmine baselines approve shop-search --reason \"new header\"
  coalmine baselines approve --all --from ~/Downloads/pictures.zip
  coalmine baselines reject shop-cart/cart --reason \"the total is cut off\"
  coalmine baselines status --base origin/main       # what this branch approved
  coalmine baselines prune --delete";

#[derive(Debug, Subcommand)]
enum Action {
    Status(StatusCommand),
    Review(ReviewCommand),
    Approve(ApproveCommand),
    Reject(RejectCommand),
    Prune(PruneCommand),
}

pub(in crate::cli) fn execute(
    context: &Context,
    command: &BaselinesCommand,
) -> Result<ExitStatus, Fatal> {
    let places = &command.places;
    match &command.action {
        Action::Status(command) => status::execute(context, places, command),
        Action::Review(command) => review::execute(context, places, command),
        Action::Approve(command) => judge::approve(context, places, command),
        Action::Reject(command) => judge::reject(context, places, command),
        Action::Prune(command) => prune::execute(context, places, command),
    }
}

impl Places {
    /// Lays out what the run left.
    pub(super) fn desk(&self) -> Result<Desk, Fatal> {
        Desk::open(&self.from, &self.baselines).map_err(|error| {
            let hint = match &error {
                SourceError::Absent { .. } => "give the folder of artifacts instead of the report",
                _ => "run canaries first, or say with --from where a run's artifacts are",
            };
            let message = format!("no pictures at {}", self.from.display());
            Fatal::new(ExitStatus::Usage, message).because(&error).hint(hint)
        })
    }
}

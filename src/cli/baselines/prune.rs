use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::command::Places;
use crate::canary::action::Action;
use crate::canary::definition::{Canary, CanaryBody};
use crate::canary::page::BrowserAction;
use crate::cli::ExitStatus;
use crate::cli::check::{counted, read};
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::diagnostic::printable;
use crate::runner::BaselineFolder;
use crate::runner::policy::Trust;
use crate::visual::BaselineName;

/// List approved pictures that no canary takes any more, and delete them if told to
///
/// Scripts choose names while they run: pictures of a canary that is a script are kept as long as
/// the canary is there.
#[derive(Debug, Args)]
pub(super) struct PruneCommand {
    /// Files and folders of canaries
    #[arg(long, value_name = "PATH", default_value = "canaries")]
    canaries: Vec<PathBuf>,

    /// Delete them, with everything beside them
    #[arg(long)]
    delete: bool,
}

pub(super) fn execute(
    context: &Context,
    places: &Places,
    command: &PruneCommand,
) -> Result<ExitStatus, Fatal> {
    let library = read(context, &command.canaries, Trust::Full)?;
    if !library.faults.is_empty() {
        // What a broken file would take is not known, so nothing may go.
        let faults = counted(library.faults.len(), "fault");
        return Err(Fatal::new(
            ExitStatus::Usage,
            format!("{faults} in canary files; nothing pruned"),
        ));
    }
    let folder = BaselineFolder::new(places.baselines.clone());
    let names = folder.names().map_err(|error| {
        let message = format!("cannot list {}", places.baselines.display());
        Fatal::new(ExitStatus::Usage, message).because(&error)
    })?;
    let unused: Vec<&BaselineName> =
        names.iter().filter(|name| !library.canaries.iter().any(|one| takes(one, name))).collect();
    for name in &unused {
        if command.delete {
            folder.delete(name).map_err(|error| {
                Fatal::new(ExitStatus::OurSide, format!("cannot delete {name}")).because(&error)
            })?;
        }
        let verb = if command.delete { "deleted" } else { "unused " };
        context.screen.line(&format!("{verb} {}", printable(&name.picture())));
    }
    let of = counted(names.len(), "picture");
    context.screen.note(&match (unused.len(), command.delete) {
        (0, _) => format!("{of}, all taken by canaries"),
        (count, true) => format!("{count} of {of} deleted"),
        (count, false) => format!("{count} of {of} are taken by no canary; --delete deletes them"),
    });
    Ok(ExitStatus::Passed)
}

fn takes(canary: &Arc<Canary>, name: &BaselineName) -> bool {
    if !name.is_of_canary(&canary.name) {
        return false;
    }
    let CanaryBody::Steps(steps) = &canary.body else { return true };
    steps.iter().any(|step| {
        let Action::Browser(actions) = &step.action else { return false };
        actions.iter().any(|action| match &action.action {
            BrowserAction::Screenshot(shot) => name.is_of(&canary.name, &shot.name),
            _ => false,
        })
    })
}

use anstyle::AnsiColor;
use clap::Args;

use super::command::Places;
use super::desk::{Desk, Judgement, ShotState, Verb};
use super::git::decider;
use crate::canary::selection::describes;
use crate::cli::ExitStatus;
use crate::cli::check::counted;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;

use crate::cli::trust::trust;
use crate::diagnostic::printable;
use crate::runner::policy::Trust;
use crate::visual::Decision;

/// Make pictures of a run the baselines of their names
///
/// Writes the picture as small as it gets without loss, the texts of its page, and a record of who
/// approved it and why. Nothing is committed. A picture whose baseline changed since the run is
/// left alone: its run says nothing about what is there now.
#[derive(Debug, Args)]
pub(super) struct ApproveCommand {
    #[command(flatten)]
    chosen: Chosen,

    /// Keep the baselines, and let these very pixels pass as noise of them
    #[arg(long)]
    as_noise: bool,

    /// Approve even what was compared with another baseline than the one that is there now
    #[arg(long)]
    force: bool,
}

/// Keep that a picture is not wanted, so that who sees it next knows why
///
/// Writes who rejected it and why beside the baseline; a later run with the very same picture says
/// so. The run stays failed until the page is mended.
#[derive(Debug, Args)]
pub(super) struct RejectCommand {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Debug, Args)]
struct Chosen {
    /// Pictures: `canary`, `canary/shot` or the full name, with `*` for any text
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "group"])]
    names: Vec<String>,

    /// Every picture that waits for a decision
    #[arg(long, conflicts_with_all = ["names", "group"])]
    all: bool,

    /// Every picture with this change, as `status` and `review` name it
    #[arg(long, value_name = "CHANGE")]
    group: Vec<String>,

    /// Why, in your words; kept with the picture
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    /// Who decides [default: git's user]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) fn approve(
    context: &Context,
    places: &Places,
    command: &ApproveCommand,
) -> Result<ExitStatus, Fatal> {
    let verb = if command.as_noise { Verb::Tolerate } else { Verb::Approve };
    decide(context, places, &command.chosen, (verb, command.force))
}

pub(super) fn reject(
    context: &Context,
    places: &Places,
    command: &RejectCommand,
) -> Result<ExitStatus, Fatal> {
    if command.chosen.reason.is_empty() {
        return Err(Fatal::new(ExitStatus::Usage, "a rejection needs a reason")
            .hint("say it with --reason TEXT: whoever sees the picture next is told"));
    }
    decide(context, places, &command.chosen, (Verb::Reject, true))
}

/// A decision of `by` at this moment.
pub(super) fn decision(context: &Context, by: &str, why: &str) -> Decision {
    let at = context.clock.now().to_rfc3339();
    Decision { by: by.to_owned(), why: why.to_owned(), at, run: None }
}

/// Strangers' jobs decide nothing.
pub(super) fn refuse_strangers(context: &Context) -> Result<(), Fatal> {
    if trust(Trust::Full, &context.environment) == Trust::Full {
        return Ok(());
    }
    let message = "the job of a pull request from a fork decides nothing about pictures";
    Err(Fatal::new(ExitStatus::Refused, message).hint("review its artifact on a machine of yours"))
}

fn decide(
    context: &Context,
    places: &Places,
    chosen: &Chosen,
    (verb, even_stale): (Verb, bool),
) -> Result<ExitStatus, Fatal> {
    refuse_strangers(context)?;
    let by = decider(context, chosen.by.as_deref())?;
    let mut desk = places.desk()?;
    let chosen_shots = chosen.among(&desk)?;
    let decision = decision(context, &by, &chosen.reason);
    let judgement = Judgement { verb, decision, even_stale };
    let mut refused = 0;
    for at in &chosen_shots {
        let outcome = desk.decide(*at, &judgement);
        let Some(shot) = desk.shots().get(*at) else { continue };
        let screen = &context.screen;
        match outcome {
            Ok(()) => {
                let (word, color) = match verb {
                    Verb::Approve => ("approved", AnsiColor::Green),
                    Verb::Tolerate => ("passes as noise", AnsiColor::Green),
                    Verb::Reject => ("rejected", AnsiColor::Red),
                };
                let paint = screen.paint(color);
                let text = format!("{}  {}", shot.name, shot.found.record.summary);
                screen.line(&format!("{paint}{word}{paint:#} {}", printable(&text)));
            }
            Err(refusal) => {
                refused += 1;
                let message = format!("{} is left as it was", shot.name);
                screen.fatal(&Fatal::new(ExitStatus::CanaryFailed, message).because(&refusal));
            }
        }
    }
    let done = chosen_shots.len() - refused;
    if done > 0 {
        let (folder, count) = (places.baselines.display(), counted(done, "picture"));
        let hint = format!("{count} decided by {by}; now: git add {folder} && git commit");
        context.screen.note(&hint);
    }
    Ok(if refused > 0 { ExitStatus::CanaryFailed } else { ExitStatus::Passed })
}

impl Chosen {
    /// The shots meant, in their order.
    fn among(&self, desk: &Desk) -> Result<Vec<usize>, Fatal> {
        let mut found = Vec::new();
        let mut used = vec![false; self.names.len() + self.group.len()];
        for (at, shot) in desk.shots().iter().enumerate() {
            let waits = !matches!(shot.state, ShotState::Passed | ShotState::Approved);
            if self.all {
                if shot.state.is_undecided() {
                    found.push(at);
                }
                continue;
            }
            let full = shot.name.to_string();
            let forms = [full.clone(), format!("{}/{}", shot.name.canary(), shot.name.shot())];
            let change = shot.found.record.change_id.as_deref().unwrap_or_default();
            let named = |wanted: &String| {
                shot.name.canary() == wanted
                    || forms.iter().any(|form| form == wanted)
                    || describes(wanted, &full)
            };
            let grouped =
                |wanted: &String| wanted.len() >= 4 && change.starts_with(wanted.as_str());
            let hits = self.names.iter().map(named).chain(self.group.iter().map(grouped));
            let mut is_meant = false;
            for (hit, used) in hits.zip(&mut used) {
                *used |= hit;
                is_meant |= hit;
            }
            if is_meant && waits {
                found.push(at);
            }
        }
        let wanted = self.names.iter().chain(&self.group);
        let unused = wanted.zip(&used).find(|(_, used)| !**used);
        if let Some((wanted, _)) = unused {
            return Err(Fatal::new(
                ExitStatus::Usage,
                format!("the run has no picture `{wanted}`"),
            )
            .hint("coalmine baselines status names those that it has"));
        }
        Ok(found)
    }
}

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use super::command::Places;
use super::desk::{Desk, DeskShot, ShotState};
use super::review;
use crate::cli::ExitStatus;
use crate::cli::check::counted;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::diagnostic::printable;

/// Tell which pictures wait for a decision
///
/// Pictures with the very same change stand together: they can be approved with one command. Ends
/// with 1 while something is undecided or rejected.
#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Tell instead which approved pictures this branch changed since it left another
    #[arg(long, value_name = "REF")]
    base: Option<String>,
}

pub(super) fn execute(
    context: &Context,
    places: &Places,
    command: &StatusCommand,
) -> Result<ExitStatus, Fatal> {
    if let Some(base) = &command.base {
        let changes = review::changes_since(places, base)?;
        for change in &changes {
            let line = format!("  {:<8} {}", change.told(), change.name);
            context.screen.line(&printable(&line));
        }
        let count = counted(changes.len(), "picture");
        context.screen.note(&format!("this branch changes {count} since it left {base}"));
        return Ok(ExitStatus::Passed);
    }
    let desk = places.desk()?;
    if command.json {
        context.screen.line(&document(&desk).to_string());
    } else {
        context.screen.write(&text(context, places, &desk));
    }
    Ok(status(&desk))
}

/// How a command ends that leaves the desk like this.
pub(super) fn status(desk: &Desk) -> ExitStatus {
    let waits =
        |shot: &DeskShot| shot.state.is_undecided() || matches!(shot.state, ShotState::Rejected(_));
    if desk.shots().iter().any(waits) { ExitStatus::CanaryFailed } else { ExitStatus::Passed }
}

/// One word for what is to be done, and what a person should know.
pub(super) fn told(shot: &DeskShot) -> (&str, String) {
    let record = &shot.found.record;
    match &shot.state {
        ShotState::Passed => ("passed", record.summary.clone()),
        ShotState::Open => (&record.verdict, record.summary.clone()),
        ShotState::Stale => {
            ("stale", "the baseline changed since the run: run the canary again".to_owned())
        }
        ShotState::Approved => ("approved", record.summary.clone()),
        ShotState::Rejected(decision) => {
            ("rejected", format!("by {}: {}", decision.by, decision.why))
        }
        ShotState::Ambiguous => {
            ("unclear", "two shots of the run ask for this baseline and differ".to_owned())
        }
    }
}

const fn color(state: &ShotState) -> AnsiColor {
    match state {
        ShotState::Passed | ShotState::Approved => AnsiColor::Green,
        ShotState::Open | ShotState::Stale => AnsiColor::Yellow,
        ShotState::Rejected(_) | ShotState::Ambiguous => AnsiColor::Red,
    }
}

fn text(context: &Context, places: &Places, desk: &Desk) -> String {
    let mut out = String::new();
    let mut say = |line: &str| writeln!(out, "{line}").unwrap_or(());
    let mut groups: BTreeMap<(bool, String), Vec<&DeskShot>> = BTreeMap::new();
    for (at, shot) in desk.shots().iter().enumerate() {
        if shot.state != ShotState::Passed {
            let group = desk.group(at).map(|(change, _)| change.to_owned());
            let key = (group.is_none(), group.unwrap_or_default());
            groups.entry(key).or_default().push(shot);
        }
    }
    for ((_, group), shots) in &groups {
        if !group.is_empty() {
            say(&format!(
                "the same change on {} (--group {group})",
                counted(shots.len(), "picture")
            ));
        }
        for shot in shots {
            let (word, summary) = told(shot);
            let paint = context.screen.paint(color(&shot.state));
            let line = printable(&format!("{}  {summary}", shot.name)).into_owned();
            say(&format!("  {paint}{word:<20}{paint:#} {line}"));
        }
    }
    let open = desk.shots().iter().filter(|shot| shot.state.is_undecided()).count();
    let all = counted(desk.shots().len(), "picture");
    say(&format!("{open} of {all} to decide"));
    if open > 0 {
        let from = printable(&places.from.display().to_string()).into_owned();
        say(&format!("  look:     coalmine baselines review --from {from}"));
        say(&format!("  approve:  coalmine baselines approve --from {from} --all --reason WHY"));
    }
    out
}

fn document(desk: &Desk) -> Value {
    let shots: Vec<Value> = desk
        .shots()
        .iter()
        .map(|shot| {
            let record = &shot.found.record;
            let state = match &shot.state {
                ShotState::Passed => "passed",
                ShotState::Open => "open",
                ShotState::Stale => "stale",
                ShotState::Approved => "approved",
                ShotState::Rejected(_) => "rejected",
                ShotState::Ambiguous => "ambiguous",
            };
            let decision = match &shot.state {
                ShotState::Rejected(decision) => Some(decision),
                _ => None,
            };
            json!({
                "name": shot.name.to_string(), "state": state, "verdict": record.verdict,
                "summary": record.summary, "group": record.change_id, "run": record.run,
                "decision": decision,
            })
        })
        .collect();
    let open = desk.shots().iter().filter(|shot| shot.state.is_undecided()).count();
    json!({ "undecided": open, "exit_code": status(desk).code(), "pictures": shots })
}

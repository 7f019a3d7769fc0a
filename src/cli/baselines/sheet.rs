use std::path::Path;

use super::desk::{Desk, ShotState};
use super::source::ShotFile;
use super::status::told;
use crate::report::{DecisionForm, PictureDecision, PictureEntry, PictureState, pictures_html};
use crate::visual::{CompareOptions, Comparison, PictureError, compare};

/// How a reader of the page decides.
pub(super) enum Means<'a> {
    /// By a command on what lies here.
    Command(&'a Path),
    /// By buttons, with the page's token.
    Form(&'a str),
}

/// One picture of the page, with all that is shown of it.
pub(super) struct Sheet {
    name: String,
    baseline: Option<Vec<u8>>,
    actual: Option<Vec<u8>>,
    state: SheetState,
    decision: Option<Decision>,
}

enum SheetState {
    Compared(Box<Comparison>),
    New,
    Missing,
    Unusable(String),
}

impl From<Result<Comparison, PictureError>> for SheetState {
    fn from(compared: Result<Comparison, PictureError>) -> Self {
        match compared {
            Ok(comparison) => Self::Compared(Box::new(comparison)),
            Err(error) => Self::Unusable(format!("{error}: {}", error.fault)),
        }
    }
}

enum Decision {
    Command(String),
    Form { token: String, group: usize },
    Decided(String),
}

impl Sheet {
    /// The whole page.
    pub(super) fn page(title: &str, sheets: &[Self]) -> String {
        let entries: Vec<PictureEntry<'_>> = sheets.iter().map(Self::entry).collect();
        pictures_html(title, &entries)
    }

    /// Two pictures of one name, before and now; there is nothing to decide about them.
    pub(super) fn of_pair(
        name: String,
        (baseline, actual): (Option<Vec<u8>>, Option<Vec<u8>>),
    ) -> Self {
        let state = match (&baseline, &actual) {
            (Some(old), Some(new)) => compare(old, new, &CompareOptions::default()).into(),
            (None, _) => SheetState::New,
            (_, None) => SheetState::Missing,
        };
        Self { name, baseline, actual, state, decision: None }
    }

    fn entry(&self) -> PictureEntry<'_> {
        let state = match &self.state {
            SheetState::Compared(comparison) => PictureState::Compared(comparison),
            SheetState::New => PictureState::New,
            SheetState::Missing => PictureState::Missing,
            SheetState::Unusable(reason) => PictureState::Unusable(reason),
        };
        let decision = self.decision.as_ref().map(|decision| match decision {
            Decision::Command(command) => PictureDecision::Command(command),
            Decision::Decided(told) => PictureDecision::Decided(told),
            Decision::Form { token, group } => {
                PictureDecision::Form(DecisionForm { token, group: *group })
            }
        });
        let (baseline, actual) = (self.baseline.as_deref(), self.actual.as_deref());
        PictureEntry { name: &self.name, baseline, actual, state, decision }
    }
}

/// Every picture of a desk that was not simply accepted, as the page shows it.
pub(super) fn sheets(desk: &mut Desk, means: &Means<'_>) -> Vec<Sheet> {
    let shots = desk.shots().iter().enumerate();
    let shown = shots.filter(|(_, shot)| shot.state != ShotState::Passed);
    let shown: Vec<usize> = shown.map(|(at, _)| at).collect();
    shown.into_iter().filter_map(|at| sheet(desk, at, means)).collect()
}

fn sheet(desk: &mut Desk, at: usize, means: &Means<'_>) -> Option<Sheet> {
    let shot = desk.shots().get(at)?;
    let (name, options) = (shot.name.clone(), shot.found.record.options.clone());
    let decision = decision(desk, at, means)?;
    let stored = desk.folder().stored(&name).ok().flatten();
    let actual = desk.read(at, ShotFile::Screenshot);
    let words = desk.read(at, ShotFile::Sidecar).ok().flatten();
    // What the run compared with; a baseline that is the shot by now would show nothing.
    let seen = desk.read(at, ShotFile::Baseline).ok().flatten();
    let mut sheet = Sheet {
        name: name.to_string(),
        baseline: seen.or_else(|| stored.as_ref().map(|stored| stored.picture.to_vec())),
        actual: None,
        state: SheetState::New,
        decision: Some(decision),
    };
    match actual {
        Ok(picture) => sheet.actual = picture,
        Err(error) => sheet.state = SheetState::Unusable(error.to_string()),
    }
    if let (Some(old), Some(new)) = (&sheet.baseline, &sheet.actual) {
        let compared = compare(old, new, &options).map(|mut comparison| {
            let was = stored.and_then(|stored| stored.sidecar);
            let is = words.and_then(|json| serde_json::from_slice(&json).ok());
            if let (Some(was), Some(is)) = (was, is) {
                comparison.add_sidecars((&was, &is), &options);
            }
            comparison
        });
        sheet.state = compared.into();
    }
    Some(sheet)
}

fn decision(desk: &Desk, at: usize, means: &Means<'_>) -> Option<Decision> {
    let group = desk.group(at);
    let shot = desk.shots().get(at)?;
    let (word, text) = told(shot);
    Some(match (&shot.state, means) {
        (ShotState::Approved | ShotState::Passed, _) => Decision::Decided(word.to_owned()),
        (ShotState::Stale | ShotState::Ambiguous, _) => {
            Decision::Decided(format!("{word}: {text}"))
        }
        (_, Means::Form(token)) => Decision::Form {
            token: (*token).to_owned(),
            group: group.map_or(1, |(_, count)| count),
        },
        (_, Means::Command(from)) => {
            let which = group
                .map_or_else(|| shot.name.to_string(), |(change, _)| format!("--group {change}"));
            let from = quoted(&from.display().to_string());
            Decision::Command(format!(
                "coalmine baselines approve --from {from} {which} --reason \"…\""
            ))
        }
    })
}

/// A path as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@=:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

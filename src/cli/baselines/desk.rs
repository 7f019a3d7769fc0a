//! The shots of a run on a desk: which of them wait for a person, and what a decision does.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;

use super::source::{Found, ShotFile, Source, SourceError};
use crate::runner::{BaselineError, BaselineFolder, CanaryFileError};
use crate::visual::{
    ApprovedShot, BaselineName, Decision, PictureFault, ShotRecordFault, file_hash, looked_at_hash,
};

/// The shots of one run, against the baselines of a folder.
#[derive(Debug)]
pub(super) struct Desk {
    source: Source,
    folder: BaselineFolder,
    shots: Vec<DeskShot>,
}

/// One shot on the desk.
#[derive(Debug)]
pub(super) struct DeskShot {
    pub(super) found: Found,
    pub(super) name: BaselineName,
    pub(super) state: ShotState,
}

/// What is to be done about a shot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ShotState {
    /// The run accepted it.
    Passed,
    /// A person has to look.
    Open,
    /// A person has to look, and the baseline is another one than the run saw.
    Stale,
    /// It is the baseline by now, or its pixels are accepted as noise.
    Approved,
    /// Somebody looked and did not want it.
    Rejected(Decision),
    /// Another shot of the run asks for the same baseline and shows something else.
    Ambiguous,
}

impl ShotState {
    /// Whether it stands in the way of a passing run.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self, Self::Open | Self::Stale | Self::Ambiguous)
    }
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// The picture becomes the baseline.
    Approve,
    /// The baseline stays, and these pixels pass.
    Tolerate,
    /// The picture is not wanted.
    Reject,
}

/// A decision and how far it goes.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) verb: Verb,
    pub(super) decision: Decision,
    /// Decide even where the baseline changed since the run.
    pub(super) even_stale: bool,
}

/// A decision was not carried out.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("the run left no file of it")]
    NoFile,
    #[error("its file is not the one that the run judged")]
    Altered,
    #[error("the baseline changed since the run: run the canary again, or add --force")]
    Stale,
    #[error(
        "two shots of the run ask for this baseline and differ: give one of them a name of its own"
    )]
    Ambiguous,
    #[error("there is no baseline that it could be noise of")]
    NoBaseline,
    #[error("its files cannot be read")]
    Source(#[from] SourceError),
    #[error("it is no picture")]
    Picture(#[source] PictureFault),
    #[error("the baseline cannot be read")]
    Unreadable(#[from] CanaryFileError),
    #[error("it cannot be kept")]
    Write(#[from] BaselineError),
}

impl Desk {
    /// Lays out the shots at `from`; the last one of each name counts.
    pub(super) fn open(from: &Path, baselines: &Path) -> Result<Self, SourceError> {
        let (source, found) = Source::open(from)?;
        let mut last: BTreeMap<(String, String), Found> = BTreeMap::new();
        for found in found {
            let key = (found.record.baseline.clone(), found.record.run.clone());
            match last.get(&key) {
                Some(other) if other.record.order > found.record.order => {}
                _ => drop(last.insert(key, found)),
            }
        }
        let named = |found: Found| {
            let name = found.record.name().map_err(|source: ShotRecordFault| {
                SourceError::Record { place: found.record.baseline.clone(), source }
            })?;
            Ok(DeskShot { found, name, state: ShotState::Passed })
        };
        let shots = last.into_values().map(named).collect::<Result<_, SourceError>>()?;
        let folder = BaselineFolder::new(baselines.to_owned());
        let mut desk = Self { source, folder, shots };
        for at in 0..desk.shots.len() {
            desk.look_again(at);
        }
        Ok(desk)
    }

    /// Every shot, by name.
    pub(super) fn shots(&self) -> &[DeskShot] {
        &self.shots
    }

    pub(super) fn folder(&self) -> &BaselineFolder {
        &self.folder
    }

    /// The change that several undecided shots have in common, and how many they are.
    pub(super) fn group(&self, at: usize) -> Option<(&str, usize)> {
        let change = self.shots.get(at)?.found.record.change_id.as_deref()?;
        let others = self.shots.iter().filter(|other| {
            other.state != ShotState::Passed
                && other.found.record.change_id.as_deref() == Some(change)
        });
        let count = others.count();
        (count > 1).then_some((change, count))
    }

    /// Reads a file of a shot.
    pub(super) fn read(
        &mut self,
        at: usize,
        file: ShotFile,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        match self.shots.get(at) {
            Some(shot) => self.source.read(&shot.found, file),
            None => Ok(None),
        }
    }

    /// Carries out a decision about one shot.
    pub(super) fn decide(&mut self, at: usize, judgement: &Judgement) -> Result<(), Refusal> {
        let Some(shot) = self.shots.get(at) else { return Err(Refusal::NoFile) };
        match shot.state {
            ShotState::Stale if !judgement.even_stale => return Err(Refusal::Stale),
            ShotState::Ambiguous if judgement.verb != Verb::Reject => {
                return Err(Refusal::Ambiguous);
            }
            _ => {}
        }
        let (name, record) = (shot.name.clone(), shot.found.record.clone());
        let picture = self.read(at, ShotFile::Screenshot)?.ok_or(Refusal::NoFile)?;
        if file_hash(&picture) != record.capture_hash {
            return Err(Refusal::Altered);
        }
        let pixels = looked_at_hash(&picture, &record.options).map_err(Refusal::Picture)?;
        let rejections = self.folder.rejections(&name)?;
        let mut decision = judgement.decision.clone();
        decision.run = Some(record.run.clone());
        match judgement.verb {
            Verb::Approve => {
                let sidecar = self.read(at, ShotFile::Sidecar)?;
                let approved = ApprovedShot {
                    capture: &picture,
                    environment: &record.environment,
                    sidecar: sidecar.as_deref(),
                    approval: Some(&decision),
                };
                self.folder.approve(&name, &approved)?;
                self.folder.forgive(&name, (rejections, pixels))?;
            }
            Verb::Tolerate => {
                let stored = self.folder.stored(&name)?;
                let known = stored.and_then(|stored| stored.record).ok_or(Refusal::NoBaseline)?;
                self.folder.tolerate(&name, known, pixels)?;
                self.folder.forgive(&name, (rejections, pixels))?;
            }
            Verb::Reject => self.folder.reject(&name, (rejections, pixels), decision)?,
        }
        self.look_again(at);
        Ok(())
    }

    /// Finds out what is to be done about a shot now.
    fn look_again(&mut self, at: usize) {
        let Some(state) = self.state(at) else { return };
        if let Some(shot) = self.shots.get_mut(at) {
            shot.state = state;
        }
    }

    fn state(&mut self, at: usize) -> Option<ShotState> {
        let shot = self.shots.get(at)?;
        let (name, record) = (shot.name.clone(), shot.found.record.clone());
        let rivals = self.shots.iter().filter(|other| other.name == name);
        let differ = |other: &&DeskShot| {
            other.found.record.capture_hash != record.capture_hash
                && !(other.found.record.accepted && record.accepted)
        };
        if rivals.into_iter().any(|other| differ(&other)) {
            return Some(ShotState::Ambiguous);
        }
        if record.accepted {
            return Some(ShotState::Passed);
        }
        // A folder that cannot be read has decided nothing; who approves will be told why.
        let stored = self.folder.stored(&name).ok().flatten();
        let known = stored.as_ref().and_then(|stored| stored.record.as_ref());
        if known.is_some_and(|known| known.capture_hash == record.capture_hash) {
            return Some(ShotState::Approved);
        }
        let rejections = self.folder.rejections(&name).unwrap_or_default();
        let tolerated = known.map(|known| known.tolerated.clone()).unwrap_or_default();
        if !rejections.rejected.is_empty() || !tolerated.is_empty() {
            let picture = self.read(at, ShotFile::Screenshot).ok().flatten().unwrap_or_default();
            if let Ok(pixels) = looked_at_hash(&picture, &record.options) {
                if tolerated.contains(&pixels) {
                    return Some(ShotState::Approved);
                }
                if let Some(decision) = rejections.rejected.get(&pixels) {
                    return Some(ShotState::Rejected(decision.clone()));
                }
            }
        }
        let now = stored.as_ref().map(|stored| file_hash(&stored.picture));
        Some(if now == record.baseline_hash { ShotState::Open } else { ShotState::Stale })
    }
}

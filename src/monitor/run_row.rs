use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::canary::definition::Canary;
use crate::canary::report::{ArtifactKind, Failure, RunId, RunOutcome, RunReport};
use crate::canary::telemetry::canary_id;
use crate::notify::{FailedCheck, FailedRun};
use crate::store::{ArtifactId, SortKey};
use crate::telemetry::{Scope, TraceId};
use crate::time::Timestamp;

/// One run as the list of a canary's runs shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryRunRow {
    /// The run.
    pub id: RunId,
    /// Its canary.
    pub canary: Arc<str>,
    /// The combination of a matrix or the data row.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The slot it was due in.
    pub scheduled: Timestamp,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub completed: Timestamp,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many attempts it took; 0 for a run that was skipped.
    pub attempts: u32,
    /// Its trace; absent for a run that was skipped.
    pub trace: Option<TraceId>,
    /// Why it was not good, one line.
    pub reason: Option<String>,
    /// The step that failed, where one did.
    pub failed_step: Option<Arc<str>>,
    /// The whole failure.
    pub failure: Option<Failure>,
    /// Files it left.
    #[serde(default)]
    pub artifacts: Vec<ArtifactRow>,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// Where its content is.
    pub id: ArtifactId,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its name: `results.png`.
    pub name: String,
    /// `image/png`.
    pub media_type: String,
    /// How long it is.
    pub bytes: u64,
}

impl CanaryRunRow {
    /// The row of a finished run.
    pub(super) fn of(report: &RunReport, artifacts: Vec<ArtifactRow>) -> Self {
        let failure = report.failure();
        Self {
            id: report.id.clone(),
            canary: Arc::clone(&report.canary),
            parameters: report.parameters.clone(),
            scheduled: report.scheduled,
            started: report.started,
            completed: report.started.plus(report.elapsed),
            outcome: report.outcome,
            attempts: u32::try_from(report.attempts.len()).unwrap_or(u32::MAX),
            trace: Some(report.trace),
            reason: failure.map(|(_, failure)| failure.message.clone()),
            failed_step: failure.and_then(|(step, _)| step.map(|step| Arc::clone(&step.name))),
            failure: failure.map(|(_, failure)| failure.clone()),
            artifacts,
        }
    }

    /// The row of a run that was due and did not start.
    pub(super) fn skipped(canary: &Arc<str>, slot: Timestamp, reason: &str) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        Self {
            id: RunId(id.into()),
            canary: Arc::clone(canary),
            parameters: BTreeMap::new(),
            scheduled: slot,
            started: slot,
            completed: slot,
            outcome: RunOutcome::Skipped,
            attempts: 0,
            trace: None,
            reason: Some(format!("skipped: {reason}")),
            failed_step: None,
            failure: None,
            artifacts: Vec::new(),
        }
    }

    /// Orders the runs of a canary.
    pub(super) fn sort_key(&self) -> SortKey {
        SortKey::at(self.started, &self.id)
    }

    /// What a notification tells of a bad run.
    pub(super) fn failed_run(&self) -> Option<FailedRun> {
        let failure = self.failure.as_ref()?;
        let check = failure.assertions.first().map(|assertion| FailedCheck {
            subject: assertion.subject.clone(),
            expected: assertion.expected.clone(),
            actual: assertion.actual.clone(),
        });
        Some(FailedRun {
            id: Arc::clone(&self.id.0),
            started: self.started,
            step: self.failed_step.clone(),
            verdict: failure.verdict,
            message: failure.message.clone(),
            check,
            location: failure.location.as_ref().map(ToString::to_string),
            picture: None,
        })
    }
}

/// A canary as the list of canaries shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryRow {
    /// A UUID, the same for the canary's whole life.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// Its file.
    pub file: String,
    /// When it runs; absent for one that runs by hand only.
    pub schedule: Option<Arc<str>>,
    /// How long one attempt may take, in seconds.
    pub timeout_secs: u64,
    /// How many attempts a run has.
    pub attempts: u32,
    /// Words to select it by.
    pub tags: Vec<Arc<str>>,
    /// Whether it is scheduled.
    pub state: CanaryState,
    /// When it was seen first.
    pub created: Timestamp,
    /// When its file last changed.
    pub modified: Timestamp,
    /// When it was last put on the schedule.
    pub started: Option<Timestamp>,
    /// When it was last taken off.
    pub stopped: Option<Timestamp>,
    /// Whether somebody took it off its schedule.
    #[serde(default)]
    pub paused: bool,
}

/// Whether a canary is scheduled, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CanaryState {
    /// It has no schedule.
    Ready,
    /// Its schedule is on.
    Running,
    /// Its file is gone, or somebody paused it.
    Stopped,
}

impl CanaryRow {
    /// The row of a canary whose file was just read; `known` is its row so far.
    pub(super) fn of(scope: &Scope, canary: &Canary, known: Option<&Self>, now: Timestamp) -> Self {
        let paused = known.is_some_and(|row| row.paused) && canary.schedule.is_some();
        let state = match canary.schedule {
            Some(_) if paused => CanaryState::Stopped,
            Some(_) => CanaryState::Running,
            None => CanaryState::Ready,
        };
        Self {
            id: canary_id(scope, &canary.name).into(),
            name: Arc::clone(&canary.name),
            description: canary.description.clone(),
            file: canary.source.name().to_owned(),
            schedule: canary.schedule.as_ref().map(|schedule| schedule.expression().into()),
            timeout_secs: canary.timeout.as_secs(),
            attempts: canary.retry.attempts,
            tags: canary.tags.clone(),
            state,
            created: known.map_or(now, |row| row.created),
            modified: now,
            started: Some(now).filter(|_| state == CanaryState::Running),
            stopped: known.and_then(|row| row.stopped).filter(|_| paused),
            paused,
        }
    }
}

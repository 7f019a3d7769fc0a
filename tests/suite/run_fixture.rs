//! Runs of canaries written as YAML, against servers of the test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coalmine::canary::definition::Canary;
use coalmine::canary::event::{RunEvent, RunEventKind};
use coalmine::canary::load::NoImports;
use coalmine::canary::report::{Failure, RunOutcome, RunReport, StepOutcome};
use coalmine::canary::secret::SecretText;
use coalmine::diagnostic::SourceFile;
use coalmine::runner::{
    Environment, RunRequest, Runner, RunnerSettings, SecretStore, StoredSecret,
};
use coalmine::time::SystemClock;

/// A canary from its YAML text; its files are those of `folder`.
pub(crate) fn canary_in(folder: &Path, yaml: &str) -> Arc<Canary> {
    let file = SourceFile::new("canaries/test.yaml", yaml);
    match coalmine::canary::load(&file, folder, &NoImports) {
        Ok(loaded) => Arc::new(loaded.canary),
        Err(faults) => panic!("{:#?}", faults.iter().map(|f| &f.diagnostic).collect::<Vec<_>>()),
    }
}

pub(crate) fn canary(yaml: &str) -> Arc<Canary> {
    canary_in(&PathBuf::from("."), yaml)
}

/// A finished run and what its observer saw.
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    pub(crate) events: Vec<RunEvent>,
}

impl Ran {
    pub(crate) fn outcome(&self) -> RunOutcome {
        self.report.outcome
    }

    /// The one failure of the deciding attempt.
    pub(crate) fn failure(&self) -> &Failure {
        self.report.failure().expect("the run failed").1
    }

    /// `passed`, `failed` or `skipped` for each step of the deciding attempt.
    pub(crate) fn steps(&self) -> Vec<&'static str> {
        let attempt = self.report.deciding_attempt().expect("there was an attempt");
        let word = |outcome: &StepOutcome| match outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed(_) => "failed",
            StepOutcome::Skipped => "skipped",
        };
        attempt.steps.iter().map(|step| word(&step.outcome)).collect()
    }

    /// The kinds of events in order, with the step's name where there is one.
    pub(crate) fn story(&self) -> Vec<String> {
        let line = |event: &RunEvent| match &event.kind {
            RunEventKind::RunStarted { .. } => "run started".to_owned(),
            RunEventKind::StepStarted { name, .. } => format!("{name} started"),
            RunEventKind::StepFinished(step) => format!("{} finished", step.name),
            RunEventKind::Logged(line) => format!("logged {}", line.message),
            RunEventKind::AttemptFailed { attempt, .. } => format!("attempt {attempt} failed"),
            RunEventKind::RunFinished { outcome, .. } => format!("run {}", outcome.as_str()),
        };
        self.events.iter().map(line).collect()
    }

    /// Everything that leaves a run, as one text.
    pub(crate) fn everything(&self) -> String {
        let events = serde_json::to_string(&self.events).expect("events are JSON");
        let files = self.report.artifacts.iter().map(|file| String::from_utf8_lossy(&file.bytes));
        format!("{events}\n{:?}\n{}", self.report, files.collect::<String>())
    }
}

/// Runs the first combination of a canary.
pub(crate) async fn run(settings: RunnerSettings, canary: &Arc<Canary>) -> Ran {
    let request = RunRequest::expand(canary).remove(0);
    run_request(settings, request).await
}

pub(crate) async fn run_request(settings: RunnerSettings, request: RunRequest) -> Ran {
    let runner = Runner::new(settings, Arc::new(SystemClock));
    let mut events = Vec::new();
    let report = runner.run(request, &mut |event| events.push(event)).await;
    Ran { report, events }
}

/// Runs a canary in full trust with nothing around it.
pub(crate) async fn run_yaml(yaml: &str) -> Ran {
    run(RunnerSettings::default(), &canary(yaml)).await
}

pub(crate) fn secrets(pairs: &[(&str, &str)]) -> SecretStore {
    let stored = |(name, value): &(&str, &str)| {
        let value = SecretText::new(*value);
        (Arc::from(*name), StoredSecret { value, hosts: Vec::new() })
    };
    SecretStore::new(pairs.iter().map(stored).collect())
}

pub(crate) fn environment(pairs: &[(&str, &str)], listed: &[&str]) -> Environment {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let values: BTreeMap<_, _> = pairs.iter().map(pair).collect();
    let listed: BTreeSet<_> = listed.iter().map(|name| (*name).to_owned()).collect();
    Environment::new(values, listed)
}

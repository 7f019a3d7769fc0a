//! What a run would do, without doing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::Attempt;
use super::perform::uses_stand_ins;
use super::request::RunRequest;
use super::run::{RunContext, Runner, shown_parameters};
use crate::canary::action::Action;
use crate::canary::definition::{CanaryBody, Step};
use crate::canary::page::BrowserAction;
use crate::canary::report::{Failure, RunId};

/// What a run would do. Secrets are redacted in it.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// The canary.
    pub canary: Arc<str>,
    /// Its file.
    pub file: Arc<str>,
    /// The combination of its matrix, as reports show it.
    pub parameters: BTreeMap<String, String>,
    /// Its steps; `None` for a script, whose steps are known only when it runs.
    pub steps: Option<Vec<PlannedStep>>,
    /// Why no step can be planned: a variable that nobody gave.
    pub failure: Option<Failure>,
}

/// What a step would do.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// Its name.
    pub name: Arc<str>,
    /// What it would do, a line each; or what it would fail with before anything is sent.
    pub lines: Result<Vec<String>, Box<Failure>>,
    /// Captures of earlier steps that are used in it; stand-ins are shown for their values.
    pub needs: Vec<Arc<str>>,
}

impl RunPlan {
    /// The first failure.
    pub fn failure(&self) -> Option<&Failure> {
        let steps = self.steps.iter().flatten();
        self.failure.as_ref().or_else(|| {
            steps.filter_map(|step| step.lines.as_ref().err()).map(|failure| &**failure).next()
        })
    }
}

impl Runner {
    /// What a run would do. Nothing is sent; files and secrets that it needs are read, so that what
    /// is missing shows.
    pub async fn plan(&self, request: &RunRequest) -> RunPlan {
        let run = Arc::new(RunContext::of(self.parts(), request, RunId("plan".into())));
        let canary = &request.canary;
        let mut plan = RunPlan {
            canary: Arc::clone(&canary.name),
            file: canary.source.name().into(),
            parameters: shown_parameters(request),
            steps: None,
            failure: None,
        };
        let steps = match &canary.body {
            CanaryBody::Steps(steps) => steps,
            CanaryBody::Script => return plan,
        };
        match Attempt::start(&run, request, 1) {
            Ok(attempt) => plan.steps = Some(planned(attempt, steps).await),
            Err(mut failure) => {
                run.redaction.failure(&mut failure);
                plan.failure = Some(*failure);
            }
        }
        plan
    }
}

async fn planned(mut attempt: Attempt, steps: &[Step]) -> Vec<PlannedStep> {
    let mut captured: Vec<Arc<str>> = Vec::new();
    let mut planned = Vec::with_capacity(steps.len());
    for step in steps {
        let lines = attempt.planned(step).await;
        let needs = lines
            .as_ref()
            .map_or_else(|_failure| Vec::new(), |lines| uses_stand_ins(lines, &captured));
        planned.push(PlannedStep { name: Arc::clone(&step.name), lines, needs });
        captured.extend(captures_of(step));
    }
    planned
}

fn captures_of(step: &Step) -> Vec<Arc<str>> {
    let of_step = step.capture.iter().map(|capture| &capture.name);
    let page = match &step.action {
        Action::Browser(actions) => actions.as_slice(),
        _ => &[],
    };
    let of_page = page.iter().filter_map(|each| match &each.action {
        BrowserAction::Capture(name, _) | BrowserAction::Evaluate { capture: Some(name), .. } => {
            Some(name)
        }
        _ => None,
    });
    of_step.chain(of_page).map(Arc::clone).collect()
}

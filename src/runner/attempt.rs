use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::browser::BrowserSession;
use super::fault;
use super::probe::http::HttpSession;
use super::request::RunRequest;
use super::reuse::ReuseSlot;
use super::run::{RunContext, shown_combination};
use super::scope::{Outside, Scope};
use crate::canary::definition::{CanaryBody, Step, StepRole};
use crate::canary::event::RunEventKind;
use crate::canary::report::{
    Artifact, AttemptReport, Failure, FileLocation, RunOutcome, StepOutcome, StepReport, Verdict,
};
use crate::telemetry::MetricDatum;
use crate::time::Deadline;

/// Of an attempt's time, the part that is set aside for teardown steps.
const TEARDOWN_SHARE: u32 = 5;

/// One attempt under way: what its steps share and what they leave.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) run: Arc<RunContext>,
    pub(super) number: u32,
    /// Of its matrix, as reports show it: pictures are kept apart by it.
    pub(super) combination: BTreeMap<String, String>,
    pub(super) scope: Scope,
    pub(super) session: HttpSession,
    /// The page of browser steps, from the first of them on.
    pub(super) page: Option<Box<BrowserSession>>,
    pub(super) emitted: Emitted,
    pub(super) retried_step: bool,
    /// What earlier runs captured and this one took over.
    pub(super) reused: Vec<ReuseSlot>,
}

/// What the steps of an attempt leave beside their reports.
#[derive(Debug, Default)]
pub(super) struct Emitted {
    pub(super) metrics: Vec<MetricDatum>,
    pub(super) annotations: BTreeMap<String, Value>,
    pub(super) artifacts: Vec<Artifact>,
}

/// A finished attempt.
pub(super) struct AttemptEnd {
    pub(super) report: AttemptReport,
    pub(super) emitted: Emitted,
    /// Whether a step passed only when it was tried again.
    pub(super) retried_step: bool,
}

/// By when the two kinds of steps must have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) ordinary: Deadline,
    pub(super) teardown: Deadline,
}

impl Attempt {
    /// Makes one attempt, from a fresh scope and session to its report.
    pub(super) async fn make(
        run: &Arc<RunContext>,
        request: &RunRequest,
        number: u32,
    ) -> AttemptEnd {
        let clock = run.clock();
        let (started, begun) = (clock.now(), clock.monotonic());
        let mut end = match Self::start(run, request, number) {
            Ok(attempt) => attempt.finish().await,
            Err(mut failure) => {
                run.redaction.failure(&mut failure);
                AttemptEnd::failed(*failure, skip_all(run))
            }
        };
        end.report.number = number;
        end.report.started = started;
        end.report.elapsed = clock.monotonic().since(begun);
        if run.cancel.is_cancelled() && end.report.outcome != RunOutcome::Passed {
            end.report.outcome = RunOutcome::Cancelled;
        }
        end
    }

    /// An attempt before its first step.
    ///
    /// Errors: the first variable that cannot be rendered.
    pub(super) fn start(
        run: &Arc<RunContext>,
        request: &RunRequest,
        number: u32,
    ) -> Result<Self, Box<Failure>> {
        let parts = &run.parts;
        let outside = Outside {
            secrets: Arc::clone(&run.secrets),
            environment: parts.settings.environment.clone(),
            trust: parts.settings.network.policy.trust(),
            clock: Arc::clone(&parts.clock),
        };
        let canary = &run.canary;
        let scope = Scope::start(canary, &request.parameters, &request.variables, outside);
        let scope = scope.map_err(|error| {
            let verdict = if error.is_denied() { Verdict::Policy } else { Verdict::Canary };
            let mut failure = fault::failure(verdict, error.to_string());
            failure.location = Some(FileLocation::of(&canary.source, error.span));
            Box::new(failure)
        })?;
        let session = HttpSession::new(Arc::clone(&parts.network), canary.connections);
        let emitted = Emitted::default();
        let run = Arc::clone(run);
        Ok(Self {
            run,
            number,
            combination: shown_combination(request),
            scope,
            session,
            page: None,
            emitted,
            retried_step: false,
            reused: Vec::new(),
        })
    }

    async fn finish(mut self) -> AttemptEnd {
        let canary = Arc::clone(&self.run.canary);
        let steps = match &canary.body {
            CanaryBody::Steps(steps) => steps,
            CanaryBody::Script => return self.script().await,
        };
        let deadlines = self.deadlines(steps);
        let mut reports: Vec<StepReport> = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            let has_failed = reports.iter().any(|report| report.outcome.failure().is_some());
            let report = self.step(index, step, deadlines, has_failed).await;
            reports.push(report);
        }
        self.end(reports, None)
    }

    /// One step: run, skipped, or cut off by a cancelled run.
    async fn step(
        &mut self,
        index: usize,
        step: &Step,
        deadlines: Deadlines,
        has_failed: bool,
    ) -> StepReport {
        let run = Arc::clone(&self.run);
        let is_stopped = has_failed || run.cancel.is_cancelled();
        match step.role {
            StepRole::Ordinary if is_stopped => skip(&run, index, step),
            StepRole::Ordinary => {
                let (started, begun) = (run.clock().now(), run.clock().monotonic());
                tokio::select! {
                    biased;
                    report = self.run_step(index, step, deadlines.ordinary) => report,
                    () = run.cancel.cancelled() => {
                        let mut report = skip_report(&run, index, step);
                        report.started = started;
                        report.elapsed = run.clock().monotonic().since(begun);
                        let failure = fault::failure(Verdict::Runner, "the run was cancelled");
                        report.outcome = StepOutcome::Failed(failure);
                        run.events.push(RunEventKind::StepFinished(Box::new(report.clone())));
                        report
                    }
                }
            }
            StepRole::Teardown => {
                let limit = run.parts.settings.limits.teardown_max;
                let deadline = deadlines.teardown.tightened(&**run.clock(), limit);
                self.run_step(index, step, deadline).await
            }
        }
    }

    /// What the attempt leaves, once its steps have ended.
    pub(super) fn end(&mut self, steps: Vec<StepReport>, failure: Option<Failure>) -> AttemptEnd {
        let outcome = match (outcome(&steps), &failure) {
            (RunOutcome::Passed, Some(failure)) => outcome_of(failure),
            (outcome, _) => outcome,
        };
        if outcome != RunOutcome::Passed {
            // What was taken over may be why: the next one gets its own.
            self.reused.drain(..).for_each(|slot| slot.forget());
        }
        AttemptEnd {
            report: blank(outcome, steps, failure),
            emitted: std::mem::take(&mut self.emitted),
            retried_step: self.retried_step,
        }
    }

    fn deadlines(&self, steps: &[Step]) -> Deadlines {
        self.deadlines_with(steps.iter().any(|step| step.role == StepRole::Teardown))
    }

    /// The deadlines, with time set aside when steps tear down.
    pub(super) fn deadlines_with(&self, tears_down: bool) -> Deadlines {
        let limits = &self.run.parts.settings.limits;
        let timeout = self.run.canary.timeout.min(limits.timeout_max);
        let reserve = if tears_down {
            (timeout / TEARDOWN_SHARE).min(limits.teardown_max)
        } else {
            std::time::Duration::ZERO
        };
        let clock = &**self.run.clock();
        Deadlines {
            ordinary: Deadline::after(clock, timeout - reserve),
            teardown: Deadline::after(clock, timeout),
        }
    }
}

impl AttemptEnd {
    fn failed(failure: Failure, steps: Vec<StepReport>) -> Self {
        let report = blank(RunOutcome::Error, steps, Some(failure));
        Self { report, emitted: Emitted::default(), retried_step: false }
    }
}

/// A report whose number and times are filled in by [`Attempt::make`].
fn blank(outcome: RunOutcome, steps: Vec<StepReport>, failure: Option<Failure>) -> AttemptReport {
    AttemptReport {
        number: 0,
        started: crate::time::Timestamp::EPOCH,
        elapsed: std::time::Duration::ZERO,
        outcome,
        steps,
        failure,
    }
}

/// How an attempt ended: its first failure decides whose fault it is.
fn outcome(reports: &[StepReport]) -> RunOutcome {
    match reports.iter().find_map(|report| report.outcome.failure()) {
        None => RunOutcome::Passed,
        Some(failure) => outcome_of(failure),
    }
}

fn outcome_of(failure: &Failure) -> RunOutcome {
    match failure.verdict {
        Verdict::Target | Verdict::NoAnswer | Verdict::Visual => RunOutcome::Failed,
        Verdict::Canary | Verdict::Policy | Verdict::Runner => RunOutcome::Error,
    }
}

fn skip_all(run: &RunContext) -> Vec<StepReport> {
    match &run.canary.body {
        CanaryBody::Steps(steps) => {
            steps.iter().enumerate().map(|(index, step)| skip(run, index, step)).collect()
        }
        CanaryBody::Script => Vec::new(),
    }
}

pub(super) fn skip(run: &RunContext, index: usize, step: &Step) -> StepReport {
    let report = skip_report(run, index, step);
    run.events.push(RunEventKind::StepFinished(Box::new(report.clone())));
    report
}

fn skip_report(run: &RunContext, index: usize, step: &Step) -> StepReport {
    StepReport {
        index,
        name: Arc::clone(&step.name),
        location: Some(step.locate(step.span)),
        started: run.clock().now(),
        elapsed: std::time::Duration::ZERO,
        outcome: StepOutcome::Skipped,
        exchanges: Vec::new(),
        pictures: Vec::new(),
        measures: Vec::new(),
    }
}

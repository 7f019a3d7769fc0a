//! Steps of a script, from its side of the run: opened, closed, reported.

use std::sync::Arc;
use std::time::Duration;

use super::call::{Answered, Reply, StepStart};
use super::failure::ScriptError;
use super::guest::OUT_OF_TIME;
use super::host::{Current, Host};
use crate::canary::action::Action;
use crate::canary::definition::{Emit, RetryPolicy, Step, StepRole};
use crate::canary::event::RunEventKind;
use crate::canary::report::{Failure, StepOutcome, StepReport};
use crate::diagnostic::Span;
use crate::runner::attempt::skip;
use crate::runner::probe::duration_text;
use crate::runner::step::StepRecord;

/// BOUND: of steps of one run.
const STEPS_MAX: usize = 1000;

impl Host {
    /// Opens a step, or skips it.
    pub(super) async fn begin(&self, start: StepStart) -> Answered {
        let mut state = self.state.lock().await;
        let name = &start.name;
        if let Some(current) = &state.current {
            let problem = format!("step `{name}` begins inside of step `{}`", current.step.name);
            return Err(ScriptError::wrong(problem));
        }
        if state.reports.iter().any(|report| *report.name == **name) {
            return Err(ScriptError::wrong(format!("two steps are called `{name}`")));
        }
        if name.trim().is_empty() || name.chars().count() > 255 {
            return Err(ScriptError::wrong("a step has a name of 1 to 255 characters"));
        }
        let index = state.reports.len();
        if index >= STEPS_MAX {
            return Err(ScriptError::wrong(format!("a run has at most {STEPS_MAX} steps")));
        }
        let step = self.step_of(&start);
        let has_failed = state.reports.iter().any(|report| report.outcome.failure().is_some());
        let is_stopped = has_failed || self.run.cancel.is_cancelled();
        if is_stopped && !start.always {
            state.reports.push(skip(&self.run, index, &step));
            return Ok(Reply::Time(None));
        }
        let whole = if start.always { state.teardown } else { state.ordinary };
        let clock = self.run.clock();
        let deadline = start.timeout.map_or(whole, |timeout| whole.tightened(&**clock, timeout));
        self.run.events.push(RunEventKind::StepStarted { index, name: Arc::clone(&step.name) });
        let (started, begun) = (clock.now(), clock.monotonic());
        let record = StepRecord::default();
        state.current = Some(Current { step, record, deadline, started, begun });
        Ok(Reply::Time(Some(deadline.left(&**clock))))
    }

    fn step_of(&self, start: &StepStart) -> Step {
        let source = self.run.canary.source.clone();
        let at = source.offset(start.line.unwrap_or(1), 1);
        let role = if start.always { StepRole::Teardown } else { StepRole::Ordinary };
        Step {
            name: start.name.as_str().into(),
            span: Span::point(at),
            source,
            timeout: start.timeout,
            retry: RetryPolicy::default(),
            reuse: None,
            role,
            // Each call brings its own.
            action: Action::Browser(Vec::new()),
            expect: Vec::new(),
            capture: Vec::new(),
            emit: Emit::default(),
        }
    }

    /// Closes the step under way, and gives the time that is left after it.
    pub(super) async fn end(&self, failure: Option<Box<Failure>>) -> Answered {
        let outcome = failure
            .map_or(StepOutcome::Passed, |failure| StepOutcome::Failed(self.at_home(*failure)));
        let mut state = self.state.lock().await;
        let (ordinary, teardown) = (state.ordinary, state.teardown);
        let Some(current) = state.current.take() else {
            return Err(ScriptError::wrong("no step is under way"));
        };
        let report = self.report(current, state.reports.len(), outcome);
        self.run.events.push(RunEventKind::StepFinished(Box::new(report.clone())));
        state.reports.push(report);
        // Teardown steps still have a moment after the others' time is up.
        let clock = &**self.run.clock();
        let next = if ordinary.has_passed(clock) { teardown } else { ordinary };
        Ok(Reply::Time(Some(next.left(clock))))
    }

    fn report(&self, current: Current, index: usize, mut outcome: StepOutcome) -> StepReport {
        let Current { step, record, started, begun, .. } = current;
        let elapsed: Duration = self.run.clock().monotonic().since(begun);
        if let StepOutcome::Failed(failure) = &mut outcome {
            failure.location.get_or_insert_with(|| step.locate(step.span));
            if failure.message == OUT_OF_TIME {
                failure.message = format!("the step did not end within {}", duration_text(elapsed));
            }
        }
        let mut report = StepReport {
            index,
            name: Arc::clone(&step.name),
            location: Some(step.locate(step.span)),
            started,
            elapsed,
            outcome,
            exchanges: record.exchanges,
            pictures: record.pictures,
            measures: record.measures,
        };
        self.run.redaction.step(&mut report);
        report
    }

    /// A failure that a script made, with places in this canary's file: a process of its own knows
    /// only the file's last name.
    pub(super) fn at_home(&self, mut failure: Failure) -> Failure {
        let name: Arc<str> = self.run.canary.source.name().into();
        let assertions = failure.assertions.iter_mut().map(|one| &mut one.location);
        for place in assertions.chain([&mut failure.location]).flatten() {
            place.file = Arc::clone(&name);
        }
        failure
    }
}

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::attempt::Attempt;
use super::probe::ProbeError;
use super::run::is_repeated;
use super::{fault, judge};
use crate::canary::assertion::Answers;
use crate::canary::capture;
use crate::canary::definition::{Emit, Step};
use crate::canary::event::RunEventKind;
use crate::canary::observation::Observation;
use crate::canary::report::{
    ExchangeReport, Failure, LogLevel, Measure, PictureReport, StepOutcome, StepReport, Verdict,
};
use crate::canary::secret::SecretText;
use crate::canary::template::{Position, RenderError, Rendered, Text};
use crate::telemetry::{Dimensions, MetricDatum};
use crate::time::Deadline;

/// How long a step may outlive its deadline before it is dropped.
///
/// Probes end at the deadline by themselves and say what they were waiting for; this is for
/// whatever does not.
pub(super) const GUARD: Duration = Duration::from_millis(150);

/// What a step has done so far, kept when it fails or is dropped.
#[derive(Debug, Default)]
pub(super) struct StepRecord {
    pub(super) exchanges: Vec<ExchangeReport>,
    pub(super) pictures: Vec<PictureReport>,
    pub(super) measures: Vec<Measure>,
}

impl Attempt {
    /// Runs one step to its report, trying again as its policy says.
    pub(super) async fn run_step(
        &mut self,
        index: usize,
        step: &Step,
        within: Deadline,
    ) -> StepReport {
        let run = Arc::clone(&self.run);
        let clock = run.clock();
        run.events.push(RunEventKind::StepStarted { index, name: Arc::clone(&step.name) });
        let (started, begun) = (clock.now(), clock.monotonic());
        let deadline = match step.timeout {
            Some(timeout) => within.tightened(&**clock, timeout),
            None => within,
        };
        let mut record = StepRecord::default();
        let guard = Deadline::at(deadline.monotonic().plus(GUARD));
        let tries = Box::pin(self.tries(step, &mut record, deadline));
        let outcome = match guard.bound(tries).await {
            Ok(Ok(())) => StepOutcome::Passed,
            Ok(Err(failure)) => StepOutcome::Failed(*failure),
            Err(_passed) => {
                let after = super::probe::duration_text(clock.monotonic().since(begun));
                let message = format!("the step did not end within {after}");
                StepOutcome::Failed(fault::failure(Verdict::NoAnswer, message))
            }
        };
        let mut report = StepReport {
            index,
            name: Arc::clone(&step.name),
            location: Some(step.locate(step.span)),
            started,
            elapsed: clock.monotonic().since(begun),
            outcome,
            exchanges: record.exchanges,
            pictures: record.pictures,
            measures: record.measures,
        };
        if let StepOutcome::Failed(failure) = &mut report.outcome {
            failure.location.get_or_insert_with(|| step.locate(step.span));
        }
        run.redaction.step(&mut report);
        run.events.push(RunEventKind::StepFinished(Box::new(report.clone())));
        report
    }

    async fn tries(
        &mut self,
        step: &Step,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<(), Box<Failure>> {
        let clock = Arc::clone(self.run.clock());
        let mut number = 1;
        loop {
            let failure = match self.try_once(step, record, deadline).await {
                Ok(()) => {
                    self.retried_step |= number > 1;
                    return Ok(());
                }
                Err(failure) => failure,
            };
            let is_last = number >= step.retry.attempts
                || !is_repeated(&step.retry, failure.verdict)
                || deadline.left(&*clock) <= step.retry.delay;
            if is_last {
                return Err(failure);
            }
            number += 1;
            tokio::time::sleep(step.retry.delay).await;
        }
    }

    async fn try_once(
        &mut self,
        step: &Step,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<(), Box<Failure>> {
        match step.reuse {
            None => self.act(step, record, deadline).await?,
            Some(lifetime) => Box::pin(self.act_once(step, lifetime, (record, deadline))).await?,
        }
        self.emit(step, &step.emit)
    }

    /// Acts, captures, judges.
    ///
    /// Captures come before the verdict, so that teardown steps have them after a failure too; but
    /// when both fail, the assertion is what a person needs to know.
    pub(super) async fn act(
        &mut self,
        step: &Step,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<(), Box<Failure>> {
        if let Some(seen) = self.perform(step, record, deadline).await? {
            let judged = self.look_into(step, &seen);
            if let Err(failure) = judged {
                self.keep_body(step, &seen);
                return Err(failure);
            }
        }
        Ok(())
    }

    fn look_into(&mut self, step: &Step, seen: &Observation) -> Result<(), Box<Failure>> {
        let answers = Answers::of(seen);
        let captured = self.capture(step, &answers);
        let with = (&self.scope, &self.run.redaction);
        judge::judge(step, &answers, seen, with).and(captured)
    }

    fn capture(&mut self, step: &Step, answers: &Answers<'_>) -> Result<(), Box<Failure>> {
        for wanted in &step.capture {
            let value = capture::take(&wanted.from, answers).map_err(|error| {
                let message = format!("cannot capture `{}`: {error}", wanted.name);
                let mut failure = fault::failure(Verdict::Target, message);
                failure.location = Some(step.locate(wanted.span));
                Box::new(failure)
            })?;
            if wanted.secret {
                let text = match &value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                self.run.redaction.learn([SecretText::new(text)]);
                self.scope.hold_secret(Arc::clone(&wanted.name), value);
            } else {
                self.scope.hold(Arc::clone(&wanted.name), Rendered::clean(value));
            }
        }
        Ok(())
    }

    fn emit(&mut self, step: &Step, emit: &Emit) -> Result<(), Box<Failure>> {
        let at = self.run.clock().now();
        for metric in &emit.metrics {
            let unrendered = |error: RenderError| fault::unrendered(step, &error);
            let value = metric.value.evaluate(&self.scope).map_err(unrendered)?.value;
            let number = match &value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            let Some(number) = number.filter(|number| number.is_finite()) else {
                let message = format!("metric `{}` is {value}, which is no number", metric.name);
                let mut failure = fault::failure(Verdict::Canary, message);
                failure.location = Some(step.locate(metric.value.span()));
                return Err(Box::new(failure));
            };
            let dimensions =
                Dimensions::of([(Arc::from("CanaryName"), Arc::clone(&self.run.canary.name))]);
            let name = Arc::clone(&metric.name);
            let datum = MetricDatum::sample(name, dimensions, at, (number, metric.unit));
            self.emitted.metrics.push(datum);
        }
        for line in &emit.logs {
            let text = self.shown(step, line)?;
            self.run.events.log(LogLevel::Info, text);
        }
        for (key, text) in &emit.annotations {
            let text = self.shown(step, text)?;
            self.emitted.annotations.insert(key.to_string(), Value::String(text));
        }
        Ok(())
    }

    /// A text that leaves the run: rendered, without secrets.
    fn shown(&self, step: &Step, text: &Text) -> Result<String, Box<Failure>> {
        let rendered = text.render(&self.scope, Position::Plain);
        let rendered = rendered.map_err(|error| fault::unrendered(step, &error))?;
        self.run.redaction.learn_taint(&rendered.taint);
        Ok(self.run.redaction.text(&rendered.value))
    }
}

impl From<ProbeError> for Box<Failure> {
    fn from(error: ProbeError) -> Self {
        Self::new(fault::no_answer(&error))
    }
}

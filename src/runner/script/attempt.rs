use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, Value as LuaValue};

use super::api::{self, StepOptions};
use super::failure::{ScriptError, cause, failure_of};
use super::host::{Current, Host, Notes, State};
use super::sandbox::{self, TimeLimit, calling_line};
use super::{expect, modules, page, request};
use crate::canary::action::Action;
use crate::canary::definition::{Emit, RetryPolicy, Step, StepRole};
use crate::canary::event::RunEventKind;
use crate::canary::report::{Failure, StepOutcome, StepReport, Verdict};
use crate::diagnostic::Span;
use crate::runner::attempt::{Attempt, AttemptEnd};
use crate::runner::fault;
use crate::runner::probe::duration_text;
use crate::runner::step::{GUARD, StepRecord};
use crate::time::Deadline;

/// BOUND: of steps of one run.
const STEPS_MAX: usize = 1000;

impl Attempt {
    /// Runs the canary's script to the end of the attempt.
    pub(in crate::runner) async fn script(self) -> AttemptEnd {
        // A script's steps are not known before; only this word makes one run whatever happened.
        let tears_down = self.run.canary.source.text().contains("always");
        let deadlines = self.deadlines_with(tears_down);
        let run = Arc::clone(&self.run);
        let limit = TimeLimit::new(Arc::clone(run.clock()), deadlines.ordinary);
        let state = State {
            attempt: self,
            current: None,
            reports: Vec::new(),
            ordinary: deadlines.ordinary,
            teardown: deadlines.teardown,
        };
        let host = Host::new(state, limit);
        let guard = Deadline::at(deadlines.teardown.monotonic().plus(GUARD));
        let ended = guard.bound(Box::pin(execute(&host))).await;
        let file = run.canary.source.name();
        let fault = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(failure_of(&error, &host.chunk, file)),
            Err(_passed) => {
                let message = "the script did not end in its time";
                Some(fault::failure(Verdict::NoAnswer, message))
            }
        };
        finish(host, fault).await
    }
}

async fn execute(host: &Host) -> mlua::Result<()> {
    let lua = sandbox::open()?;
    modules::install(&lua, host.run.clock())?;
    modules::install_sleep(&lua, host)?;
    api::install(&lua, host)?;
    expect::install(&lua, host)?;
    request::install(&lua, host)?;
    page::install(&lua, host)?;
    install_step(&lua, host)?;
    sandbox::close(&lua, &host.limit)?;
    let text = host.run.canary.source.text();
    sandbox::compile(&lua, &host.chunk, text)?.call_async::<()>(()).await
}

/// What is left of a script, whatever still holds on to its state.
async fn finish(host: Host, fault: Option<Failure>) -> AttemptEnd {
    let mut state = host.state.lock().await;
    let reports = std::mem::take(&mut state.reports);
    let has_failed = reports.iter().any(|report| report.outcome.failure().is_some());
    // After a failed step the rest of a script often cannot work.
    let fault = fault.filter(|_| !has_failed);
    let fault = match fault {
        None if reports.is_empty() => {
            Some(fault::failure(Verdict::Canary, "the script has no steps"))
        }
        fault => fault,
    };
    let Notes { metrics, annotations } = std::mem::take(&mut *host.notes());
    state.attempt.emitted.metrics.extend(metrics);
    state.attempt.emitted.annotations.extend(annotations);
    let mut end = state.attempt.end(reports, fault);
    if let Some(failure) = &mut end.report.failure {
        host.run.redaction.failure(failure);
    }
    end
}

fn install_step(lua: &Lua, host: &Host) -> mlua::Result<()> {
    let host = host.clone();
    let step = lua.create_async_function(
        move |lua, (name, first, second): (String, LuaValue, LuaValue)| {
            let host = host.clone();
            let line = calling_line(&lua, &host.chunk);
            async move {
                let (options, body) = api::step_arguments((first, second))?;
                let begun = begin(&host, name, &options, line).await?;
                let Some((index, deadline)) = begun else { return Ok(()) };
                host.limit.set(deadline);
                let outcome = body_of_step(&host, body, deadline).await;
                end(&host, index, outcome).await;
                Ok(())
            }
        },
    )?;
    lua.globals().set("step", step)
}

/// Opens a step; `None` when it is skipped.
async fn begin(
    host: &Host,
    name: String,
    options: &StepOptions,
    line: Option<usize>,
) -> mlua::Result<Option<(usize, Deadline)>> {
    let mut state = host.state.lock().await;
    if let Some(current) = &state.current {
        let problem = format!("step `{name}` begins inside of step `{}`", current.step.name);
        return Err(ScriptError::misuse(problem));
    }
    if state.reports.iter().any(|report| *report.name == *name) {
        return Err(ScriptError::misuse(format!("two steps are called `{name}`")));
    }
    if name.trim().is_empty() || name.chars().count() > 255 || state.reports.len() >= STEPS_MAX {
        return Err(ScriptError::misuse("a step has a name of 1 to 255 characters"));
    }
    let index = state.reports.len();
    let step = blank_step(host, &name, options, line);
    let has_failed = state.reports.iter().any(|report| report.outcome.failure().is_some());
    let is_stopped = has_failed || host.run.cancel.is_cancelled();
    if is_stopped && !options.always {
        state.reports.push(crate::runner::attempt::skip(&host.run, index, &step));
        return Ok(None);
    }
    let whole = if options.always { state.teardown } else { state.ordinary };
    let clock = &**host.run.clock();
    let deadline = options.timeout.map_or(whole, |timeout| whole.tightened(clock, timeout));
    host.run.events.push(RunEventKind::StepStarted { index, name: Arc::clone(&step.name) });
    let (started, begun) = (host.run.clock().now(), host.run.clock().monotonic());
    let record = StepRecord::default();
    state.current = Some(Current { step, record, deadline, started, begun });
    Ok(Some((index, deadline)))
}

fn blank_step(host: &Host, name: &str, options: &StepOptions, line: Option<usize>) -> Step {
    let source = host.run.canary.source.clone();
    let start = source.offset(line.unwrap_or(1), 1);
    let role = if options.always { StepRole::Teardown } else { StepRole::Ordinary };
    Step {
        name: name.into(),
        span: Span::point(start),
        source,
        timeout: options.timeout,
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

async fn body_of_step(host: &Host, body: mlua::Function, deadline: Deadline) -> StepOutcome {
    let guard = Deadline::at(deadline.monotonic().plus(GUARD));
    let call = Box::pin(body.call_async::<()>(()));
    let ended = tokio::select! {
        biased;
        ended = guard.bound(call) => ended,
        () = host.run.cancel.cancelled() => {
            let failure = fault::failure(Verdict::Runner, "the run was cancelled");
            return StepOutcome::Failed(failure);
        }
    };
    match ended {
        Ok(Ok(())) => StepOutcome::Passed,
        Ok(Err(error)) if matches!(cause(&error), Some(ScriptError::OutOfTime)) => out_of_time(),
        Ok(Err(error)) => {
            let file = host.run.canary.source.name();
            StepOutcome::Failed(failure_of(&error, &host.chunk, file))
        }
        Err(_passed) => out_of_time(),
    }
}

fn out_of_time() -> StepOutcome {
    // The time it took is known, and put in, when its report is made.
    StepOutcome::Failed(fault::failure(Verdict::NoAnswer, OUT_OF_TIME))
}

const OUT_OF_TIME: &str = "the step did not end in its time";

async fn end(host: &Host, index: usize, mut outcome: StepOutcome) {
    let mut state = host.state.lock().await;
    let ordinary = state.ordinary;
    let Some(current) = state.current.take() else { return };
    let Current { step, record, started, begun, .. } = current;
    let elapsed: Duration = host.run.clock().monotonic().since(begun);
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
    host.run.redaction.step(&mut report);
    host.run.events.push(RunEventKind::StepFinished(Box::new(report.clone())));
    state.reports.push(report);
    // Teardown steps still have a moment after the others' time is up.
    let has_time = !ordinary.has_passed(&**host.run.clock());
    host.limit.set(if has_time { ordinary } else { state.teardown });
}

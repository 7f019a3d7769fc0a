use std::sync::Arc;

use futures_util::FutureExt;

use super::call::Reply;
use super::guest::{Guest, Link};
use super::host::{Host, Notes, State, chunk_name};
use super::sandbox::TimeLimit;
use super::worker;
use crate::canary::report::{Failure, Verdict};
use crate::runner::attempt::{Attempt, AttemptEnd};
use crate::runner::fault;
use crate::runner::policy::Trust;
use crate::runner::step::GUARD;
use crate::time::Deadline;

impl Attempt {
    /// Runs the canary's script to the end of the attempt: here, or in a process of its own when
    /// whoever wrote it is not trusted.
    pub(in crate::runner) async fn script(self) -> AttemptEnd {
        // A script's steps are not known before; only this word makes one run whatever happened.
        let tears_down = self.run.canary.source.text().contains("always");
        let deadlines = self.deadlines_with(tears_down);
        let trust = self.run.parts.settings.network.policy.trust();
        let host = Host::new(State {
            attempt: self,
            current: None,
            reports: Vec::new(),
            ordinary: deadlines.ordinary,
            teardown: deadlines.teardown,
        });
        let fault = match trust {
            Trust::Full => here(&host).await,
            Trust::PullRequest => worker::run(&host).boxed().await,
        };
        finish(host, fault).await
    }
}

/// Runs the script in this process.
async fn here(host: &Host) -> Option<Failure> {
    let run = Arc::clone(&host.run);
    let (deadline, teardown, parameters) = {
        let state = host.state.lock().await;
        (state.ordinary, state.teardown, state.attempt.scope.values())
    };
    let file = run.canary.source.name();
    let guest = Guest {
        link: Link::Near(host.clone()),
        limit: TimeLimit::new(Arc::clone(run.clock()), deadline),
        clock: Arc::clone(run.clock()),
        chunk: chunk_name(file).into(),
        file: file.into(),
        parameters: Arc::new(parameters),
    };
    let guard = Deadline::at(teardown.monotonic().plus(GUARD));
    match guard.bound(Box::pin(guest.execute(run.canary.source.text()))).await {
        Ok(ended) => ended.err().map(|error| guest.failure_of(&error)),
        Err(_passed) => Some(out_of_time()),
    }
}

/// The script, not one of its steps, did not end in its time.
pub(super) fn out_of_time() -> Failure {
    fault::failure(Verdict::NoAnswer, "the script did not end in its time")
}

/// What is left of a script, whatever still holds on to its state.
async fn finish(host: Host, fault: Option<Failure>) -> AttemptEnd {
    // Only a script that was stopped in the middle of a step leaves one open.
    let is_open = host.state.lock().await.current.is_some();
    let fault = match fault {
        Some(failure) if is_open => {
            let ended = host.end(Some(Box::new(failure))).await;
            debug_assert!(matches!(ended, Ok(Reply::Time(_))), "a step was open");
            None
        }
        fault => fault,
    };
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

//! The one ordered stream of a run's events.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::canary::event::{RunEvent, RunEventKind};
use crate::canary::report::{LogLevel, LogLine, RunId};
use crate::time::Clock;

/// Collects what happens in a run until its observer takes it.
///
/// Events are handed over each time the run yields, so an observer is never called from inside the
/// run, cannot change it, and needs no channel.
#[derive(Debug)]
pub(super) struct EventLog {
    run: RunId,
    clock: Arc<dyn Clock>,
    log_lines_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<RunEvent>,
    sequence: u32,
    lines: Vec<LogLine>,
    dropped_lines: usize,
}

impl EventLog {
    pub(super) fn new(run: RunId, log_lines_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self { run, clock, log_lines_max, state: Mutex::default() }
    }

    /// Something happened; its texts are already redacted.
    pub(super) fn push(&self, kind: RunEventKind) {
        let at = self.clock.now();
        let mut state = self.state();
        let sequence = state.sequence;
        state.sequence = state.sequence.saturating_add(1);
        state.waiting.push_back(RunEvent { run: self.run.clone(), sequence, at, kind });
    }

    /// The canary wrote a line, already redacted.
    pub(super) fn log(&self, level: LogLevel, message: String) {
        let line = LogLine { at: self.clock.now(), level, message };
        {
            let mut state = self.state();
            // BOUND: a canary that logs without end keeps its first lines; the rest is counted.
            if state.lines.len() >= self.log_lines_max {
                state.dropped_lines += 1;
                return;
            }
            state.lines.push(line.clone());
        }
        self.push(RunEventKind::Logged(line));
    }

    /// All lines written so far, and a last one that says how many were dropped.
    pub(super) fn take_lines(&self) -> Vec<LogLine> {
        let at = self.clock.now();
        let mut state = self.state();
        let mut lines = std::mem::take(&mut state.lines);
        if state.dropped_lines > 0 {
            let message = format!("{} further lines were dropped", state.dropped_lines);
            lines.push(LogLine { at, level: LogLevel::Warn, message });
        }
        lines
    }

    fn take(&self) -> VecDeque<RunEvent> {
        std::mem::take(&mut self.state().waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `operation` and hands what it logs to `observer` whenever it yields, and at its end.
pub(super) async fn observed<F: Future>(
    events: &EventLog,
    observer: &mut (dyn FnMut(RunEvent) + Send),
    operation: F,
) -> F::Output {
    let mut operation = pin!(operation);
    std::future::poll_fn(|cx| {
        let polled = operation.as_mut().poll(cx);
        for event in events.take() {
            observer(event);
        }
        polled
    })
    .await
}

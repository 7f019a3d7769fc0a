use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::artifacts::ArtifactFolder;
use super::keeper::Keeper;
use crate::canary::event::RunEvent;
use crate::canary::report::{RunOutcome, RunReport};
use crate::canary::telemetry;
use crate::cli::ExitStatus;
use crate::cli::fatal::Fatal;
use crate::cli::signal::{Ended, StopSignals};
use crate::otlp::OtlpSender;
use crate::report::{ReportError, Reports};
use crate::runner::{RunRequest, Runner};
use crate::telemetry::Scope;
use crate::time::Clock;

/// One call of `coalmine run`: so many runs at a time, shown as they go.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) runner: Runner,
    pub(super) reports: Reports,
    pub(super) artifacts: ArtifactFolder,
    /// Where runs are kept, if they are.
    pub(super) keeper: Option<Keeper>,
    /// Which collector is told, if one is.
    pub(super) otlp: Option<OtlpSender>,
    /// How many runs at a time, at least 1.
    pub(super) jobs: usize,
    pub(super) when_failed: WhenFailed,
    pub(super) clock: Arc<dyn Clock>,
}

/// What happens to runs that have not started when one has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFailed {
    GoOn,
    Stop,
}

impl Session {
    /// Makes the runs; the first signal cancels them, the second ends us at once. Files that are
    /// `broken` are reported before; to who stops at the first failure they are one.
    ///
    /// Errors: a report or an artifact could not be written. The runs go on all the same.
    pub(super) async fn run(
        self,
        broken: Vec<RunReport>,
        requests: Vec<RunRequest>,
    ) -> Result<ExitStatus, Fatal> {
        let mut signals = StopSignals::take()?;
        let begun = self.clock.monotonic();
        let clock = Arc::clone(&self.clock);
        let stop = CancellationToken::new();
        let desk = Desk::new(self.reports);
        let first = broken.len();
        let requests = match self.when_failed {
            WhenFailed::Stop if first > 0 => Vec::new(),
            _ => requests,
        };
        for (position, report) in broken.into_iter().enumerate() {
            desk.run(position, report);
        }
        let (keeper, otlp) = (self.keeper.as_ref(), self.otlp.as_ref());
        let places = Places { artifacts: &self.artifacts, keeper, otlp };
        let work = make_runs(&desk, &stop, (&self.runner, places), requests, {
            Pace { first, jobs: self.jobs, when_failed: self.when_failed }
        });
        let was_interrupted = match signals.guard(&stop, work).await {
            Ended::Abandoned => return Ok(ExitStatus::Interrupted),
            Ended::Alone(()) => false,
            Ended::Asked(..) => true,
        };
        self.runner.close().await;
        if let Some(keeper) = self.keeper {
            keeper.close().await;
        }
        let status = desk.end(clock.monotonic().since(begun))?;
        Ok(if was_interrupted { ExitStatus::Interrupted } else { status })
    }
}

/// Where what runs leave goes.
#[derive(Clone, Copy)]
struct Places<'a> {
    artifacts: &'a ArtifactFolder,
    keeper: Option<&'a Keeper>,
    otlp: Option<&'a OtlpSender>,
}

#[derive(Clone, Copy)]
struct Pace {
    /// The position of the first run in the reports.
    first: usize,
    jobs: usize,
    when_failed: WhenFailed,
}

async fn make_runs(
    desk: &Desk,
    stop: &CancellationToken,
    (runner, places): (&Runner, Places<'_>),
    requests: Vec<RunRequest>,
    pace: Pace,
) {
    let enough = CancellationToken::new();
    let runs = requests.into_iter().enumerate().map(|(position, mut request)| {
        request.cancel = stop.child_token();
        let enough = &enough;
        async move {
            if stop.is_cancelled() || enough.is_cancelled() {
                return;
            }
            let canary = Arc::clone(&request.canary);
            let mut run = runner.run(request, &mut |event| desk.event(&event)).await;
            if let Some(keeper) = places.keeper
                && let Err(fatal) = keeper.keep(&run, &canary).await
            {
                desk.complain(fatal);
            }
            if let Some(otlp) = places.otlp {
                let batch = telemetry::batch(&run, &canary, Scope::default());
                if let Err(error) = otlp.send(&batch).await {
                    let fatal =
                        Fatal::new(ExitStatus::OurSide, "a run was not told to the collector");
                    desk.complain(fatal.because(&error));
                }
            }
            if let Err(error) = places.artifacts.keep(&mut run) {
                let fatal = Fatal::new(ExitStatus::OurSide, "cannot write artifacts");
                desk.complain(fatal.because(&error));
            }
            if !run.outcome.is_good() && pace.when_failed == WhenFailed::Stop {
                enough.cancel();
            }
            desk.run(pace.first + position, run);
        }
    });
    stream::iter(runs).buffer_unordered(pace.jobs.max(1)).collect::<()>().await;
}

/// Where the runs' news come together: the reports, the heaviest end, the first fault of our own.
struct Desk {
    state: Mutex<DeskState>,
}

struct DeskState {
    reports: Reports,
    status: ExitStatus,
    fault: Option<Fatal>,
}

impl Desk {
    fn new(reports: Reports) -> Self {
        Self { state: Mutex::new(DeskState { reports, status: ExitStatus::Passed, fault: None }) }
    }

    fn event(&self, event: &RunEvent) {
        let mut state = self.state();
        let shown = state.reports.event(event);
        state.note(shown);
    }

    fn run(&self, position: usize, run: RunReport) {
        let mut state = self.state();
        state.status = state.status.max(status_of(&run));
        let shown = state.reports.run(position, run);
        state.note(shown);
    }

    fn complain(&self, fatal: Fatal) {
        self.state().fault.get_or_insert(fatal);
    }

    fn end(self, elapsed: Duration) -> Result<ExitStatus, Fatal> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let shown = state.reports.end(elapsed).map(drop);
        state.note(shown);
        state.fault.map_or(Ok(state.status), Err)
    }

    fn state(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeskState {
    /// Keeps the first fault: the others most likely follow from it.
    fn note(&mut self, shown: Result<(), ReportError>) {
        if let Err(error) = shown {
            let message = format!("cannot write the {} report to {}", error.kind.name(), error.to);
            let fatal = Fatal::new(ExitStatus::OurSide, message).because(&error.source);
            self.fault.get_or_insert(fatal);
        }
    }
}

fn status_of(run: &RunReport) -> ExitStatus {
    match (run.outcome, run.failure()) {
        (outcome, _) if outcome.is_good() => ExitStatus::Passed,
        (RunOutcome::Cancelled, _) => ExitStatus::Interrupted,
        (_, Some((_, failure))) => ExitStatus::of(failure.verdict),
        (RunOutcome::Error, None) => ExitStatus::OurSide,
        (_, None) => ExitStatus::CanaryFailed,
    }
}

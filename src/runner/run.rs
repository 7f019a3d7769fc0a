use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, AttemptEnd, Emitted};
use super::auth::oauth2::TokenCache;
use super::browser::BrowserPool;
use super::events::{EventLog, observed};
use super::policy::Trust;
use super::probe::Network;
use super::redaction::Redaction;
use super::request::RunRequest;
use super::reuse::ReuseCache;
use super::script::ScriptPlace;
use super::secrets::RunSecrets;
use super::settings::RunnerSettings;
use crate::canary::definition::{Canary, CanaryBody, RetryPolicy};
use crate::canary::event::{RunEvent, RunEventKind};
use crate::canary::report::{AttemptReport, RunId, RunOutcome, RunReport, Verdict};
use crate::telemetry::TraceId;
use crate::time::{Clock, Timestamp};

/// Makes runs. Cheap to clone; clones share trust anchors, tokens and browsers.
#[derive(Clone, Debug)]
pub struct Runner {
    parts: Arc<RunnerParts>,
}

/// What all runs of a runner share.
#[derive(Debug)]
pub(super) struct RunnerParts {
    pub(super) settings: RunnerSettings,
    pub(super) network: Arc<Network>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tokens: TokenCache,
    pub(super) reused: ReuseCache,
    /// For browser steps; a runner without them runs all others.
    pub(super) browsers: OnceLock<BrowserPool>,
}

/// What all parts of one run share.
#[derive(Debug)]
pub(super) struct RunContext {
    pub(super) id: RunId,
    pub(super) parts: Arc<RunnerParts>,
    pub(super) canary: Arc<Canary>,
    pub(super) trace: TraceId,
    pub(super) secrets: Arc<RunSecrets>,
    pub(super) events: EventLog,
    pub(super) redaction: Redaction,
    pub(super) cancel: CancellationToken,
}

impl Runner {
    /// A runner under these settings. Nothing is opened or loaded before it is needed.
    pub fn new(settings: RunnerSettings, clock: Arc<dyn Clock>) -> Self {
        let network = Arc::new(Network::new(settings.network.clone(), Arc::clone(&clock)));
        Self {
            parts: Arc::new(RunnerParts {
                settings,
                network,
                clock,
                tokens: TokenCache::default(),
                reused: ReuseCache::default(),
                browsers: OnceLock::new(),
            }),
        }
    }

    /// Gives the runner, and all its clones, browsers for browser steps; the first ones stay.
    #[must_use]
    pub fn with_browsers(self, browsers: BrowserPool) -> Self {
        self.parts.browsers.get_or_init(|| browsers);
        self
    }

    /// Where the code of scripts is run under the trust of this runner.
    pub fn script_place(&self) -> ScriptPlace {
        match self.parts.settings.network.policy.trust() {
            Trust::Full => ScriptPlace::Here,
            Trust::PullRequest => ScriptPlace::Worker(self.parts.settings.script_worker.0.clone()),
        }
    }

    pub(super) const fn parts(&self) -> &Arc<RunnerParts> {
        &self.parts
    }

    /// Ends its browsers and waits until nothing of them is left. Browser steps fail after.
    pub async fn close(&self) {
        if let Some(browsers) = self.parts.browsers.get() {
            browsers.close().await;
        }
    }

    /// Makes one run and reports it.
    ///
    /// `observer` gets each event in order, whenever the run yields; the last one is
    /// `RunFinished`. Each attempt ends by the canary's timeout; overrun is bounded by
    /// `step::GUARD`.
    /// Cancel safety: `request.cancel` ends the run with a report; dropping the future ends it
    /// without one. Neither leaves a task or a socket.
    pub async fn run(
        &self,
        request: RunRequest,
        observer: &mut (dyn FnMut(RunEvent) + Send),
    ) -> RunReport {
        let id = RunId(uuid::Uuid::new_v4().to_string().into());
        let run = Arc::new(RunContext::of(&self.parts, &request, id.clone()));
        observed(&run.events, observer, Box::pin(attempts(&run, &request, id))).await
    }
}

impl RunContext {
    pub(super) fn of(parts: &Arc<RunnerParts>, request: &RunRequest, id: RunId) -> Self {
        let settings = &parts.settings;
        let canary = Arc::clone(&request.canary);
        let trust = settings.network.policy.trust();
        let secrets = RunSecrets::of(&canary, trust, &settings.secrets, &settings.environment);
        let redaction = Redaction::default();
        redaction.learn(secrets.values().cloned());
        let log_lines_max = settings.limits.log_lines_max;
        Self {
            parts: Arc::clone(parts),
            trace: TraceId::new(parts.clock.now(), random_bytes()),
            secrets: Arc::new(secrets),
            events: EventLog::new(id.clone(), log_lines_max, Arc::clone(&parts.clock)),
            redaction,
            cancel: request.cancel.clone(),
            canary,
            id,
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }
}

fn random_bytes() -> [u8; 12] {
    let mut bytes = [0; 12];
    fastrand::fill(&mut bytes);
    bytes
}

/// Attempts until one passes, is not worth repeating, or none is left.
async fn attempts(run: &Arc<RunContext>, request: &RunRequest, id: RunId) -> RunReport {
    let clock = run.clock();
    let (started, begun) = (clock.now(), clock.monotonic());
    announce(run, request);
    let mut reports: Vec<AttemptReport> = Vec::new();
    let mut emitted = Emitted::default();
    let mut was_retried = false;
    loop {
        let number = u32::try_from(reports.len() + 1).unwrap_or(u32::MAX);
        let AttemptEnd { report, emitted: of_attempt, retried_step } =
            Attempt::make(run, request, number).await;
        // Numbers count once, of the attempt that decides; files of every attempt are evidence.
        emitted.metrics = of_attempt.metrics;
        emitted.annotations = of_attempt.annotations;
        emitted.artifacts.extend(of_attempt.artifacts);
        was_retried |= retried_step;
        let next = retry_in(run, &report);
        reports.push(report);
        let Some(retry_in) = next else { break };
        was_retried = true;
        let failure = reports.last().and_then(first_failure).map(Box::new);
        run.events.push(RunEventKind::AttemptFailed { attempt: number, failure, retry_in });
        tokio::select! {
            biased;
            () = run.cancel.cancelled() => break,
            () = tokio::time::sleep(retry_in) => {}
        }
    }
    let outcome = outcome(run, &reports, was_retried);
    let elapsed = clock.monotonic().since(begun);
    let count = u32::try_from(reports.len()).unwrap_or(u32::MAX);
    run.events.push(RunEventKind::RunFinished { outcome, elapsed, attempts: count });
    RunReport {
        id,
        canary: Arc::clone(&run.canary.name),
        file: run.canary.source.name().into(),
        parameters: shown_parameters(request),
        trace: run.trace,
        scheduled: scheduled(request, started),
        started,
        elapsed,
        outcome,
        attempts: reports,
        metrics: emitted.metrics,
        logs: run.events.take_lines(),
        annotations: emitted.annotations,
        artifacts: emitted.artifacts,
    }
}

fn announce(run: &RunContext, request: &RunRequest) {
    let steps = match &run.canary.body {
        CanaryBody::Steps(steps) => Some(steps.len()),
        CanaryBody::Script => None,
    };
    run.events.push(RunEventKind::RunStarted {
        canary: Arc::clone(&run.canary.name),
        file: run.canary.source.name().into(),
        parameters: shown_parameters(request),
        steps,
    });
}

fn scheduled(request: &RunRequest, started: Timestamp) -> Timestamp {
    request.scheduled.unwrap_or(started)
}

/// The combination as reports show it, and which repetition it is.
pub(super) fn shown_parameters(request: &RunRequest) -> BTreeMap<String, String> {
    let repetition = request.repetition.map(|number| ("repetition".to_owned(), number.to_string()));
    shown_combination(request).into_iter().chain(repetition).collect()
}

/// The combination as reports show it.
pub(super) fn shown_combination(request: &RunRequest) -> BTreeMap<String, String> {
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    request.parameters.iter().map(|(name, value)| (name.to_string(), shown(value))).collect()
}

fn first_failure(report: &AttemptReport) -> Option<crate::canary::report::Failure> {
    let of_step = report.steps.iter().find_map(|step| step.outcome.failure());
    of_step.or(report.failure.as_ref()).cloned()
}

/// When the next attempt starts, if there is one.
fn retry_in(run: &RunContext, report: &AttemptReport) -> Option<Duration> {
    let policy = &run.canary.retry;
    let attempts = policy.attempts.min(run.parts.settings.limits.attempts_max);
    let is_failure = matches!(report.outcome, RunOutcome::Failed | RunOutcome::Error);
    if !is_failure || report.number >= attempts || run.cancel.is_cancelled() {
        return None;
    }
    let verdict = first_failure(report)?.verdict;
    is_repeated(policy, verdict).then_some(policy.delay)
}

/// Whether a failure of this kind is worth another try.
pub(super) fn is_repeated(policy: &RetryPolicy, verdict: Verdict) -> bool {
    if policy.on.is_empty() {
        return matches!(verdict, Verdict::Target | Verdict::NoAnswer | Verdict::Visual);
    }
    policy.on.contains(&verdict)
}

fn outcome(run: &RunContext, reports: &[AttemptReport], was_retried: bool) -> RunOutcome {
    let last = reports.last().map_or(RunOutcome::Error, |report| report.outcome);
    match last {
        RunOutcome::Passed if was_retried => RunOutcome::Flaky,
        RunOutcome::Failed | RunOutcome::Error if run.cancel.is_cancelled() => {
            RunOutcome::Cancelled
        }
        other => other,
    }
}

//! The run's side: what a script asks for is done here, with its attempt, its secrets, its network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use super::SOURCE_BYTES_MAX;
use super::call::{Answered, Call, Note, Reply, Request, ScriptAnswer};
use super::failure::{ScriptError, place};
use crate::canary::action::Action;
use crate::canary::definition::{Step, StepRole};
use crate::canary::observation::Observation;
use crate::canary::report::{FileLocation, StepReport};
use crate::canary::script;
use crate::canary::secret::Redactor;
use crate::canary::template::{LookupError, Taint, TemplateContext};
use crate::runner::attempt::Attempt;
use crate::runner::files;
use crate::runner::run::RunContext;
use crate::runner::step::StepRecord;
use crate::telemetry::{Dimensions, MetricDatum, StandardUnit};
use crate::time::{Deadline, Monotonic, Timestamp};

/// BOUND: of metrics and annotations of one run.
const NOTES_MAX: usize = 1000;

/// BOUND: of one log line of a script.
const LOG_BYTES_MAX: usize = 64 * 1024;

/// Where a page action leaves what it saw.
pub(super) const SEEN: &str = "_seen";

/// What answers a running script.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) run: Arc<RunContext>,
    pub(super) state: Arc<AsyncMutex<State>>,
    notes: Arc<Mutex<Notes>>,
    secrets: Arc<Vec<(Arc<str>, Redactor)>>,
}

/// What one request at a time works on.
pub(super) struct State {
    pub(super) attempt: Attempt,
    /// The step under way.
    pub(super) current: Option<Current>,
    pub(super) reports: Vec<StepReport>,
    pub(super) ordinary: Deadline,
    pub(super) teardown: Deadline,
}

/// The step under way.
pub(super) struct Current {
    /// What a step of a file would be; its action is that of the call at hand.
    pub(super) step: Step,
    pub(super) record: StepRecord,
    pub(super) deadline: Deadline,
    pub(super) started: Timestamp,
    pub(super) begun: Monotonic,
}

/// What a script emits.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) metrics: Vec<MetricDatum>,
    pub(super) annotations: BTreeMap<String, Value>,
}

impl Host {
    pub(super) fn new(state: State) -> Self {
        let run = Arc::clone(&state.attempt.run);
        let secrets = run.canary.secrets.iter().filter_map(|declared| {
            let value = run.secrets.get(&declared.name).ok()?;
            Some((Arc::clone(&declared.name), Redactor::new([value])))
        });
        let secrets = Arc::new(secrets.collect());
        let state = Arc::new(AsyncMutex::new(state));
        Self { run, state, notes: Arc::default(), secrets }
    }

    /// What a script asks for.
    ///
    /// Cancel safety: what is dropped while it is done has left nothing behind.
    pub(super) async fn answer(&self, request: Request) -> Answered {
        match request {
            Request::Note(note) => self.note(note),
            Request::Environment { name } => self.environment(&name).await,
            Request::Module { path } => self.module(&path).await,
            Request::Begin(start) => self.begin(start).await,
            Request::End { failure } => self.end(failure).await,
            Request::Probe(call) => self.probe(call).await,
            Request::Page(call) => self.page(call).await.map(|()| Reply::Done),
            Request::Look(call) => {
                self.page(call).await?;
                let state = self.state.lock().await;
                let seen = state.attempt.scope.variable(SEEN).map(|seen| seen.value.clone());
                Ok(Reply::Value(seen.unwrap_or_default()))
            }
            Request::Sleep { duration } => {
                let state = self.state.lock().await;
                let Some(current) = &state.current else {
                    return Err(ScriptError::wrong("time.sleep belongs inside of a step"));
                };
                let slept = current.deadline.bound(tokio::time::sleep(duration)).await;
                slept.map(|()| Reply::Done).map_err(|_passed| ScriptError::OutOfTime)
            }
        }
    }

    /// What is done at once.
    pub(super) fn note(&self, note: Note) -> Answered {
        match note {
            Note::Log { level, mut text } => {
                if text.len() > LOG_BYTES_MAX {
                    text.truncate(text.floor_char_boundary(LOG_BYTES_MAX));
                    text.push_str("..");
                }
                self.run.events.log(level, self.run.redaction.text(&text));
                Ok(Reply::Done)
            }
            Note::Metric { name, number, unit } => self.metric(name, number, unit.as_deref()),
            Note::Annotate { key, note } => self.annotate(key, note),
            Note::Secret { name } => {
                let found = self.run.secrets.get(&name);
                let found = found
                    .map_err(|error| ScriptError::wrong(format!("secret `{name}` {error}")))?;
                Ok(Reply::Text(found.expose().to_owned()))
            }
        }
    }

    fn metric(&self, name: String, number: f64, unit: Option<&str>) -> Answered {
        let unit = match unit.map(str::parse::<StandardUnit>) {
            None => StandardUnit::None,
            Some(Ok(unit)) => unit,
            Some(Err(_unknown)) => {
                let problem = format!("`{}` is no unit of CloudWatch", unit.unwrap_or_default());
                return Err(ScriptError::wrong(problem));
            }
        };
        if !number.is_finite() || name.is_empty() || name.len() > 255 {
            return Err(ScriptError::wrong("a metric has a name and a finite value"));
        }
        let canary = Arc::clone(&self.run.canary.name);
        let dimensions = Dimensions::of([(Arc::from("CanaryName"), canary)]);
        let at = self.run.clock().now();
        let mut notes = self.notes();
        if notes.metrics.len() >= NOTES_MAX {
            return Err(ScriptError::wrong("a run emits at most 1000 metrics"));
        }
        notes.metrics.push(MetricDatum::sample(name, dimensions, at, (number, unit)));
        Ok(Reply::Done)
    }

    fn annotate(&self, key: String, mut note: Value) -> Answered {
        if let Value::String(text) = &mut note {
            *text = self.run.redaction.text(text);
        }
        let mut notes = self.notes();
        if notes.annotations.len() >= NOTES_MAX {
            return Err(ScriptError::wrong("a run has at most 1000 annotations"));
        }
        notes.annotations.insert(key, note);
        Ok(Reply::Done)
    }

    async fn environment(&self, name: &str) -> Answered {
        match self.state.lock().await.attempt.scope.environment(name) {
            Ok(text) => Ok(Reply::Text(text)),
            Err(LookupError::Undefined) => Ok(Reply::Unset),
            Err(error) => Err(ScriptError::wrong(format!("environment variable `{name}` {error}"))),
        }
    }

    async fn module(&self, path: &str) -> Answered {
        let bytes_max = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
        let folder = &self.run.canary.folder;
        let text = match files::read_inside(folder, Path::new(path), bytes_max).await {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| "it is not text".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Ok(Reply::Module(text))
    }

    async fn probe(&self, Call { key, what, line }: Call) -> Answered {
        let action = script::action(&key, &what, &|text| self.secrets_in(text));
        let action = action.map_err(|faults| ScriptError::of_faults(&key, &faults))?;
        let seen = self.perform(action, line).await?;
        let seen = seen.ok_or_else(|| ScriptError::wrong("there is no answer to look at"))?;
        Ok(Reply::Answer(Box::new(ScriptAnswer::of(&seen))))
    }

    async fn page(&self, Call { key, what, line }: Call) -> Result<(), ScriptError> {
        let actions = script::page_action(&key, &what, &|text| self.secrets_in(text));
        let actions =
            actions.map_err(|faults| ScriptError::of_faults(&format!("page:{key}"), &faults))?;
        self.perform(Action::Browser(actions), line).await.map(drop)
    }

    /// Does what a step of a file would do. What the action knows of places is of no text that a
    /// person can open; `line` is where the script asked for it.
    async fn perform(
        &self,
        action: Action,
        line: Option<usize>,
    ) -> Result<Option<Observation>, ScriptError> {
        let mut state = self.state.lock().await;
        let State { attempt, current, .. } = &mut *state;
        let Some(current) = current else {
            return Err(ScriptError::wrong("this belongs inside of a step"));
        };
        let step = Step { action, ..current.step.clone() };
        let done = attempt.perform(&step, &mut current.record, current.deadline).await;
        done.map_err(|mut failure| {
            let at = self.place(line);
            for assertion in &mut failure.assertions {
                assertion.location.clone_from(&at);
            }
            failure.location = at;
            ScriptError::Failed(failure)
        })
    }

    pub(super) fn place(&self, line: Option<usize>) -> Option<FileLocation> {
        Some(place(self.run.canary.source.name(), line?))
    }

    /// The secrets in a text, in whatever encoding: a script may have changed them.
    pub(super) fn secrets_in(&self, text: &str) -> Taint {
        let mut taint = Taint::default();
        for (name, redactor) in self.secrets.iter() {
            if matches!(redactor.text(text), std::borrow::Cow::Owned(_)) {
                taint.names.insert(Arc::clone(name));
            }
        }
        taint
    }

    /// By when the script must be heard of again, and what else ends its wait: a teardown step has
    /// its time whatever happens to the run.
    pub(super) async fn patience(&self) -> (Deadline, Option<CancellationToken>) {
        let state = self.state.lock().await;
        match &state.current {
            None => (state.teardown, None),
            Some(current) => {
                let ends =
                    (current.step.role == StepRole::Ordinary).then(|| self.run.cancel.clone());
                (current.deadline, ends)
            }
        }
    }

    pub(super) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file's own name: paths of the machine are nobody's business.
pub(super) fn chunk_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

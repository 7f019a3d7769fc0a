use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mlua::Lua;
use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use super::failure::{ScriptError, place};
use super::sandbox::{TimeLimit, calling_line};
use crate::canary::action::Action;
use crate::canary::definition::Step;
use crate::canary::observation::Observation;
use crate::canary::report::{FileLocation, StepReport};
use crate::canary::secret::Redactor;
use crate::canary::template::Taint;
use crate::runner::attempt::Attempt;
use crate::runner::run::RunContext;
use crate::runner::step::StepRecord;
use crate::telemetry::MetricDatum;
use crate::time::{Deadline, Monotonic, Timestamp};

/// What the functions of a running script share.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) run: Arc<RunContext>,
    pub(super) state: Arc<AsyncMutex<State>>,
    pub(super) notes: Arc<Mutex<Notes>>,
    pub(super) limit: TimeLimit,
    pub(super) parameters: Arc<BTreeMap<Arc<str>, Value>>,
    secrets: Arc<Vec<(Arc<str>, Redactor)>>,
    /// The script's name in the texts of the machine.
    pub(super) chunk: Arc<str>,
}

/// What one function at a time works on.
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
    pub(super) fn new(state: State, limit: TimeLimit) -> Self {
        let run = Arc::clone(&state.attempt.run);
        let secrets = run.canary.secrets.iter().filter_map(|declared| {
            let value = run.secrets.get(&declared.name).ok()?;
            Some((Arc::clone(&declared.name), Redactor::new([value])))
        });
        let secrets = Arc::new(secrets.collect());
        let parameters = Arc::new(state.attempt.scope.values());
        let chunk = chunk_name(run.canary.source.name()).into();
        let state = Arc::new(AsyncMutex::new(state));
        let notes = Arc::default();
        Self { run, state, notes, limit, parameters, secrets, chunk }
    }

    /// Does what a step of a file would do. What the action knows of places is of no text that a
    /// person can open; `at` is where the script asked for it.
    pub(super) async fn perform(
        &self,
        action: Action,
        at: Option<FileLocation>,
    ) -> mlua::Result<Option<Observation>> {
        let mut state = self.state.lock().await;
        let State { attempt, current, .. } = &mut *state;
        let Some(current) = current else {
            return Err(ScriptError::misuse("this belongs inside of a step"));
        };
        let step = Step { action, ..current.step.clone() };
        let done = attempt.perform(&step, &mut current.record, current.deadline).await;
        done.map_err(|mut failure| {
            for assertion in &mut failure.assertions {
                assertion.location.clone_from(&at);
            }
            failure.location = at;
            ScriptError::Failed(failure).into()
        })
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

    pub(super) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where in the script a call came from.
    pub(super) fn here(&self, lua: &Lua) -> Option<FileLocation> {
        let line = calling_line(lua, &self.chunk)?;
        Some(place(self.run.canary.source.name(), line))
    }
}

/// The file's own name: paths of the machine are nobody's business.
pub(super) fn chunk_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::audit::{self, AuditTrail};
use super::auth::Caller;
use super::error::ApiError;
use super::logs::RunningQueries;
use super::service::Effect;
use super::{ApiState, fault};
use crate::store::{AppendError, Page, ReadError, ResourceChanges};
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::Timestamp;

/// One call of one operation: who, when, and the state it works on. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Call {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: ApiState,
    beside: Beside,
    facts: CallFacts,
    audited: AtomicBool,
    resources: Mutex<Vec<(Arc<str>, Arc<str>)>>,
}

/// What runs beside the calls.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    /// Where records of calls go.
    pub(super) trail: AuditTrail,
    /// The queries under way.
    pub(super) queries: RunningQueries,
    /// The export tasks under way.
    pub(super) exports: RunningQueries,
    /// The live tails under way.
    pub(super) tails: RunningQueries,
}

/// What is known about a call before its operation runs.
#[derive(Clone, Debug)]
pub(super) struct CallFacts {
    /// The service's name in audit records.
    pub(super) event_source: &'static str,
    /// The operation.
    pub(super) operation: &'static str,
    /// What it does to the state.
    pub(super) effect: Effect,
    /// Who calls.
    pub(super) caller: Caller,
    /// The request's id.
    pub(super) request_id: String,
    /// When it came.
    pub(super) at: Timestamp,
    /// From where, when that is known.
    pub(super) source_address: Option<IpAddr>,
    /// The name and port by which the client reached the server.
    pub(super) host: Option<String>,
    /// What the client calls itself.
    pub(super) user_agent: Option<String>,
    /// The input as its audit record shows it.
    pub(super) parameters: Value,
}

impl Call {
    /// A call with these facts.
    pub(super) fn new(state: ApiState, beside: Beside, facts: CallFacts) -> Self {
        let (audited, resources) = (AtomicBool::new(false), Mutex::default());
        Self { shared: Arc::new(Shared { state, beside, facts, audited, resources }) }
    }

    /// The account and region it works in.
    pub(super) fn scope(&self) -> &Scope {
        &self.shared.facts.caller.scope
    }

    /// When it came.
    pub(super) fn now(&self) -> Timestamp {
        self.shared.facts.at
    }

    /// What is known about it.
    pub(super) fn facts(&self) -> &CallFacts {
        &self.shared.facts
    }

    /// The state it works on.
    pub(super) fn state(&self) -> &ApiState {
        &self.shared.state
    }

    /// Makes telemetry durable, together with the record of this call.
    ///
    /// Errors: those of the store, as the caller is told them.
    pub(super) async fn append(&self, batch: TelemetryBatch) -> Answer<()> {
        self.append_with(batch, None).await.map_err(ApiError::from)
    }

    /// Takes log events with what follows from them, together with the record of this call.
    ///
    /// Errors: those of the store, as the caller is told them.
    pub(super) async fn ingest(&self, mut batch: TelemetryBatch) -> Answer<()> {
        let rules = self.state().monitor.logs();
        let absorbed = rules.absorb(&mut batch)?;
        let changes = (!absorbed.changes.is_empty()).then(|| absorbed.changes.clone());
        self.append_with(batch, changes).await?;
        rules.appended(absorbed);
        Ok(())
    }

    /// Makes changes of resources durable, together with the record of this call.
    ///
    /// Errors: the store's, so that an operation can say in its own words what exists or does not.
    pub(super) async fn apply(&self, changes: ResourceChanges) -> Result<(), AppendError> {
        self.append_with(TelemetryBatch::new(self.scope().clone()), Some(changes)).await
    }

    async fn append_with(
        &self,
        mut batch: TelemetryBatch,
        changes: Option<ResourceChanges>,
    ) -> Result<(), AppendError> {
        let selection = self.shared.state.settings.audit;
        let recorded = audit::is_selected(self.facts().effect, selection) && !self.is_audited();
        if recorded {
            let record = audit::record(self, None);
            let trails = self.state().monitor.trails();
            trails.note(&batch.scope, &record);
            batch.events.extend(trails.event(&batch.scope, &record));
            batch.audit.push(record);
        }
        let store = &self.shared.state.store;
        match changes {
            Some(changes) => store.append_with(batch, changes).await?,
            None => store.append(batch).await?,
        };
        if recorded {
            self.shared.audited.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Every resource of a kind in the caller's scope whose name starts with `prefix`, by name.
    ///
    /// Errors: those of the store, as the caller is told them.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        kind: &str,
        prefix: &str,
    ) -> Answer<Vec<(String, T)>> {
        let page = Page { prefix, ..Page::ALL };
        Ok(self.state().store.resources().list(self.scope(), kind, &page).await?)
    }

    /// The resource of a name in the caller's scope.
    ///
    /// Errors: those of the store, as the caller is told them.
    pub(super) async fn one<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Answer<Option<T>> {
        Ok(self.state().store.resources().get(self.scope(), kind, name).await?)
    }

    /// Records how the call ended, unless what it appended holds its record already.
    pub(super) async fn finish(&self, refused: Option<&ApiError>) {
        let selection = self.shared.state.settings.audit;
        if audit::is_selected(self.facts().effect, selection) && !self.is_audited() {
            self.shared.beside.trail.add(self.scope(), audit::record(self, refused)).await;
        }
    }

    /// The trail that records of calls go to.
    pub(super) fn trail(&self) -> &AuditTrail {
        &self.shared.beside.trail
    }

    /// The queries under way.
    pub(super) fn queries(&self) -> &RunningQueries {
        &self.shared.beside.queries
    }

    /// The export tasks under way.
    pub(super) fn exports(&self) -> &RunningQueries {
        &self.shared.beside.exports
    }

    /// The live tails under way.
    pub(super) fn tails(&self) -> &RunningQueries {
        &self.shared.beside.tails
    }

    fn is_audited(&self) -> bool {
        self.shared.audited.load(Ordering::Relaxed)
    }

    /// Says that it concerns a resource, for its audit record.
    pub(super) fn concerns(&self, kind: &str, name: &str) {
        let mut resources = self.shared.resources.lock().unwrap_or_else(PoisonError::into_inner);
        resources.push((kind.into(), name.into()));
    }

    /// The resources it concerns.
    pub(super) fn resources(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.shared.resources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What an operation answers.
pub(super) type Answer<T> = Result<T, ApiError>;

/// How long a caller is asked to wait when the store is busy.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// How long a caller is asked to wait when the disk is full.
const READ_ONLY_WAIT: Duration = Duration::from_secs(30);

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        let message = error.to_string();
        match error {
            AppendError::Busy | AppendError::Stopped => {
                fault::UNAVAILABLE.because(message).after(BUSY_WAIT)
            }
            AppendError::ReadOnly => fault::UNAVAILABLE.because(message).after(READ_ONLY_WAIT),
            AppendError::TooLarge { .. } => fault::TOO_LARGE.because(message),
            AppendError::TooManySeries { .. } => fault::LIMIT_EXCEEDED.because(message),
            AppendError::Conflict { .. }
            | AppendError::Missing { .. }
            | AppendError::Body { .. } => fault::INTERNAL.because(message),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Token => fault::VALIDATION.because("The specified nextToken is invalid."),
            ReadError::Stopped => fault::UNAVAILABLE.because(error.to_string()).after(BUSY_WAIT),
            other => {
                tracing::error!(fault = %other, "store cannot be read");
                fault::INTERNAL.because("the store cannot be read")
            }
        }
    }
}

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::ApiState;
use super::auth::Caller;
use super::error::ApiError;
use super::service::Effect;
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// One call of one operation: who, when, and the state it works on. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Call {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: ApiState,
    facts: CallFacts,
    resources: Mutex<Vec<(Arc<str>, Arc<str>)>>,
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
    /// What the client calls itself.
    pub(super) user_agent: Option<String>,
}

impl Call {
    /// A call with these facts.
    pub(super) fn new(state: ApiState, facts: CallFacts) -> Self {
        Self { shared: Arc::new(Shared { state, facts, resources: Mutex::default() }) }
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

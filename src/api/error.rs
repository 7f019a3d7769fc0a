use std::time::Duration;

use serde_json::Value;

/// A kind of refusal: an error shape of a service model.
///
/// The shape is what JSON, CBOR and REST clients see as the code; `query_code` is what Query
/// clients, and JSON or CBOR clients of services that once spoke Query, see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The shape's name: `InvalidParameterValueException`.
    pub(super) shape: &'static str,
    /// Its code in the Query protocol: `InvalidParameterValue`.
    pub(super) query_code: &'static str,
    /// Its modelled HTTP status.
    pub(super) status: u16,
}

impl Fault {
    /// A fault whose code is its shape's name in every protocol.
    pub(super) const fn plain(shape: &'static str, status: u16) -> Self {
        Self { shape, query_code: shape, status }
    }

    /// A fault with a code of its own in the Query protocol.
    pub(super) const fn coded(shape: &'static str, query_code: &'static str, status: u16) -> Self {
        Self { shape, query_code, status }
    }

    /// A refusal of this kind, and what the caller is told.
    pub(super) fn because(self, message: impl Into<String>) -> ApiError {
        ApiError { fault: self, message: message.into(), members: Vec::new(), retry_after: None }
    }

    /// Whose fault it is, as the Query protocol says it.
    pub(super) const fn side(self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }
}

/// A refused call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiError {
    /// What kind of refusal.
    pub(super) fault: Fault,
    /// What the caller is told.
    pub(super) message: String,
    /// Further members of the error shape.
    pub(super) members: Vec<(&'static str, Value)>,
    /// When to try again.
    pub(super) retry_after: Option<Duration>,
}

impl ApiError {
    /// Adds a member of the error shape.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Answers with another HTTP status than the fault's own.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.fault.status = status;
        self
    }

    /// Says when to try again.
    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

use std::time::Duration;

use serde_json::{Map, Value};

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
        ApiError { fault: self, message: message.into(), members: Map::new(), retry_after: None }
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
    pub(super) members: Map<String, Value>,
    /// When to try again.
    pub(super) retry_after: Option<Duration>,
}

impl ApiError {
    /// Adds a member of the error shape.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
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

/// Faults that any service answers with.
pub(super) mod common {
    use super::Fault;

    /// No such operation, or none that this server supports.
    pub(in crate::api) const UNKNOWN_OPERATION: Fault =
        Fault::coded("UnknownOperationException", "InvalidAction", 400);
    /// The body is not in the protocol it claims.
    pub(in crate::api) const SERIALIZATION: Fault =
        Fault::coded("SerializationException", "MalformedInput", 400);
    /// The request validator's refusal.
    pub(in crate::api) const VALIDATION: Fault =
        Fault::coded("ValidationException", "ValidationError", 400);
    /// More bytes than the operation takes.
    pub(in crate::api) const TOO_LARGE: Fault =
        Fault::coded("RequestEntityTooLargeException", "RequestEntityTooLarge", 413);
    /// The store takes nothing now.
    pub(in crate::api) const UNAVAILABLE: Fault =
        Fault::coded("ServiceUnavailableException", "ServiceUnavailable", 503);
    /// Our own fault.
    pub(in crate::api) const INTERNAL: Fault =
        Fault::coded("InternalServerError", "InternalFailure", 500);
    /// The caller may not.
    pub(in crate::api) const ACCESS_DENIED: Fault =
        Fault::coded("AccessDeniedException", "AccessDenied", 403);
    /// No credentials where some are required.
    pub(in crate::api) const MISSING_TOKEN: Fault =
        Fault::coded("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403);
    /// A signature that lacks a part.
    pub(in crate::api) const INCOMPLETE_SIGNATURE: Fault =
        Fault::coded("IncompleteSignatureException", "IncompleteSignature", 400);
    /// A key that nobody has.
    pub(in crate::api) const UNRECOGNIZED_CLIENT: Fault =
        Fault::coded("UnrecognizedClientException", "InvalidClientTokenId", 403);
    /// A signature that does not fit the request.
    pub(in crate::api) const INVALID_SIGNATURE: Fault =
        Fault::coded("InvalidSignatureException", "SignatureDoesNotMatch", 403);
    /// A session that has ended.
    pub(in crate::api) const EXPIRED_TOKEN: Fault =
        Fault::coded("ExpiredTokenException", "ExpiredToken", 403);
}

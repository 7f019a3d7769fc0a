//! The error shapes of EventBridge Schemas: each has a `Code` beside its message.
//!
//! Source: Schemas service model.

use crate::api::error::{ApiError, Fault};
use crate::api::page::BadToken;
use crate::bus::{BusError, RefusalKind};

pub(super) const BAD_REQUEST: Fault = Fault::plain("BadRequestException", 400);
const FORBIDDEN: Fault = Fault::plain("ForbiddenException", 403);
const NOT_FOUND: Fault = Fault::plain("NotFoundException", 404);
const CONFLICT: Fault = Fault::plain("ConflictException", 409);
const PRECONDITION: Fault = Fault::plain("PreconditionFailedException", 412);

/// A refused input.
pub(super) fn bad_request(why: impl Into<String>) -> ApiError {
    BAD_REQUEST.because(why).with("Code", "BadRequest")
}

/// What is named is not there.
pub(super) fn not_found(why: impl Into<String>) -> ApiError {
    NOT_FOUND.because(why).with("Code", "NotFound")
}

/// A revision that is not the one in force.
pub(super) fn precondition(why: impl Into<String>) -> ApiError {
    PRECONDITION.because(why).with("Code", "PreconditionFailed")
}

/// How the bus's refusal is told.
pub(super) fn refused(error: BusError) -> ApiError {
    match error {
        BusError::Refused { kind, message } => match kind {
            RefusalKind::NotFound => not_found(message),
            RefusalKind::AlreadyExists => CONFLICT.because(message).with("Code", "Conflict"),
            RefusalKind::AccessDenied | RefusalKind::LimitExceeded => {
                FORBIDDEN.because(message).with("Code", "Forbidden")
            }
            RefusalKind::IllegalStatus => precondition(message),
            RefusalKind::Invalid | RefusalKind::InvalidPattern | RefusalKind::PolicyTooLong => {
                bad_request(message)
            }
        },
        BusError::Append(error) => error.into(),
        BusError::Read(error) => error.into(),
    }
}

/// A page token of another listing.
pub(super) fn bad_token(_token: BadToken) -> ApiError {
    bad_request("The nextToken is not valid.")
}

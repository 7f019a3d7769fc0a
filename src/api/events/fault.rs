//! The error shapes of EventBridge.
//!
//! Source: EventBridge service model.

use crate::api::error::{ApiError, Fault};
use crate::bus::{BusError, RefusalKind};

/// The request validator's refusal.
pub(super) const VALIDATION: Fault = Fault::plain("ValidationException", 400);
/// What is named is not there.
const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 400);
const ALREADY_EXISTS: Fault = Fault::plain("ResourceAlreadyExistsException", 400);
const INVALID_PATTERN: Fault = Fault::plain("InvalidEventPatternException", 400);
const LIMIT_EXCEEDED: Fault = Fault::plain("LimitExceededException", 400);
const ILLEGAL_STATUS: Fault = Fault::plain("IllegalStatusException", 400);
const POLICY_TOO_LONG: Fault = Fault::plain("PolicyLengthExceededException", 400);
const ACCESS_DENIED: Fault = Fault::plain("AccessDeniedException", 400);

/// Refuses to list by more than one of name prefix, source and state.
pub(super) fn at_most_one(operation: &str, filters: [bool; 3]) -> Result<(), ApiError> {
    if filters.iter().filter(|is_given| **is_given).count() > 1 {
        let why = format!(
            "At most one filter is allowed for {operation}. Use either : State, EventSourceArn, \
             or NamePrefix."
        );
        return Err(VALIDATION.because(why));
    }
    Ok(())
}

impl From<BusError> for ApiError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Refused { kind, message } => {
                let fault = match kind {
                    RefusalKind::NotFound => NOT_FOUND,
                    RefusalKind::AlreadyExists => ALREADY_EXISTS,
                    RefusalKind::Invalid => VALIDATION,
                    RefusalKind::InvalidPattern => INVALID_PATTERN,
                    RefusalKind::LimitExceeded => LIMIT_EXCEEDED,
                    RefusalKind::IllegalStatus => ILLEGAL_STATUS,
                    RefusalKind::PolicyTooLong => POLICY_TOO_LONG,
                    RefusalKind::AccessDenied => ACCESS_DENIED,
                };
                fault.because(message)
            }
            BusError::Append(error) => error.into(),
            BusError::Read(error) => error.into(),
        }
    }
}

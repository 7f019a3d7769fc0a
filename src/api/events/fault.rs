//! The error shapes of EventBridge.
//!
//! Source: EventBridge service model.

use crate::api::error::Fault;

/// The request validator's refusal.
pub(super) const VALIDATION: Fault = Fault::plain("ValidationException", 400);
/// No such bus.
pub(super) const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 400);
/// It exists already.
pub(super) const ALREADY_EXISTS: Fault = Fault::plain("ResourceAlreadyExistsException", 400);

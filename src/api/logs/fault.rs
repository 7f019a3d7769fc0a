//! The error shapes of CloudWatch Logs, with the sentences AWS says with them.
//!
//! Source: CloudWatch Logs service model; sentences as recorded.

use crate::api::error::{ApiError, Fault};

/// A bad, missing or excluded parameter.
pub(super) const INVALID_PARAMETER: Fault = Fault::plain("InvalidParameterException", 400);
/// No such group, stream, filter or policy.
pub(super) const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 400);
/// It exists already.
pub(super) const ALREADY_EXISTS: Fault = Fault::plain("ResourceAlreadyExistsException", 400);
/// More than there may be.
pub(super) const LIMIT_EXCEEDED: Fault = Fault::plain("LimitExceededException", 400);
/// Two changes that exclude each other.
pub(super) const OPERATION_ABORTED: Fault = Fault::plain("OperationAbortedException", 400);
/// Not in the state that it is in.
pub(super) const INVALID_OPERATION: Fault = Fault::plain("InvalidOperationException", 400);
/// A query's text is none.
pub(super) const MALFORMED_QUERY: Fault = Fault::plain("MalformedQueryException", 400);
/// The newer operations' refusal.
pub(super) const VALIDATION: Fault = Fault::plain("ValidationException", 400);

/// The group is not there.
pub(super) fn no_group() -> ApiError {
    NOT_FOUND.because("The specified log group does not exist.")
}

/// The stream is not there.
pub(super) fn no_stream() -> ApiError {
    NOT_FOUND.because("The specified log stream does not exist.")
}

/// A page token that this server did not make.
pub(super) fn bad_token() -> ApiError {
    INVALID_PARAMETER.because("The specified nextToken is invalid.")
}

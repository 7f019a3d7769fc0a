//! Faults that any service answers with.

use super::error::Fault;

/// No such operation, or none that this server supports.
pub(super) const UNKNOWN_OPERATION: Fault =
    Fault::coded("UnknownOperationException", "InvalidAction", 400);
/// The body is not in the protocol it claims.
pub(super) const SERIALIZATION: Fault =
    Fault::coded("SerializationException", "MalformedInput", 400);
/// The request validator's refusal.
pub(super) const VALIDATION: Fault = Fault::coded("ValidationException", "ValidationError", 400);
/// More bytes than the operation takes.
pub(super) const TOO_LARGE: Fault =
    Fault::coded("RequestEntityTooLargeException", "RequestEntityTooLarge", 413);
/// There are as many of something as there may be.
pub(super) const LIMIT_EXCEEDED: Fault =
    Fault::coded("LimitExceededException", "LimitExceeded", 400);
/// The store takes nothing now.
pub(super) const UNAVAILABLE: Fault =
    Fault::coded("ServiceUnavailableException", "ServiceUnavailable", 503);
/// Our own fault.
pub(super) const INTERNAL: Fault = Fault::coded("InternalServerError", "InternalFailure", 500);
/// The caller may not.
pub(super) const ACCESS_DENIED: Fault = Fault::coded("AccessDeniedException", "AccessDenied", 403);
/// No credentials where some are required.
pub(super) const MISSING_TOKEN: Fault =
    Fault::coded("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403);
/// A signature that lacks a part.
pub(super) const INCOMPLETE_SIGNATURE: Fault =
    Fault::coded("IncompleteSignatureException", "IncompleteSignature", 400);
/// A key that nobody has.
pub(super) const UNRECOGNIZED_CLIENT: Fault =
    Fault::coded("UnrecognizedClientException", "InvalidClientTokenId", 403);
/// A signature that does not fit the request.
pub(super) const INVALID_SIGNATURE: Fault =
    Fault::coded("InvalidSignatureException", "SignatureDoesNotMatch", 403);
/// A session that has ended.
pub(super) const EXPIRED_TOKEN: Fault = Fault::coded("ExpiredTokenException", "ExpiredToken", 403);

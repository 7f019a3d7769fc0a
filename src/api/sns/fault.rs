//! The error shapes of SNS.
//!
//! Source: SNS service model; the codes beside the shapes are those of its forms.

use crate::api::call::Call;
use crate::api::error::{ApiError, Fault};
use crate::bus::topic::{TopicError, Topics};

/// The request validator's refusal.
pub(super) const VALIDATION: Fault = Fault::coded("ValidationException", "ValidationError", 400);
pub(super) const NOT_FOUND: Fault = Fault::coded("NotFoundException", "NotFound", 404);
pub(super) const NO_RESOURCE: Fault =
    Fault::coded("ResourceNotFoundException", "ResourceNotFound", 404);
pub(super) const PARAMETER: Fault =
    Fault::coded("InvalidParameterException", "InvalidParameter", 400);
pub(super) const EMPTY_BATCH: Fault =
    Fault::coded("EmptyBatchRequestException", "EmptyBatchRequest", 400);
pub(super) const TOO_MANY: Fault =
    Fault::coded("TooManyEntriesInBatchRequestException", "TooManyEntriesInBatchRequest", 400);
pub(super) const NOT_DISTINCT: Fault =
    Fault::coded("BatchEntryIdsNotDistinctException", "BatchEntryIdsNotDistinct", 400);

impl From<TopicError> for ApiError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::NoTopic => NOT_FOUND.because("Topic does not exist"),
            TopicError::NoSubscription => NOT_FOUND.because("Subscription does not exist"),
            TopicError::Parameter { reason } => {
                PARAMETER.because(format!("Invalid parameter: {reason}"))
            }
            TopicError::Append(error) => error.into(),
            TopicError::Read(error) => error.into(),
        }
    }
}

/// The topics.
pub(super) fn handle(call: &Call) -> &Topics {
    call.state().bus.topics()
}

/// The name in a topic's ARN of this account and region.
pub(super) fn topic_of<'a>(call: &Call, arn: &'a str) -> Result<&'a str, ApiError> {
    if !arn.starts_with("arn:") || arn.splitn(6, ':').count() < 6 {
        let why = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements";
        return Err(PARAMETER.because(why));
    }
    let own = call.scope().arn("sns", "");
    arn.strip_prefix(&own).ok_or_else(|| NOT_FOUND.because("Topic does not exist"))
}

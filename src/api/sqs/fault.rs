//! The error shapes of SQS.
//!
//! Source: SQS service model; the codes beside the shapes are those of its forms.

use crate::api::error::{ApiError, Fault};
use crate::api::fault::UNAVAILABLE;
use crate::bus::queue::QueueError;

const fn coded(shape: &'static str, query_code: &'static str) -> Fault {
    Fault::coded(shape, query_code, 400)
}

pub(super) const MISSING: Fault =
    coded("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue");
pub(super) const MISSING_PARAMETER: Fault = coded("MissingParameter", "MissingParameter");
pub(super) const INVALID_PARAMETER: Fault = coded("InvalidParameterValue", "InvalidParameterValue");
pub(super) const EMPTY_BATCH: Fault =
    coded("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest");
pub(super) const TOO_MANY: Fault =
    coded("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest");
pub(super) const NOT_DISTINCT: Fault =
    coded("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
pub(super) const BATCH_ID: Fault =
    coded("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId");
pub(super) const BATCH_TOO_LONG: Fault =
    coded("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong");
pub(super) const CONTENTS: Fault = coded("InvalidMessageContents", "InvalidMessageContents");
pub(super) const ATTRIBUTE_NAME: Fault = coded("InvalidAttributeName", "InvalidAttributeName");
const ATTRIBUTE_VALUE: Fault = coded("InvalidAttributeValue", "InvalidAttributeValue");
const EXISTS: Fault = coded("QueueNameExists", "QueueAlreadyExists");
const RECEIPT: Fault = coded("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid");
const NOT_IN_FLIGHT: Fault =
    coded("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight");
const PURGED_LATELY: Fault =
    coded("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress");
const OVER_LIMIT: Fault = coded("OverLimit", "OverLimit");

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Missing => MISSING.because("The specified queue does not exist."),
            QueueError::Exists { attribute } => EXISTS.because(format!(
                "A queue already exists with the same name and a different value for attribute \
                 {attribute}"
            )),
            QueueError::AttributeName { name } => {
                ATTRIBUTE_NAME.because(format!("Unknown Attribute {name}."))
            }
            QueueError::AttributeValue { name } => {
                ATTRIBUTE_VALUE.because(format!("Invalid value for the parameter {name}."))
            }
            QueueError::Parameter { reason } => INVALID_PARAMETER.because(reason),
            QueueError::MissingParameter { name } => {
                MISSING_PARAMETER.because(format!("The request must contain the parameter {name}."))
            }
            QueueError::Receipt => RECEIPT.because("The input receipt handle is invalid."),
            QueueError::NotInFlight => NOT_IN_FLIGHT.because(
                "Value for parameter VisibilityTimeout is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
            ),
            QueueError::Full { .. } => OVER_LIMIT.because(error.to_string()),
            QueueError::PurgedLately => {
                PURGED_LATELY.because("Only one PurgeQueue operation is allowed every 60 seconds.")
            }
            QueueError::Append(error) => error.into(),
            QueueError::Read(error) => {
                tracing::error!(fault = %error, "queue cannot be read");
                UNAVAILABLE.because("the queue cannot be read")
            }
        }
    }
}

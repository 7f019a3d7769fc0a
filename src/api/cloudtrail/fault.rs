//! The error shapes of CloudTrail.
//!
//! Source: CloudTrail service model.

use crate::api::error::{ApiError, Fault};
use crate::api::fault;
use crate::monitor::TrailError;

pub(super) const INVALID_LOOKUP_ATTRIBUTES: Fault =
    Fault::plain("InvalidLookupAttributesException", 400);
pub(super) const INVALID_TIME_RANGE: Fault = Fault::plain("InvalidTimeRangeException", 400);
pub(super) const INVALID_MAX_RESULTS: Fault = Fault::plain("InvalidMaxResultsException", 400);
pub(super) const INVALID_NEXT_TOKEN: Fault = Fault::plain("InvalidNextTokenException", 400);
pub(super) const INVALID_TOKEN: Fault = Fault::plain("InvalidTokenException", 400);
pub(super) const INVALID_EVENT_CATEGORY: Fault = Fault::plain("InvalidEventCategoryException", 400);
pub(super) const INVALID_TRAIL_NAME: Fault = Fault::plain("InvalidTrailNameException", 400);
pub(super) const INVALID_ARN: Fault = Fault::plain("CloudTrailARNInvalidException", 400);
pub(super) const INVALID_BUCKET: Fault = Fault::plain("InvalidS3BucketNameException", 400);
pub(super) const INVALID_PREFIX: Fault = Fault::plain("InvalidS3PrefixException", 400);
pub(super) const INVALID_SELECTORS: Fault = Fault::plain("InvalidEventSelectorsException", 400);
pub(super) const INVALID_INSIGHTS: Fault = Fault::plain("InvalidInsightSelectorsException", 400);
pub(super) const INSIGHT_NOT_ENABLED: Fault = Fault::plain("InsightNotEnabledException", 400);
pub(super) const INVALID_COMBINATION: Fault =
    Fault::plain("InvalidParameterCombinationException", 400);
pub(super) const INVALID_LOG_GROUP: Fault =
    Fault::plain("InvalidCloudWatchLogsLogGroupArnException", 400);
pub(super) const INVALID_LOG_ROLE: Fault =
    Fault::plain("InvalidCloudWatchLogsRoleArnException", 400);
pub(super) const INVALID_HOME_REGION: Fault = Fault::plain("InvalidHomeRegionException", 400);
pub(super) const INVALID_TAG: Fault = Fault::plain("InvalidTagParameterException", 400);
pub(super) const TAGS_LIMIT: Fault = Fault::plain("TagsLimitExceededException", 400);
pub(super) const RESOURCE_NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 400);
pub(super) const RESOURCE_TYPE: Fault = Fault::plain("ResourceTypeNotSupportedException", 400);
pub(super) const UNSUPPORTED: Fault = Fault::plain("UnsupportedOperationException", 400);
const ALREADY_EXISTS: Fault = Fault::plain("TrailAlreadyExistsException", 400);
const NOT_FOUND: Fault = Fault::plain("TrailNotFoundException", 400);
const TOO_MANY: Fault = Fault::plain("MaximumNumberOfTrailsExceededException", 400);

/// There is no such trail.
pub(super) fn unknown_trail(name: &str, account: &str) -> ApiError {
    NOT_FOUND.because(format!("Unknown trail: {name} for the user: {account}"))
}

/// How a refusal about the trail of a name is told.
pub(super) fn refused(error: TrailError, (name, account): (&str, &str)) -> ApiError {
    match error {
        TrailError::Missing => unknown_trail(name, account),
        TrailError::Exists => {
            ALREADY_EXISTS.because(format!("Trail {name} already exists for customer: {account}"))
        }
        TrailError::TooMany { trails_max } => TOO_MANY
            .because(format!("User: {account} already has {trails_max} trails in this region.")),
        TrailError::Read(error) => error.into(),
        TrailError::Append(error) => error.into(),
        TrailError::Bucket(_) | TrailError::Key(_) => {
            tracing::error!(%error, "a trail cannot be worked on");
            fault::INTERNAL.because(error.to_string())
        }
    }
}

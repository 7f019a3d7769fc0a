//! The error shapes of CloudWatch.
//!
//! Source: CloudWatch service model, `awsQueryError` traits.

use crate::api::error::Fault;

/// A parameter's value is not taken.
pub(super) const INVALID_PARAMETER_VALUE: Fault =
    Fault::coded("InvalidParameterValueException", "InvalidParameterValue", 400);
/// Parameters that do not go together.
pub(super) const INVALID_PARAMETER_COMBINATION: Fault =
    Fault::coded("InvalidParameterCombinationException", "InvalidParameterCombination", 400);
/// A parameter that must be there is not.
pub(super) const MISSING_PARAMETER: Fault =
    Fault::coded("MissingRequiredParameterException", "MissingParameter", 400);
/// A page token that this server did not make.
pub(super) const INVALID_NEXT_TOKEN: Fault =
    Fault::coded("InvalidNextToken", "InvalidNextToken", 400);
/// No such alarm.
pub(super) const RESOURCE_NOT_FOUND: Fault =
    Fault::coded("ResourceNotFound", "ResourceNotFound", 404);
/// No such resource, for operations newer than alarms.
pub(super) const RESOURCE_NOT_FOUND_EXCEPTION: Fault =
    Fault::plain("ResourceNotFoundException", 404);
/// No such dashboard.
pub(super) const DASHBOARD_NOT_FOUND: Fault =
    Fault::coded("DashboardNotFoundError", "ResourceNotFound", 404);
/// A dashboard's body does not hold.
pub(super) const DASHBOARD_INVALID: Fault =
    Fault::coded("DashboardInvalidInputError", "InvalidParameterInput", 400);
/// A text that must be JSON is not.
pub(super) const INVALID_FORMAT: Fault = Fault::coded("InvalidFormatFault", "InvalidFormat", 400);

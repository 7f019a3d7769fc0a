//! CloudTrail: looking up the records of calls, in JSON 1.1.
//!
//! Trails are not made here: every call is recorded by `audit`, whether anybody looks or not.

mod lookup_events;

use super::error::Fault;
use super::fault::VALIDATION;
use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

const INVALID_LOOKUP_ATTRIBUTES: Fault = Fault::plain("InvalidLookupAttributesException", 400);
const INVALID_TIME_RANGE: Fault = Fault::plain("InvalidTimeRangeException", 400);
const INVALID_MAX_RESULTS: Fault = Fault::plain("InvalidMaxResultsException", 400);
const INVALID_NEXT_TOKEN: Fault = Fault::plain("InvalidNextTokenException", 400);
const INVALID_EVENT_CATEGORY: Fault = Fault::plain("InvalidEventCategoryException", 400);

/// The service's table.
pub(super) fn service() -> Service {
    let prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";
    Service {
        title: "CloudTrail",
        signing_name: "cloudtrail",
        event_source: "cloudtrail.amazonaws.com",
        dialects: Dialects { json: Some((prefix, JsonVersion::V1_1)), ..Dialects::default() },
        error_namespace: "",
        refuse: |error| refuse_as_validator(VALIDATION, error),
        operations: vec![operation("LookupEvents", Effect::Reads, lookup_events::run)],
    }
}

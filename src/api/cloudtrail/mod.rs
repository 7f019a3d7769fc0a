//! CloudTrail: looking up the records of calls, and trails that deliver them, in JSON 1.1.
//!
//! Records are made by `audit`, whether anybody looks or not; files are put by the monitor. Event
//! data stores, channels, imports and dashboards are refused by name.

mod fault;
mod insights;
mod lookup_events;
mod public_keys;
mod selectors;
mod status;
mod tags;
mod trail;
mod trails;

use super::fault::VALIDATION;
use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

/// The service's table.
pub(super) fn service() -> Service {
    let prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";
    let (reads, writes) = (Effect::Reads, Effect::Writes);
    Service {
        title: "CloudTrail",
        signing_name: "cloudtrail",
        event_source: "cloudtrail.amazonaws.com",
        dialects: Dialects { json: Some((prefix, JsonVersion::V1_1)), ..Dialects::default() },
        error_namespace: "",
        refuse: |error| refuse_as_validator(VALIDATION, error),
        operations: vec![
            operation("AddTags", writes, tags::add),
            operation("CreateTrail", writes, trails::create),
            operation("DeleteTrail", writes, trails::delete),
            operation("DescribeTrails", reads, trails::describe),
            operation("GetEventSelectors", reads, selectors::get),
            operation("GetInsightSelectors", reads, insights::get),
            operation("GetTrail", reads, trails::get),
            operation("GetTrailStatus", reads, status::get),
            operation("ListPublicKeys", reads, public_keys::run),
            operation("ListTags", reads, tags::list),
            operation("ListTrails", reads, trails::list),
            operation("LookupEvents", reads, lookup_events::run),
            operation("PutEventSelectors", writes, selectors::put),
            operation("PutInsightSelectors", writes, insights::put),
            operation("RemoveTags", writes, tags::remove),
            operation("StartLogging", writes, status::start),
            operation("StopLogging", writes, status::stop),
            operation("UpdateTrail", writes, trails::update),
        ],
    }
}

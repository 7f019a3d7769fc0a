//! EventBridge: events, buses, rules and their targets, in JSON 1.1.

mod api_destinations;
mod archives;
mod bus;
mod connections;
mod create_event_bus;
mod event_buses;
mod fault;
mod listing;
mod permissions;
mod put_events;
mod replays;
mod rules;
mod tags;
mod targets;
mod test_event_pattern;

use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "EventBridge",
        signing_name: "events",
        event_source: "events.amazonaws.com",
        dialects: Dialects { json: Some(("AWSEvents", JsonVersion::V1_1)), ..Dialects::default() },
        error_namespace: "",
        refuse: |error| refuse_as_validator(fault::VALIDATION, error),
        operations: vec![
            operation("CancelReplay", Effect::Writes, replays::cancel),
            operation("CreateApiDestination", Effect::Writes, api_destinations::create),
            operation("CreateArchive", Effect::Writes, archives::create),
            operation("CreateConnection", Effect::Writes, connections::create),
            operation("CreateEventBus", Effect::Writes, create_event_bus::run),
            operation("DeauthorizeConnection", Effect::Writes, connections::deauthorize),
            operation("DeleteApiDestination", Effect::Writes, api_destinations::delete),
            operation("DeleteArchive", Effect::Writes, archives::delete),
            operation("DeleteConnection", Effect::Writes, connections::delete),
            operation("DeleteEventBus", Effect::Writes, event_buses::delete),
            operation("DeleteRule", Effect::Writes, rules::delete),
            operation("DescribeApiDestination", Effect::Reads, api_destinations::describe),
            operation("DescribeArchive", Effect::Reads, archives::describe),
            operation("DescribeConnection", Effect::Reads, connections::describe),
            operation("DescribeEventBus", Effect::Reads, event_buses::describe),
            operation("DescribeReplay", Effect::Reads, replays::describe),
            operation("DescribeRule", Effect::Reads, rules::describe),
            operation("DisableRule", Effect::Writes, rules::disable),
            operation("EnableRule", Effect::Writes, rules::enable),
            operation("ListApiDestinations", Effect::Reads, api_destinations::list),
            operation("ListArchives", Effect::Reads, archives::list),
            operation("ListConnections", Effect::Reads, connections::list),
            operation("ListEventBuses", Effect::Reads, event_buses::list),
            operation("ListReplays", Effect::Reads, replays::list),
            operation("ListRuleNamesByTarget", Effect::Reads, rules::names_by_target),
            operation("ListRules", Effect::Reads, rules::list),
            operation("ListTagsForResource", Effect::Reads, tags::list),
            operation("ListTargetsByRule", Effect::Reads, targets::list),
            operation("PutEvents", Effect::WritesData, put_events::run),
            operation("PutPermission", Effect::Writes, permissions::put),
            operation("PutRule", Effect::Writes, rules::put),
            operation("PutTargets", Effect::Writes, targets::put),
            operation("RemovePermission", Effect::Writes, permissions::remove),
            operation("RemoveTargets", Effect::Writes, targets::remove),
            operation("StartReplay", Effect::Writes, replays::start),
            operation("TagResource", Effect::Writes, tags::tag),
            operation("TestEventPattern", Effect::Reads, test_event_pattern::run),
            operation("UntagResource", Effect::Writes, tags::untag),
            operation("UpdateApiDestination", Effect::Writes, api_destinations::update),
            operation("UpdateArchive", Effect::Writes, archives::update),
            operation("UpdateConnection", Effect::Writes, connections::update),
            operation("UpdateEventBus", Effect::Writes, event_buses::update),
        ],
    }
}

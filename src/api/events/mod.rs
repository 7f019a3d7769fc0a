//! EventBridge: putting events on buses, and the buses themselves, in JSON 1.1.

mod bus;
mod create_event_bus;
mod delete_event_bus;
mod describe_event_bus;
mod fault;
mod list_event_buses;
mod put_events;

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
            operation("CreateEventBus", Effect::Writes, create_event_bus::run),
            operation("DeleteEventBus", Effect::Writes, delete_event_bus::run),
            operation("DescribeEventBus", Effect::Reads, describe_event_bus::run),
            operation("ListEventBuses", Effect::Reads, list_event_buses::run),
            operation("PutEvents", Effect::WritesData, put_events::run),
        ],
    }
}

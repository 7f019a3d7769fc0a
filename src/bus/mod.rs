//! Routes events to targets.
//!
//! Main types: [`Bus`], which runs; [`BusHandle`], by which doors and the monitor ask it. Every
//! event that the store takes, whoever appends it, is matched by the rules of its bus before it is
//! written, and what it owes is written with it: an accepted event is delivered at least once. The
//! module speaks no wire protocol and shows nothing.
//!
//! ```text
//! append -> route (rules of the bus) -> event + deliveries, one write
//!           deliver (outbox) -> carry -> queue, log group, bus, ...
//!                            -> dead-letter queue, once given up
//! ```

mod act;
mod archive;
mod carry;
mod connection;
mod deliver;
mod handle;
pub mod kind;
mod meter;
mod policy;
pub mod queue;
mod refusal;
mod replay;
mod route;
mod rule;
mod rules;
mod schema;
mod start;
mod tick;
pub mod topic;

pub use archive::{Archive, Era};
pub use connection::{
    ApiDestination, AuthParameters, AuthorizationType, Connection, HttpParameterSet, Parameter,
};
pub use handle::{BusHandle, bus_arn, bus_of_arn, topic_scope};
pub use refusal::{BusError, RefusalKind};
pub use replay::{Replay, ReplayState, archive_source};
pub use rule::{
    DeadLetterConfig, EventBus, FailedTarget, InputMap, PutRule, RetrySettings, Rule, RuleState,
    Tag, Target, read_pattern, rule_arn,
};
pub use schema::{
    AWS_EVENTS, DISCOVERED, Discoverer, Registry, Schema, SchemaChange, SchemaKind, SchemaVersion,
    Shape, Tags, VersionOf, event_document, json_schema, value_document,
};
pub use start::{Bus, BusParts, BusSettings};

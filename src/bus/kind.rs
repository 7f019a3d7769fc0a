//! The kinds under which the bus keeps its documents in the store.

/// An [`EventBus`](super::EventBus) that is not the default one, by name.
pub const EVENT_BUS: &str = "event-bus";
/// A [`Rule`](super::Rule) with its targets, by `<bus>/<rule>`.
pub const RULE: &str = "event-rule";
/// A delivery that is still to be made; names sort by time.
pub const DELIVERY: &str = "event-delivery";
/// A queue, by name.
pub const QUEUE: &str = "queue";
/// Rows of messages, by the queue's name, in the order they were sent.
pub const MESSAGE: &str = "queue-message";
/// A topic, by name.
pub const TOPIC: &str = "topic";
/// A subscription, by ARN.
pub const SUBSCRIPTION: &str = "topic-subscription";
/// A connection with its credentials, by name.
pub const CONNECTION: &str = "event-connection";
/// An API destination, by name.
pub const API_DESTINATION: &str = "event-api-destination";
/// An archive, by name.
pub const ARCHIVE: &str = "event-archive";
/// A replay, by name.
pub const REPLAY: &str = "event-replay";
/// A registry of schemas, by name.
pub const SCHEMA_REGISTRY: &str = "schema-registry";
/// A [`Schema`](super::Schema), by `<registry>/<name>`.
pub const SCHEMA: &str = "schema";
/// A version of a schema, by `<registry>/<name>/<number>`.
pub const SCHEMA_VERSION: &str = "schema-version";
/// A discoverer of schemas, by id.
pub const DISCOVERER: &str = "schema-discoverer";

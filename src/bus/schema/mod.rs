//! The registry of schemas: what events look like, told by whoever knows or found out by looking.
//!
//! Main types: [`Schema`] with its versions, in registries; [`Discoverer`], which has every event
//! of a bus looked at. Nothing is ever checked against a schema, and no code is made of one.

mod discover;
mod discoverers;
mod document;
mod infer;
mod registries;
mod schemas;
mod service_events;

pub(super) use discover::{Discovery, Look};
pub use document::{
    AWS_EVENTS, DISCOVERED, Discoverer, Registry, Schema, SchemaKind, SchemaVersion, Tags,
};
pub use infer::{Shape, event_document, json_schema, value_document};
pub use schemas::{SchemaChange, VersionOf};

//! Traces: documents put together, facts, filter expressions and the service graph.
//!
//! Main types: [`Trace`], assembled from documents in any order; [`TraceFilter`], parsed once;
//! [`ServiceGraph`], counted over traces. Reading and keeping documents is the store's business.

mod assemble;
mod document;
mod facts;
mod filter;
mod filter_parse;
mod graph;

use thiserror::Error;

pub use assemble::Trace;
pub use document::{AnnotationValue, DocumentFault, Flags, Http, Segment, read_document};
pub use facts::{ServiceId, TraceFacts};
pub use filter::TraceFilter;
pub use graph::{Edge, GraphNode, ResponseTimes, ServiceGraph, Statistics};

/// A text that is no filter expression, with the byte where it stops being one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("invalid filter expression at byte {offset}: expected {expected}")]
pub struct TraceFilterError {
    /// Where.
    pub offset: usize,
    /// What.
    pub expected: &'static str,
}

#[cfg(test)]
mod tests;

//! Traces: documents put together, facts, root causes, filter expressions, the service graph, and
//! how a sampling reservoir is shared.
//!
//! Main types: [`Trace`], assembled from documents in any order; [`TraceFilter`], parsed once;
//! [`ServiceGraph`], counted over traces. Reading and keeping documents is the store's business.

mod assemble;
mod causes;
mod document;
mod facts;
mod filter;
mod filter_parse;
mod graph;
mod merge;
mod sampling;
mod subject;

use thiserror::Error;

pub use assemble::Trace;
pub use causes::{CauseEntity, CauseException, CauseService, RootCause, RootCauses};
pub use document::{AnnotationValue, DocumentFault, Flags, Http, Segment, read_document};
pub use facts::{ServiceId, TraceFacts};
pub use filter::{EntitySelector, GroupReference, TraceFilter};
pub use graph::{Edge, EdgeKind, GraphNode, ResponseTimes, ServiceGraph, Statistics};
pub use merge::{ProcessedDocument, processed};
pub use sampling::{SamplingClient, reservoir_quotas};

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

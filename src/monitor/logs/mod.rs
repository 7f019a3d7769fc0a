//! What happens to log events as they are taken: they become metrics in the same append.
//!
//! Main type: [`LogRules`]. Whoever appends log events has it absorb the batch first, so that
//! events and what follows from them are durable together: a crash neither loses nor doubles
//! one of them. It speaks no wire protocol; the documents it reads are written by the API.

mod document;
mod rules;

pub use document::{MetricFilterRow, filter_name, filter_prefix};
pub use rules::{Absorbed, LogRules};

//! Metrics out of log events: embedded metric format, and metric filters.
//!
//! Main types: [`MetricFilter`], and the function [`embedded_metrics`]. Both are pure: they take
//! the lines of one append and give the data that belongs into the same append. They know neither
//! which filters a group has nor where anything is kept.

mod embedded;
mod filter;

pub use embedded::embedded_metrics;
pub use filter::{MetricFilter, MetricFilterFault, MetricTransformation, SystemField};

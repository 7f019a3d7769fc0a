//! CloudWatch Logs Insights: parse a query, run it over records, give back rows.
//!
//! Main types: [`Query`], parsed once; [`Execution`], which takes records in any order and ends in
//! an [`Outcome`]. It reads no log: the caller feeds it, in whatever pieces it likes, and may stop
//! between any two.
//!
//! Differs: `diff`, `anomaly`, `logcompare`, `relevantfields`, `join`, `lookup`, `cidrlookup`,
//! `appendcols` and subqueries are refused by name.

mod admission;
mod aggregate;
mod ast;
mod body;
mod evaluate;
mod execute;
mod expression;
mod function;
mod groups;
mod known;
mod lex;
mod network;
mod numeric;
mod parse;
mod period;
mod raw;
mod row;
mod shape;
mod similar;
mod text;
mod value;

use thiserror::Error;

use crate::diagnostic::Span;
use crate::time::{TimeRange, Timestamp};

pub use admission::{Admission, Condition};
pub use body::{Body, Field, Pointer};
pub use execute::{Execution, Outcome};
pub use parse::Query;
pub use row::Record;

/// What a query is run with.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The window of the query.
    pub range: TimeRange,
    /// When it runs.
    pub now: Timestamp,
    /// The request's own limit; `limit` in the query wins.
    pub limit: Option<usize>,
}

/// Why a query cannot be read or run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InsightsError {
    /// The text is no query; a place and what was expected there.
    #[error("{message}")]
    Malformed {
        /// The bytes concerned.
        span: Span,
        /// What is wrong.
        message: String,
    },
    /// More rows or groups than are kept in memory.
    #[error("the query holds more than {limit} {what}")]
    TooLarge {
        /// How many are kept.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests;

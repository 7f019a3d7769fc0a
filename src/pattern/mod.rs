//! Event patterns: parse, match one, match many; input transformers.
//!
//! Main types: [`EventPattern`], one pattern; [`PatternSet`], many patterns behind one index, whose
//! cost grows with what matches and not with what is there; [`InputTransformer`]. Nothing here
//! knows buses, rules or targets.

mod index;
mod matcher;
mod parse;
mod set;
mod transform;
mod tree;

use serde_json::Value;
use thiserror::Error;

pub use set::PatternSet;
pub use transform::{InputTransformer, TransformError, Variables};

/// A parsed event pattern.
///
/// Source: EventBridge User Guide, "Event patterns".
#[derive(Clone, Debug)]
pub struct EventPattern {
    source: String,
    root: tree::Fields,
}

/// Why a text is no event pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("invalid event pattern: {reason}")]
pub struct PatternError {
    /// What is wrong.
    pub reason: PatternFault,
    /// The field it concerns, as a path; empty for the whole pattern.
    pub path: String,
}

/// What is wrong with an event pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternFault {
    /// The text is no JSON.
    #[error("not valid JSON at line {line}, column {column}")]
    NotJson {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
    },
    /// The text is too long.
    #[error("the pattern is longer than {0} characters")]
    TooLong(usize),
    /// An object without fields.
    #[error("empty objects are not allowed")]
    EmptyObject,
    /// An array without values.
    #[error("empty arrays are not allowed")]
    EmptyArray,
    /// A field's value is neither an object nor an array.
    #[error("\"{0}\" must be an object or an array")]
    NotAnArray(String),
    /// An operator that does not exist.
    #[error("unrecognized match type {0}")]
    UnknownOperator(String),
    /// An operator object with several keys.
    #[error("only one key is allowed in a match expression")]
    SeveralOperators,
    /// An operator with an operand it does not take.
    #[error("{operator} must be {takes}")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A wildcard that is not allowed.
    #[error("{0}")]
    Wildcard(&'static str),
    /// More combinations or a deeper nesting than allowed.
    #[error("the rule is too complex")]
    TooComplex,
}

impl EventPattern {
    /// Source: PutRule, `EventPattern`.
    const CHARACTERS_MAX: usize = 4096;

    /// Reads a pattern.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.chars().count() > Self::CHARACTERS_MAX {
            let reason = PatternFault::TooLong(Self::CHARACTERS_MAX);
            return Err(PatternError { reason, path: String::new() });
        }
        let root = parse::pattern(source)?;
        Ok(Self { source: source.to_owned(), root })
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.root.match_node(Some(event))
    }
}

#[cfg(test)]
mod tests;

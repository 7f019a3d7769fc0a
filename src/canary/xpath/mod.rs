//! XPath over XML and HTML bodies: a subset of version 1.0 that is exact in what it takes and
//! refuses the rest by name.
//!
//! Main type: [`XPath`]. Taken: location paths with every axis but `following`, `preceding` and
//! `namespace`; names, `*`, `node()`, `text()`; predicates; `and`, `or`, comparisons, `|`; the
//! functions of [`parse::FUNCTIONS`]. Not taken: variables and arithmetic.
//!
//! Differs: a name without a prefix is a local name in whatever namespace, since people do not
//! declare namespaces in canaries; one with a prefix is compared as the document writes it.

mod document;
mod evaluate;
mod expression;
mod parse;

use std::fmt;

use thiserror::Error;

pub use document::{Document, DocumentError};
use evaluate::Evaluation;
use expression::Expression;

/// A compiled XPath.
#[derive(Clone, Debug)]
pub struct XPath {
    source: String,
    expression: Expression,
}

/// A text that is no XPath, or one that is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{problem}")]
pub struct XPathError {
    /// What is wrong.
    pub problem: String,
    /// The byte at which it is.
    pub at: usize,
}

/// What an XPath yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// Nodes, in the order of the document.
    Nodes(Vec<SelectedNode>),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Bool(bool),
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedNode {
    /// Where it is: `/feed/entry[2]/title`.
    pub place: String,
    /// Its text, with all that is below it.
    pub text: String,
}

/// The evaluation looked at too many nodes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this XPath looks at too many nodes of this document")]
pub struct TooMuchWork;

impl XPath {
    /// Compiles a text.
    ///
    /// Errors: what is wrong and where.
    /// Source: W3C XML Path Language (XPath) 1.0.
    pub fn parse(source: &str) -> Result<Self, XPathError> {
        Ok(Self { source: source.to_owned(), expression: parse::parse(source)? })
    }

    /// What it yields from the root of a document; at most `nodes_max` nodes.
    ///
    /// Errors: work is bounded, so that no document and no path keeps us busy.
    pub fn select(&self, document: &Document, nodes_max: usize) -> Result<Selected, TooMuchWork> {
        Evaluation::new(document).select(&self.expression, nodes_max)
    }
}

impl fmt::Display for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

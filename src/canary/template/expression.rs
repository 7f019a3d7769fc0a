use std::sync::Arc;

use serde_json::Value;

use super::operation::{Filter, Function};
use crate::diagnostic::Span;

/// One expression of a template, with where it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    pub(super) node: Node,
    pub(super) span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    /// A signed stretch of time, in milliseconds.
    Duration(i64),
    Variable {
        name: Arc<str>,
        path: Vec<PathStep>,
    },
    Environment(Arc<str>),
    Secret(Arc<str>),
    Call(Function, Vec<Expression>),
    Filter {
        input: Box<Expression>,
        filter: Filter,
        arguments: Vec<Expression>,
    },
    Arithmetic {
        left: Box<Expression>,
        operator: Operator,
        right: Box<Expression>,
    },
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathStep {
    Key(Arc<str>),
    Index(usize),
}

/// The arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// Something that a template looks up when it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    /// Its name.
    pub name: &'t str,
    /// What kind of name it is.
    pub kind: ReferenceKind,
    /// Whether a `default` stands ready when it is not there.
    pub has_default: bool,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of names that templates look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// A variable, a capture or a column of a row.
    Variable,
    /// An environment variable: `env.NAME`.
    Environment,
    /// A secret: `secret.NAME`.
    Secret,
}

impl Expression {
    /// Calls `visit` for every name the expression looks up.
    pub(super) fn references<'t>(&'t self, visit: &mut dyn FnMut(Reference<'t>)) {
        self.visit(false, visit);
    }

    fn visit<'t>(&'t self, has_default: bool, visit: &mut dyn FnMut(Reference<'t>)) {
        let mut found = |name: &'t str, kind| {
            visit(Reference { name, kind, has_default, span: self.span });
        };
        match &self.node {
            Node::Literal(_) | Node::Duration(_) => {}
            Node::Variable { name, .. } => found(name, ReferenceKind::Variable),
            Node::Environment(name) => found(name, ReferenceKind::Environment),
            Node::Secret(name) => found(name, ReferenceKind::Secret),
            Node::Call(_, arguments) => {
                arguments.iter().for_each(|argument| argument.visit(false, visit));
            }
            Node::Filter { input, filter, arguments } => {
                input.visit(has_default || *filter == Filter::Default, visit);
                arguments.iter().for_each(|argument| argument.visit(false, visit));
            }
            Node::Arithmetic { left, right, .. } => {
                left.visit(false, visit);
                right.visit(false, visit);
            }
        }
    }
}

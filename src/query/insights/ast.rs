//! A parsed query.

use std::sync::Arc;

use regex::Regex;

use super::aggregate::Aggregate;
use super::function::Function;
use super::period::Period;
use super::value::Value;

/// One command of the pipe.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Fields(Vec<Item>),
    Display(Vec<Item>),
    Filter(Expression),
    Stats(Stats),
    Sort(Vec<SortKey>),
    Limit { count: usize, any: bool },
    Dedup(Vec<Arc<str>>),
    Parse(Parse),
    Unnest { list: Expression, into: Arc<str> },
    Pattern(Expression),
    Shape(Shape),
}

/// A column and the expression behind it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: Arc<str>,
    pub(super) expression: Expression,
}

/// A stats command.
#[derive(Clone, Debug)]
pub(super) struct Stats {
    pub(super) keys: Vec<Item>,
    /// The aggregates that the items are made of.
    pub(super) aggregates: Vec<Aggregate>,
    /// Expressions over aggregates; `Expression::Aggregate(n)` is the n-th one.
    pub(super) items: Vec<Item>,
    pub(super) offset: Option<Period>,
}

/// One key of a sort.
#[derive(Clone, Debug)]
pub(super) struct SortKey {
    pub(super) expression: Expression,
    pub(super) descending: bool,
}

/// A parse command.
#[derive(Clone, Debug)]
pub(super) struct Parse {
    pub(super) from: Expression,
    pub(super) regex: Regex,
    /// Group number and the field it becomes.
    pub(super) names: Vec<(usize, Arc<str>)>,
}

/// The commands that reshape finished rows.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    AddTotals { name: Arc<str>, fields: Vec<Arc<str>>, row: bool, column: bool },
    Accumulate { field: Arc<str>, name: Arc<str> },
    AutoRegress { field: Arc<str>, name: Option<Arc<str>>, first: usize, last: usize },
    CountFrequent(Vec<Arc<str>>),
    FillDown(Vec<Arc<str>>),
    FillMissing { value: Option<Value>, fields: Vec<Arc<str>> },
    Outlier { fields: Vec<Arc<str>>, remove: bool, factor: f64, lower: bool, mark: bool },
    Sessionize { fields: Vec<Arc<str>>, span: Period, name: Arc<str> },
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal(Value),
    Field(Arc<str>),
    Member(Box<Expression>, Arc<str>),
    Element(Box<Expression>, i64),
    Call(Function, Vec<Expression>),
    Bin(Period),
    Floor(Box<Expression>, Period),
    Ceil(Box<Expression>, Period),
    RegexReplace(Box<Expression>, Regex, Box<Expression>),
    Negate(Box<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Matches(Box<Expression>, Regex),
    In(Box<Expression>, Vec<Expression>),
    /// The n-th aggregate of the stats command around it.
    Aggregate(usize),
}

/// A binary operator on values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `like "text"`: a substring.
    Like,
}

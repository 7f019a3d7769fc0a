//! Filter expressions over traces.

use std::collections::HashMap;

use serde_json::Value;

use super::assemble::Trace;
use super::document::{AnnotationValue, Segment};
use super::facts::TraceFacts;
use super::subject::Subject;

/// A parsed filter expression.
///
/// Source: X-Ray Developer Guide, "Using filter expressions".
#[derive(Clone, Debug, PartialEq)]
pub struct TraceFilter(pub(super) Node);

/// A group that an expression refers to: it stands for the group's own expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupReference {
    /// `group.name = "..."`.
    Name(String),
    /// `group.arn = "..."`.
    Arn(String),
}

/// What of the service statistics to look at.
///
/// Source: X-Ray API Reference, GetTimeSeriesServiceStatistics, `EntitySelectorExpression`: one
/// `service`, `edge` or `id` function.
#[derive(Clone, Debug, PartialEq)]
pub struct EntitySelector(pub(super) Node);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Flag(Flag, bool),
    Number(NumberField, Operator, f64),
    Text(TextField, Operator, String),
    Present(TextField),
    Annotation(End, String, Option<(Operator, AnnotationValue)>),
    Service(Option<Reference>, Option<Box<Node>>),
    Edge(Option<(Reference, Reference)>, Option<Box<Node>>),
    Cause(CauseKind, CausePart, Box<Node>),
    CauseJson(Value),
    Group(GroupReference),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Ok,
    Error,
    Throttle,
    Fault,
    Partial,
    Inferred,
    Remote,
    Root,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberField {
    ResponseTime,
    Duration,
    Status,
    Index,
    Coverage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    Url,
    Method,
    UserAgent,
    ClientIp,
    User,
    Name,
    Type,
    Message,
    AvailabilityZone,
    InstanceId,
    ResourceArn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    BeginsWith,
    EndsWith,
}

/// Whose annotation is meant: inside an edge, that of its call or of either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Own,
    Source,
    Destination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CauseKind {
    Fault,
    Error,
    ResponseTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CausePart {
    Service,
    Entity,
    Exception,
}

/// Which nodes are meant; what is absent fits any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reference {
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) account_id: Option<String>,
}

impl TraceFilter {
    /// Whether a trace matches. Keywords outside of `service` and `edge` look at the trace as a
    /// whole: an error that was handled downstream is none.
    pub fn matches(&self, trace: &Trace, facts: &TraceFacts) -> bool {
        self.0.holds(&Subject::Trace(trace, facts))
    }

    /// The groups it refers to.
    pub fn groups(&self) -> Vec<GroupReference> {
        let mut found = Vec::new();
        self.0.visit(&mut |node| {
            if let Node::Group(group) = node {
                found.push(group.clone());
            }
        });
        found
    }

    /// Puts the expression of a group where it is referred to.
    #[must_use]
    pub fn with_group(mut self, group: &GroupReference, expression: &Self) -> Self {
        self.0.replace(group, &expression.0);
        self
    }
}

impl EntitySelector {
    /// The calls or segments of a trace that are meant: `(is an edge, segment)`.
    pub fn select<'t>(&self, trace: &'t Trace) -> Vec<(bool, &'t Segment)> {
        let mut found = Vec::new();
        match &self.0 {
            Node::Service(reference, inner) => {
                let fits = |segment: &&Segment| {
                    reference.as_ref().is_none_or(|reference| reference.fits(segment))
                        && is_held(inner.as_deref(), &Subject::Segment(segment))
                };
                let own = trace.segments.iter().filter(|segment| !segment.is_subsegment);
                found.extend(own.filter(fits).map(|segment| (false, segment)));
            }
            Node::Edge(ends, inner) => {
                for (caller, call, callee) in edges(trace) {
                    let fits =
                        ends.as_ref().is_none_or(|(from, to)| from.fits(caller) && to.fits(callee));
                    if fits && is_held(inner.as_deref(), &Subject::Edge { caller, call, callee }) {
                        found.push((true, call));
                    }
                }
            }
            _ => {}
        }
        found
    }
}

/// Caller, its call and the callee of every edge of a trace.
pub(super) fn edges(trace: &Trace) -> Vec<(&Segment, &Segment, &Segment)> {
    let mut callees: HashMap<&str, Vec<&Segment>> = HashMap::new();
    for callee in trace.segments.iter().filter(|segment| !segment.is_subsegment) {
        if let Some(parent) = &callee.parent_id {
            callees.entry(parent).or_default().push(callee);
        }
    }
    let mut found = Vec::new();
    for caller in &trace.segments {
        caller.walk(&mut |call| {
            let called = callees.get(call.id.as_str()).into_iter().flatten();
            found.extend(called.map(|callee| (caller, call, *callee)));
        });
    }
    found
}

fn is_held(inner: Option<&Node>, subject: &Subject<'_>) -> bool {
    inner.is_none_or(|inner| inner.holds(subject))
}

impl Node {
    pub(super) fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(subject)),
            Self::And(nodes) => nodes.iter().all(|node| node.holds(subject)),
            Self::Not(node) => !node.holds(subject),
            Self::Flag(flag, wanted) => subject.flag(*flag) == *wanted,
            Self::Number(field, operator, number) => {
                subject.number(*field).is_some_and(|actual| operator.compares(actual, *number))
            }
            Self::Text(field, operator, text) => {
                subject.any_text(*field, &|own| operator.relates(own, text))
            }
            Self::Present(field) => subject.any_text(*field, &|_| true),
            Self::Annotation(end, key, test) => {
                subject.any_annotation(*end, key, &|value| annotation_holds(value, test.as_ref()))
            }
            Self::Service(reference, inner) => subject.trace().is_some_and(|trace| {
                trace.segments.iter().any(|segment| {
                    reference.as_ref().is_none_or(|reference| reference.fits(segment))
                        && is_held(inner.as_deref(), &Subject::Segment(segment))
                })
            }),
            Self::Edge(..) => subject
                .trace()
                .is_some_and(|trace| !EntitySelector(self.clone()).select(trace).is_empty()),
            Self::Cause(kind, part, inner) => subject.trace().is_some_and(|trace| {
                let causes = trace.root_causes();
                Subject::any_cause(&causes, (*kind, *part), &|entry| inner.holds(entry))
            }),
            Self::CauseJson(pattern) => {
                subject.trace().is_some_and(|trace| Subject::causes_fit(trace, pattern))
            }
            // A group is replaced by its expression before anything is matched; one that was not
            // found matches nothing.
            Self::Group(_) => false,
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        match self {
            Self::Or(nodes) | Self::And(nodes) => nodes.iter().for_each(|node| node.visit(visit)),
            Self::Not(node) => node.visit(visit),
            _ => {}
        }
    }

    fn replace(&mut self, group: &GroupReference, expression: &Self) {
        match self {
            Self::Or(nodes) | Self::And(nodes) => {
                nodes.iter_mut().for_each(|node| node.replace(group, expression));
            }
            Self::Not(node) => node.replace(group, expression),
            Self::Group(own) if own == group => *self = expression.clone(),
            _ => {}
        }
    }
}

fn annotation_holds(value: &AnnotationValue, test: Option<&(Operator, AnnotationValue)>) -> bool {
    let Some((operator, wanted)) = test else { return true };
    match (value, wanted) {
        (AnnotationValue::Text(own), AnnotationValue::Text(text)) => operator.relates(own, text),
        (AnnotationValue::Number(own), AnnotationValue::Number(number)) => {
            operator.compares(*own, *number)
        }
        (AnnotationValue::Boolean(own), AnnotationValue::Boolean(boolean)) => match operator {
            Operator::Equal => own == boolean,
            Operator::NotEqual => own != boolean,
            _ => false,
        },
        _ => false,
    }
}

impl Reference {
    pub(super) fn fits(&self, segment: &Segment) -> bool {
        let fits = |wanted: &Option<String>, own: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| own == Some(wanted))
        };
        fits(&self.name, Some(&segment.name))
            && fits(&self.kind, segment.origin.as_deref())
            && fits(&self.account_id, segment.account_id.as_deref())
    }
}

impl Operator {
    #[expect(clippy::float_cmp, reason = "filter expressions compare exactly")]
    pub(super) fn compares(self, own: f64, number: f64) -> bool {
        match self {
            Self::Equal => own == number,
            Self::NotEqual => own != number,
            Self::Less => own < number,
            Self::LessOrEqual => own <= number,
            Self::Greater => own > number,
            Self::GreaterOrEqual => own >= number,
            Self::Contains | Self::BeginsWith | Self::EndsWith => false,
        }
    }

    pub(super) fn relates(self, own: &str, text: &str) -> bool {
        match self {
            Self::Equal => own == text,
            Self::NotEqual => own != text,
            Self::Contains => own.contains(text),
            Self::BeginsWith => own.starts_with(text),
            Self::EndsWith => own.ends_with(text),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => false,
        }
    }
}

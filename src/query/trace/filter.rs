//! Filter expressions over traces.

use super::assemble::Trace;
use super::document::{AnnotationValue, Segment};
use super::facts::TraceFacts;

/// A parsed filter expression.
///
/// Source: X-Ray Developer Guide, "Using filter expressions". Differs: `rootcause.*`, `coverage`,
/// `index`, `first` and `last` are refused when the expression is read.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceFilter(pub(super) Node);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Flag(Flag, bool),
    Number(NumberField, Operator, f64),
    Text(TextField, Operator, String),
    Present(TextField),
    Annotation(String, Option<(Operator, AnnotationValue)>),
    Service(Option<Reference>, Option<Box<Node>>),
    Edge(Reference, Reference, Option<Box<Node>>),
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberField {
    ResponseTime,
    Duration,
    Status,
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
        of_trace(&self.0, trace, facts)
    }
}

fn of_trace(node: &Node, trace: &Trace, facts: &TraceFacts) -> bool {
    match node {
        Node::Or(nodes) => nodes.iter().any(|node| of_trace(node, trace, facts)),
        Node::And(nodes) => nodes.iter().all(|node| of_trace(node, trace, facts)),
        Node::Not(node) => !of_trace(node, trace, facts),
        Node::Flag(flag, wanted) => trace_flag(*flag, trace, facts) == *wanted,
        Node::Number(field, operator, number) => {
            let actual = match field {
                NumberField::ResponseTime => facts.response_time,
                NumberField::Duration => Some(facts.duration),
                NumberField::Status => facts.http.status.map(f64::from),
            };
            actual.is_some_and(|actual| operator.compares(actual, *number))
        }
        Node::Text(field, operator, text) => {
            trace_texts(*field, trace, facts).iter().any(|own| operator.relates(own, text))
        }
        Node::Present(field) => !trace_texts(*field, trace, facts).is_empty(),
        Node::Annotation(key, test) => facts
            .annotations
            .iter()
            .any(|(own, value, _)| own == key && annotation_holds(value, test.as_ref())),
        Node::Service(reference, inner) => trace.segments.iter().any(|segment| {
            reference.as_ref().is_none_or(|reference| reference.fits(segment))
                && inner.as_ref().is_none_or(|inner| of_segment(inner, segment, true))
        }),
        Node::Edge(from, to, inner) => edges(trace).iter().any(|(caller, call, callee)| {
            from.fits(caller)
                && to.fits(callee)
                && inner.as_ref().is_none_or(|inner| of_segment(inner, call, false))
        }),
    }
}

/// Caller, its call and the callee of every edge of a trace.
pub(super) fn edges(trace: &Trace) -> Vec<(&Segment, &Segment, &Segment)> {
    let mut found = Vec::new();
    for caller in &trace.segments {
        caller.walk(&mut |call| {
            for callee in &trace.segments {
                if callee.parent_id.as_deref() == Some(&call.id) && !callee.is_subsegment {
                    found.push((caller, call, callee));
                }
            }
        });
    }
    found
}

fn trace_flag(flag: Flag, trace: &Trace, facts: &TraceFacts) -> bool {
    match flag {
        Flag::Ok => !facts.has_error && !facts.has_fault && !facts.has_throttle,
        Flag::Error => facts.has_error,
        Flag::Throttle => facts.has_throttle,
        Flag::Fault => facts.has_fault,
        Flag::Partial => facts.is_partial,
        Flag::Inferred => trace.segments.iter().any(|segment| segment.is_inferred),
        Flag::Root => trace.root().is_some(),
        Flag::Remote => false,
    }
}

fn trace_texts(field: TextField, trace: &Trace, facts: &TraceFacts) -> Vec<String> {
    let http = &facts.http;
    let one = |text: &Option<String>| text.iter().cloned().collect();
    match field {
        TextField::Url => one(&http.url),
        TextField::Method => one(&http.method),
        TextField::UserAgent => one(&http.user_agent),
        TextField::ClientIp => one(&http.client_ip),
        TextField::User => facts.users.iter().map(|(user, _)| user.clone()).collect(),
        TextField::Name => facts.entry_point.iter().map(|service| service.name.clone()).collect(),
        TextField::Type => facts.entry_point.iter().filter_map(|s| s.kind.clone()).collect(),
        TextField::Message => trace.segments.iter().flat_map(messages).collect(),
        TextField::AvailabilityZone => facts.availability_zones.clone(),
        TextField::InstanceId => facts.instance_ids.clone(),
        TextField::ResourceArn => facts.resource_arns.clone(),
    }
}

fn messages(segment: &Segment) -> Vec<String> {
    let mut found = Vec::new();
    segment.walk(&mut |part| found.extend(part.exceptions.iter().map(|(_, m)| m.clone())));
    found
}

/// `deep` looks into the subsegments too, where annotations may stand.
fn of_segment(node: &Node, segment: &Segment, deep: bool) -> bool {
    match node {
        Node::Or(nodes) => nodes.iter().any(|node| of_segment(node, segment, deep)),
        Node::And(nodes) => nodes.iter().all(|node| of_segment(node, segment, deep)),
        Node::Not(node) => !of_segment(node, segment, deep),
        Node::Flag(flag, wanted) => segment_flag(*flag, segment) == *wanted,
        Node::Number(field, operator, number) => {
            let actual = match field {
                NumberField::ResponseTime | NumberField::Duration => {
                    segment.end.map(|_| segment.duration())
                }
                NumberField::Status => segment.http.status.map(f64::from),
            };
            actual.is_some_and(|actual| operator.compares(actual, *number))
        }
        Node::Text(field, operator, text) => {
            segment_texts(*field, segment).iter().any(|own| operator.relates(own, text))
        }
        Node::Present(field) => !segment_texts(*field, segment).is_empty(),
        Node::Annotation(key, test) => {
            let mut holds = false;
            let mut look = |part: &Segment| {
                holds |= part
                    .annotations
                    .iter()
                    .any(|(own, value)| own == key && annotation_holds(value, test.as_ref()));
            };
            if deep {
                segment.walk(&mut |part| look(part));
            } else {
                look(segment);
            }
            holds
        }
        // A node inside a node is refused when the expression is read.
        Node::Service(..) | Node::Edge(..) => false,
    }
}

fn segment_flag(flag: Flag, segment: &Segment) -> bool {
    let flags = segment.flags;
    match flag {
        Flag::Ok => !flags.error && !flags.fault && !flags.throttle,
        Flag::Error => flags.error,
        Flag::Throttle => flags.throttle,
        Flag::Fault => flags.fault,
        Flag::Partial => flags.in_progress,
        Flag::Inferred => segment.is_inferred,
        Flag::Remote => segment.namespace.as_deref() == Some("remote"),
        Flag::Root => segment.parent_id.is_none(),
    }
}

fn segment_texts(field: TextField, segment: &Segment) -> Vec<String> {
    let one = |text: &Option<String>| text.iter().cloned().collect();
    match field {
        TextField::Url => one(&segment.http.url),
        TextField::Method => one(&segment.http.method),
        TextField::UserAgent => one(&segment.http.user_agent),
        TextField::ClientIp => one(&segment.http.client_ip),
        TextField::User => one(&segment.user),
        TextField::Name => vec![segment.name.clone()],
        TextField::Type => one(&segment.origin),
        TextField::Message => messages(segment),
        TextField::AvailabilityZone => one(&segment.availability_zone),
        TextField::InstanceId => one(&segment.instance_id),
        TextField::ResourceArn => one(&segment.resource_arn),
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
    fn fits(&self, segment: &Segment) -> bool {
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
    fn compares(self, own: f64, number: f64) -> bool {
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

    fn relates(self, own: &str, text: &str) -> bool {
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

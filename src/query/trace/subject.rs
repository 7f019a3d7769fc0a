//! What a filter expression looks at: a trace, one of its segments, an edge, or a root cause.

use serde_json::Value;

use super::assemble::Trace;
use super::causes::{CauseEntity, CauseException, CauseService, RootCause, RootCauses};
use super::document::{AnnotationValue, Segment};
use super::facts::TraceFacts;
use super::filter::{CauseKind, CausePart, End, Flag, NumberField, TextField};

/// What an expression is evaluated on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'s> {
    /// A whole trace.
    Trace(&'s Trace, &'s TraceFacts),
    /// A segment; annotations may stand in its subsegments.
    Segment(&'s Segment),
    /// A call between two nodes, as the caller saw it.
    Edge { caller: &'s Segment, call: &'s Segment, callee: &'s Segment },
    /// An entry of a list of causes, its position and the length of the list.
    Cause(CauseEntry<'s>, usize, usize),
}

/// One entry of a list of causes.
#[derive(Clone, Copy, Debug)]
pub(super) enum CauseEntry<'s> {
    Service(&'s CauseService),
    Entity(&'s CauseEntity),
    Exception(&'s CauseException),
}

impl<'s> Subject<'s> {
    pub(super) const fn trace(&self) -> Option<&'s Trace> {
        match self {
            Self::Trace(trace, _) => Some(trace),
            _ => None,
        }
    }

    pub(super) fn flag(&self, flag: Flag) -> bool {
        match self {
            Self::Trace(trace, facts) => trace_flag(flag, trace, facts),
            Self::Segment(segment) | Self::Edge { call: segment, .. } => {
                segment_flag(flag, segment)
            }
            Self::Cause(entry, at, count) => match flag {
                Flag::First => *at == 0,
                Flag::Last => at + 1 == *count,
                Flag::Inferred => matches!(entry, CauseEntry::Service(service) if service.inferred),
                Flag::Remote => matches!(entry, CauseEntry::Entity(entity) if entity.remote),
                _ => false,
            },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an index into a list of causes is small")]
    pub(super) fn number(&self, field: NumberField) -> Option<f64> {
        match self {
            Self::Trace(_, facts) => match field {
                NumberField::ResponseTime => facts.response_time,
                NumberField::Duration => Some(facts.duration),
                NumberField::Status => facts.http.status.map(f64::from),
                NumberField::Index | NumberField::Coverage => None,
            },
            Self::Segment(segment) | Self::Edge { call: segment, .. } => match field {
                NumberField::ResponseTime | NumberField::Duration => {
                    segment.end.map(|_| segment.duration())
                }
                NumberField::Status => segment.http.status.map(f64::from),
                NumberField::Index | NumberField::Coverage => None,
            },
            Self::Cause(entry, at, _) => match (field, entry) {
                (NumberField::Index, _) => Some(*at as f64),
                (NumberField::Coverage, CauseEntry::Entity(entity)) => entity.coverage,
                _ => None,
            },
        }
    }

    pub(super) fn any_text(&self, field: TextField, test: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Trace(trace, facts) => trace_text(field, (trace, facts), test),
            Self::Segment(segment) | Self::Edge { call: segment, .. } => {
                segment_text(field, segment, test)
            }
            Self::Cause(entry, ..) => match (field, entry) {
                (TextField::Name, CauseEntry::Service(service)) => test(&service.name),
                (TextField::Type, CauseEntry::Service(service)) => {
                    service.kind.as_deref().is_some_and(test)
                }
                (TextField::Name, CauseEntry::Entity(entity)) => test(&entity.name),
                (TextField::Name, CauseEntry::Exception(exception)) => test(&exception.name),
                (TextField::Message, CauseEntry::Exception(exception)) => test(&exception.message),
                (TextField::Message, CauseEntry::Entity(entity)) => {
                    entity.exceptions.iter().flatten().any(|exception| test(&exception.message))
                }
                _ => false,
            },
        }
    }

    pub(super) fn any_annotation(
        &self,
        end: End,
        key: &str,
        test: &dyn Fn(&AnnotationValue) -> bool,
    ) -> bool {
        let of = |segment: &Segment| {
            segment.annotations.iter().any(|(own, value)| own == key && test(value))
        };
        let anywhere_in = |segment: &Segment| {
            let mut holds = false;
            segment.walk(&mut |part| holds |= of(part));
            holds
        };
        match (self, end) {
            (Self::Trace(_, facts), _) => {
                facts.annotations.iter().any(|(own, value, _)| own == key && test(value))
            }
            (Self::Segment(segment), _) => anywhere_in(segment),
            (Self::Edge { call, .. }, End::Own) => of(call),
            (Self::Edge { caller, .. }, End::Source) => anywhere_in(caller),
            (Self::Edge { callee, .. }, End::Destination) => anywhere_in(callee),
            (Self::Cause(..), _) => false,
        }
    }

    /// Whether any entry of any path passes.
    pub(super) fn any_cause(
        causes: &RootCauses,
        (kind, part): (CauseKind, CausePart),
        test: &dyn Fn(&Subject<'_>) -> bool,
    ) -> bool {
        let paths = match kind {
            CauseKind::Fault => &causes.fault,
            CauseKind::Error => &causes.error,
            CauseKind::ResponseTime => &causes.response_time,
        };
        paths.iter().any(|path| {
            let entries = entries(path, part);
            let count = entries.len();
            let mut numbered = entries.into_iter().enumerate();
            numbered.any(|(at, entry)| test(&Subject::Cause(entry, at, count)))
        })
    }

    /// Whether a pattern fits the causes of one kind. What it leaves out may be anything; lists
    /// must be as long as it says and in its order.
    pub(super) fn causes_fit(trace: &Trace, pattern: &Value) -> bool {
        let causes = trace.root_causes();
        [&causes.fault, &causes.error, &causes.response_time]
            .into_iter()
            .filter_map(|paths| serde_json::to_value(paths).ok())
            .any(|paths| fits(pattern, &paths))
    }
}

fn fits(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Array(wanted), Value::Array(given)) => {
            wanted.len() == given.len()
                && wanted.iter().zip(given).all(|(wanted, given)| fits(wanted, given))
        }
        (Value::Object(wanted), Value::Object(given)) => wanted
            .iter()
            .all(|(name, wanted)| given.get(name).is_some_and(|given| fits(wanted, given))),
        (wanted, given) => wanted == given,
    }
}

fn entries(path: &RootCause, part: CausePart) -> Vec<CauseEntry<'_>> {
    let entities = || path.services.iter().flat_map(|service| &service.entity_path);
    match part {
        CausePart::Service => path.services.iter().map(CauseEntry::Service).collect(),
        CausePart::Entity => entities().map(CauseEntry::Entity).collect(),
        CausePart::Exception => entities()
            .flat_map(|entity| entity.exceptions.iter().flatten())
            .map(CauseEntry::Exception)
            .collect(),
    }
}

fn trace_flag(flag: Flag, trace: &Trace, facts: &TraceFacts) -> bool {
    match flag {
        Flag::Ok => trace.root().is_some_and(|root| segment_flag(Flag::Ok, root)),
        Flag::Error => facts.has_error,
        Flag::Throttle => facts.has_throttle,
        Flag::Fault => facts.has_fault,
        Flag::Partial => facts.is_partial,
        Flag::Inferred => trace.segments.iter().any(|segment| segment.is_inferred),
        Flag::Root => trace.root().is_some(),
        Flag::Remote | Flag::First | Flag::Last => false,
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
        Flag::First | Flag::Last => false,
    }
}

fn trace_text(
    field: TextField,
    (trace, facts): (&Trace, &TraceFacts),
    test: &dyn Fn(&str) -> bool,
) -> bool {
    let one = |text: &Option<String>| text.as_deref().is_some_and(test);
    let any = |texts: &[String]| texts.iter().any(|text| test(text));
    let entry = facts.entry_point.as_ref();
    match field {
        TextField::Url => one(&facts.http.url),
        TextField::Method => one(&facts.http.method),
        TextField::UserAgent => one(&facts.http.user_agent),
        TextField::ClientIp => one(&facts.http.client_ip),
        TextField::User => facts.users.iter().any(|(user, _)| test(user)),
        TextField::Name => entry.is_some_and(|service| test(&service.name)),
        TextField::Type => entry.is_some_and(|service| one(&service.kind)),
        TextField::Message => trace.segments.iter().any(|segment| any_message(segment, test)),
        TextField::AvailabilityZone => any(&facts.availability_zones),
        TextField::InstanceId => any(&facts.instance_ids),
        TextField::ResourceArn => any(&facts.resource_arns),
    }
}

fn segment_text(field: TextField, segment: &Segment, test: &dyn Fn(&str) -> bool) -> bool {
    let one = |text: &Option<String>| text.as_deref().is_some_and(test);
    match field {
        TextField::Url => one(&segment.http.url),
        TextField::Method => one(&segment.http.method),
        TextField::UserAgent => one(&segment.http.user_agent),
        TextField::ClientIp => one(&segment.http.client_ip),
        TextField::User => one(&segment.user),
        TextField::Name => test(&segment.name),
        TextField::Type => one(&segment.origin),
        TextField::Message => any_message(segment, test),
        TextField::AvailabilityZone => one(&segment.availability_zone),
        TextField::InstanceId => one(&segment.instance_id),
        TextField::ResourceArn => one(&segment.resource_arn),
    }
}

fn any_message(segment: &Segment, test: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = false;
    segment.walk(&mut |part| holds |= part.exceptions.iter().any(|(_, message)| test(message)));
    holds
}

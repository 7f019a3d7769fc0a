//! Root causes: the path from the root of a trace down to what made it fail or take long.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::assemble::Trace;
use super::document::Segment;

/// Why a trace went as it did, by question.
///
/// Source: X-Ray API Reference, `FaultRootCause`, `ErrorRootCause`, `ResponseTimeRootCause`.
/// Differs: AWS does not publish how paths are chosen. Here a path descends from the topmost failed
/// segment into the failed child that took longest, and for response times from the root into the
/// longest child, while that child covers a fifth of the root.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RootCauses {
    /// Server faults.
    pub fault: Vec<RootCause>,
    /// Client errors.
    pub error: Vec<RootCause>,
    /// Time spent.
    pub response_time: Vec<RootCause>,
}

/// One path, in the API's own shape.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RootCause {
    /// The nodes that it crosses, the first being the topmost.
    pub services: Vec<CauseService>,
    /// The root of the trace went the same way.
    pub client_impacting: bool,
}

/// What a path does inside one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CauseService {
    /// The node's name.
    pub name: String,
    /// Its names: the one.
    pub names: [String; 1],
    /// The node's type.
    #[serde(skip_serializing_if = "Option::is_none", rename = "Type")]
    pub kind: Option<String>,
    /// Its account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The segment and the subsegments inside it that the path goes through.
    pub entity_path: Vec<CauseEntity>,
    /// The node sent nothing itself.
    pub inferred: bool,
}

/// One segment or subsegment of a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CauseEntity {
    /// Its name.
    pub name: String,
    /// What it threw; for faults and errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<Vec<CauseException>>,
    /// Its time over that of the root; for response times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// It is a call to another node.
    pub remote: bool,
}

/// One exception of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CauseException {
    /// Its type.
    pub name: String,
    /// What it said.
    pub message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Fault,
    Error,
    ResponseTime,
}

/// So many paths are told of one trace.
const PATHS_MAX: usize = 10;
/// A child that takes a smaller part of the root's time explains little.
const COVERAGE_MIN: f64 = 0.2;

impl Trace {
    /// Finds the root causes.
    pub fn root_causes(&self) -> RootCauses {
        let mut callees: HashMap<&str, Vec<&Segment>> = HashMap::new();
        for segment in self.segments.iter().filter(|segment| !segment.is_subsegment) {
            if let Some(parent) = &segment.parent_id {
                callees.entry(parent).or_default().push(segment);
            }
        }
        let root = self.root();
        let paths = Paths { callees, whole: root.map_or(0.0, Segment::duration) };
        let Some(root) = root else { return RootCauses::default() };
        let response_time = paths.descend(root, root, Question::ResponseTime);
        RootCauses {
            fault: paths.failed(self, root, Question::Fault),
            error: paths.failed(self, root, Question::Error),
            response_time: root
                .end
                .map(|_| RootCause { services: response_time, client_impacting: true })
                .into_iter()
                .collect(),
        }
    }
}

struct Paths<'t> {
    callees: HashMap<&'t str, Vec<&'t Segment>>,
    /// Seconds that the root took.
    whole: f64,
}

impl<'t> Paths<'t> {
    fn failed(&self, trace: &'t Trace, root: &'t Segment, question: Question) -> Vec<RootCause> {
        if has_failed(root, question) {
            let services = self.descend(root, root, question);
            return vec![RootCause { services, client_impacting: true }];
        }
        // What failed and was handled: each topmost failure is a path of its own.
        let mut starts = Vec::new();
        let mut below = HashSet::new();
        for owner in &trace.segments {
            topmost(owner, owner, question, &mut starts);
        }
        for (_, start) in &starts {
            start.walk(&mut |part| {
                below.insert(part.id.as_str());
            });
        }
        let is_topmost = |(owner, part): &&(&Segment, &Segment)| {
            let parent = owner.parent_id.as_deref().filter(|_| owner.id == part.id);
            parent.is_none_or(|parent| !below.contains(parent))
        };
        starts
            .iter()
            .filter(is_topmost)
            .take(PATHS_MAX)
            .map(|(owner, start)| RootCause {
                services: self.descend(owner, start, question),
                client_impacting: false,
            })
            .collect()
    }

    fn descend(
        &self,
        owner: &'t Segment,
        start: &'t Segment,
        question: Question,
    ) -> Vec<CauseService> {
        let mut services = vec![service(owner)];
        let mut seen = HashSet::new();
        let mut at = start;
        // Documents may claim to be each other's parents.
        while seen.insert(at.id.as_str()) {
            if let Some(service) = services.last_mut() {
                service.entity_path.push(self.entity(at, question));
            }
            let inside = at.subsegments.iter().map(|inner| (false, inner));
            let called = self.callees.get(at.id.as_str()).into_iter().flatten();
            let next = called
                .map(|callee| (true, *callee))
                .chain(inside)
                .filter(|(_, child)| self.explains(child, question))
                .max_by(|(_, a), (_, b)| a.duration().total_cmp(&b.duration()));
            let Some((is_callee, child)) = next else { break };
            if is_callee {
                services.push(service(child));
            }
            at = child;
        }
        services
    }

    fn explains(&self, child: &Segment, question: Question) -> bool {
        match question {
            Question::ResponseTime => child.duration() >= self.whole * COVERAGE_MIN,
            Question::Fault | Question::Error => has_failed(child, question),
        }
    }

    fn entity(&self, part: &Segment, question: Question) -> CauseEntity {
        let exceptions = part
            .exceptions
            .iter()
            .map(|(name, message)| CauseException { name: name.clone(), message: message.clone() });
        let is_timed = question == Question::ResponseTime;
        let covers = if self.whole > 0.0 { part.duration() / self.whole } else { 1.0 };
        CauseEntity {
            name: part.name.clone(),
            exceptions: (!is_timed).then(|| exceptions.collect()),
            coverage: is_timed.then_some(covers),
            remote: part.namespace.is_some(),
        }
    }
}

fn has_failed(part: &Segment, question: Question) -> bool {
    match question {
        Question::Fault => part.flags.fault,
        Question::Error => part.flags.error || part.flags.throttle,
        Question::ResponseTime => false,
    }
}

fn topmost<'t>(
    owner: &'t Segment,
    part: &'t Segment,
    question: Question,
    found: &mut Vec<(&'t Segment, &'t Segment)>,
) {
    if has_failed(part, question) {
        found.push((owner, part));
    } else {
        part.subsegments.iter().for_each(|inner| topmost(owner, inner, question, found));
    }
}

fn service(segment: &Segment) -> CauseService {
    CauseService {
        name: segment.name.clone(),
        names: [segment.name.clone()],
        kind: segment.origin.clone(),
        account_id: segment.account_id.clone(),
        entity_path: Vec::new(),
        inferred: segment.is_inferred,
    }
}

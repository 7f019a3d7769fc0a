//! What a list of traces shows of each, and what filters look at.

use super::assemble::Trace;
use super::document::{AnnotationValue, Http, Segment};

/// A node of the service graph, as a trace names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// Its name.
    pub name: String,
    /// Its type, the segment's origin.
    pub kind: Option<String>,
    /// Its account.
    pub account_id: Option<String>,
}

/// The facts of one trace.
///
/// Source: X-Ray API Reference, `TraceSummary`.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four members of the API's own shape")]
pub struct TraceFacts {
    /// Start of the earliest segment, epoch seconds.
    pub start: f64,
    /// From the earliest start to the latest end.
    pub duration: f64,
    /// Of the root segment.
    pub response_time: Option<f64>,
    /// The root ended with a server fault.
    pub has_fault: bool,
    /// The root ended with a client error.
    pub has_error: bool,
    /// Any segment was throttled.
    pub has_throttle: bool,
    /// A segment is in progress, or one that is awaited has not come.
    pub is_partial: bool,
    /// The request of the root.
    pub http: Http,
    /// Key, value and where it was set; at most 50 keys are indexed.
    pub annotations: Vec<(String, AnnotationValue, ServiceId)>,
    /// Who caused it, and where that was said.
    pub users: Vec<(String, ServiceId)>,
    /// Every node, inferred ones too.
    pub services: Vec<ServiceId>,
    /// Resources that were named.
    pub resource_arns: Vec<String>,
    /// Instances that took part.
    pub instance_ids: Vec<String>,
    /// Zones that took part.
    pub availability_zones: Vec<String>,
    /// The node of the root.
    pub entry_point: Option<ServiceId>,
}

/// Source: X-Ray quotas, indexed annotations of one trace.
const ANNOTATIONS_MAX: usize = 50;

impl Segment {
    /// The node that the segment belongs to.
    pub fn service(&self) -> ServiceId {
        ServiceId {
            name: self.name.clone(),
            kind: self.origin.clone(),
            account_id: self.account_id.clone(),
        }
    }
}

impl Trace {
    /// Computes the facts of the trace.
    pub fn facts(&self) -> TraceFacts {
        let root = self.root();
        let real = || self.segments.iter().filter(|segment| !segment.is_inferred);
        let start = real().map(|segment| segment.start).fold(f64::INFINITY, f64::min);
        let end = real().filter_map(|segment| segment.end).fold(start, f64::max);
        let mut facts = TraceFacts {
            start,
            duration: if start.is_finite() { end - start } else { 0.0 },
            response_time: root.and_then(|root| root.end.map(|_| root.duration())),
            has_fault: root.is_some_and(|root| root.flags.fault),
            has_error: root.is_some_and(|root| root.flags.error),
            has_throttle: false,
            is_partial: false,
            http: root.map(|root| root.http.clone()).unwrap_or_default(),
            annotations: Vec::new(),
            users: Vec::new(),
            services: Vec::new(),
            resource_arns: Vec::new(),
            instance_ids: Vec::new(),
            availability_zones: Vec::new(),
            entry_point: root.map(Segment::service),
        };
        for segment in &self.segments {
            facts.add(segment);
        }
        facts
    }
}

impl TraceFacts {
    fn add(&mut self, segment: &Segment) {
        let service = segment.service();
        push_new(&mut self.services, service.clone());
        self.users.extend(segment.user.iter().map(|user| (user.clone(), service.clone())));
        let lists = [
            (&mut self.resource_arns, &segment.resource_arn),
            (&mut self.instance_ids, &segment.instance_id),
            (&mut self.availability_zones, &segment.availability_zone),
        ];
        for (list, value) in lists {
            if let Some(value) = value {
                push_new(list, value.clone());
            }
        }
        segment.walk(&mut |part| {
            self.has_throttle |= part.flags.throttle;
            self.is_partial |= part.flags.in_progress;
            for (key, value) in &part.annotations {
                let known = self.annotations.iter().any(|(own, ..)| own == key);
                if known || self.annotations.len() < ANNOTATIONS_MAX {
                    self.annotations.push((key.clone(), value.clone(), service.clone()));
                }
            }
        });
        // A callee that is traced and sent nothing was inferred from a call marked so.
        self.is_partial |= segment.is_inferred && segment.http.traced;
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

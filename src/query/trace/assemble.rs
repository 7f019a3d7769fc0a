//! Documents of one trace, in any order, put together.

use std::collections::{HashMap, HashSet};

use super::document::Segment;
use crate::telemetry::{TraceId, TraceSegment};

/// One trace: its segments with their subsegments inside, inferred ones among them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Segments by start; subsegments whose segment never came stand beside them.
    pub segments: Vec<Segment>,
}

impl Trace {
    /// Puts documents together. A complete document beats one in progress of the same id; of two
    /// alike, the later one in `documents` wins. A subsegment sent by itself replaces one of its id
    /// that came inside.
    pub fn assemble<'d>(
        id: TraceId,
        documents: impl IntoIterator<Item = &'d TraceSegment>,
    ) -> Self {
        let mut by_id: HashMap<String, Segment> = HashMap::new();
        for segment in documents.into_iter().filter_map(Segment::of) {
            let overtaken = by_id
                .get(&segment.id)
                .is_some_and(|held| !held.flags.in_progress && segment.flags.in_progress);
            if !overtaken {
                by_id.insert(segment.id.clone(), segment);
            }
        }
        let (loose, mut segments): (Vec<_>, Vec<_>) =
            by_id.into_values().partition(|segment| segment.is_subsegment);
        segments.sort_by(by_start);
        attach(&mut segments, loose);
        let mut trace = Self { id, segments };
        trace.infer();
        trace
    }

    /// The root: the earliest segment that has no parent in the trace.
    pub fn root(&self) -> Option<&Segment> {
        let known = self.ids();
        let is_root = |segment: &&Segment| {
            !segment.is_inferred
                && !segment.is_subsegment
                && segment.parent_id.as_ref().is_none_or(|parent| !known.contains(parent.as_str()))
        };
        self.segments.iter().filter(is_root).min_by(|a, b| by_start(a, b))
    }

    fn ids(&self) -> HashSet<&str> {
        let mut ids = HashSet::new();
        for segment in &self.segments {
            segment.walk(&mut |inner| {
                ids.insert(inner.id.as_str());
            });
        }
        ids
    }

    /// Makes a segment for every call whose callee sent none.
    ///
    /// Source: X-Ray Developer Guide, "Inferred segments".
    fn infer(&mut self) {
        let answered: HashSet<String> =
            self.segments.iter().filter_map(|segment| segment.parent_id.clone()).collect();
        let mut inferred = Vec::new();
        for segment in &self.segments {
            segment.walk(&mut |call| {
                let leaves = matches!(call.namespace.as_deref(), Some("aws" | "remote"));
                if call.is_subsegment && leaves && !answered.contains(&call.id) {
                    inferred.push(infer(call));
                }
            });
        }
        self.segments.extend(inferred);
        self.segments.sort_by(by_start);
    }
}

fn by_start(a: &Segment, b: &Segment) -> std::cmp::Ordering {
    a.start.total_cmp(&b.start).then_with(|| a.id.cmp(&b.id))
}

/// Puts subsegments under their parents, in as many rounds as they lie deep.
fn attach(segments: &mut Vec<Segment>, mut loose: Vec<Segment>) {
    loose.sort_by(by_start);
    loop {
        let before = loose.len();
        let mut left = Vec::new();
        for subsegment in loose {
            let parent = subsegment.parent_id.clone().unwrap_or_default();
            match segments.iter_mut().find_map(|segment| segment.find_mut(&parent)) {
                Some(parent) => {
                    match parent.subsegments.iter_mut().find(|inner| inner.id == subsegment.id) {
                        Some(inside) => *inside = subsegment,
                        None => parent.subsegments.push(subsegment),
                    }
                }
                None => left.push(subsegment),
            }
        }
        loose = left;
        if loose.is_empty() || loose.len() == before {
            break;
        }
    }
    segments.extend(loose);
}

fn infer(call: &Segment) -> Segment {
    let (name, origin) = match call.namespace.as_deref() {
        Some("aws") => {
            let service = call.name.trim_start_matches("AWS::");
            let kind = match (service, call.resource.is_some()) {
                ("DynamoDB", true) => "AWS::DynamoDB::Table".to_owned(),
                ("SQS", true) => "AWS::SQS::Queue".to_owned(),
                ("SNS", true) => "AWS::SNS::Topic".to_owned(),
                ("S3", true) => "AWS::S3::Bucket".to_owned(),
                (service, _) => format!("AWS::{service}"),
            };
            (call.resource.clone().unwrap_or_else(|| call.name.clone()), kind)
        }
        _ if call.is_sql => (call.name.clone(), "Database::SQL".to_owned()),
        _ => (call.name.clone(), "remote".to_owned()),
    };
    // The same call infers the same id each time.
    let digest = xxhash_rust::xxh3::xxh3_64(call.id.as_bytes());
    Segment {
        id: format!("{digest:016x}"),
        parent_id: Some(call.id.clone()),
        name,
        origin: Some(origin),
        namespace: None,
        is_subsegment: false,
        is_inferred: true,
        annotations: Vec::new(),
        exceptions: Vec::new(),
        links: Vec::new(),
        subsegments: Vec::new(),
        ..call.clone()
    }
}

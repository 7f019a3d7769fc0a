//! The documents of a trace as BatchGetTraces gives them: subsegments inside their segments.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::assemble::Trace;
use super::document::Segment;
use crate::telemetry::{TraceId, TraceSegment};

/// One document of a processed trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessedDocument {
    /// The segment's id.
    pub id: Arc<str>,
    /// Its JSON text: as it was sent, unless something was put into it.
    pub text: Arc<str>,
}

/// How deep a subsegment may lie to be found; readers stop there too.
const DEPTH_MAX: usize = 64;

/// Puts subsegments that came by themselves into their segments, and adds inferred segments.
///
/// Shape: segments by start; a subsegment whose parent never came stands as it was sent.
/// Source: X-Ray API Reference, BatchGetTraces; X-Ray Developer Guide, "Inferred segments".
pub fn processed(trace_id: TraceId, documents: &[Arc<TraceSegment>]) -> Vec<ProcessedDocument> {
    let mut parts: Vec<Part<'_>> = documents.iter().map(Part::of).collect();
    let mut homes: HashMap<String, usize> = HashMap::new();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_loose) {
        note_ids(&part.value, at, &mut homes, 0);
    }
    // In rounds, because a subsegment may lie in one that came by itself too.
    loop {
        let placed = place_once(&mut parts, &mut homes);
        if !placed {
            break;
        }
    }
    let inferred = Trace::assemble(trace_id, documents.iter().map(AsRef::as_ref));
    let inferred = inferred.segments.into_iter().filter(|segment| segment.is_inferred);
    let sent = parts.into_iter().filter(|part| !part.is_placed).map(Part::finish);
    sent.chain(inferred.map(|segment| inferred_document(trace_id, &segment))).collect()
}

struct Part<'d> {
    source: &'d Arc<TraceSegment>,
    value: Value,
    /// A subsegment that came by itself.
    is_loose: bool,
    is_placed: bool,
    is_changed: bool,
}

impl<'d> Part<'d> {
    fn of(source: &'d Arc<TraceSegment>) -> Self {
        let value: Value = serde_json::from_str(&source.document).unwrap_or_default();
        let is_loose = value.get("type").and_then(Value::as_str) == Some("subsegment");
        Self { source, value, is_loose, is_placed: false, is_changed: false }
    }

    fn finish(self) -> ProcessedDocument {
        let text = match self.is_changed {
            true => self.value.to_string().into(),
            false => Arc::clone(&self.source.document),
        };
        ProcessedDocument { id: Arc::clone(&self.source.id), text }
    }
}

fn note_ids(value: &Value, at: usize, homes: &mut HashMap<String, usize>, depth: usize) {
    if let Some(id) = value.get("id").and_then(Value::as_str) {
        homes.insert(id.to_owned(), at);
    }
    let inner = value.get("subsegments").and_then(Value::as_array);
    for inner in inner.into_iter().flatten().filter(|_| depth < DEPTH_MAX) {
        note_ids(inner, at, homes, depth + 1);
    }
}

fn place_once(parts: &mut [Part<'_>], homes: &mut HashMap<String, usize>) -> bool {
    let mut placed = false;
    for at in 0..parts.len() {
        let Some(part) = parts.get(at).filter(|part| part.is_loose && !part.is_placed) else {
            continue;
        };
        let parent = part.value.get("parent_id").and_then(Value::as_str).unwrap_or_default();
        let Some((home, parent)) = homes.get(parent).map(|home| (*home, parent.to_owned())) else {
            continue;
        };
        let mut child = part.value.clone();
        if let Value::Object(members) = &mut child {
            for name in ["trace_id", "parent_id", "type"] {
                members.shift_remove(name);
            }
        }
        note_ids(&child, home, homes, 0);
        if let Some(part) = parts.get_mut(at) {
            part.is_placed = true;
        }
        if let Some(home) = parts.get_mut(home) {
            home.is_changed |= insert(&mut home.value, &parent, child, 0).is_none();
        }
        placed = true;
    }
    placed
}

/// Puts `child` under `parent`; gives it back when `parent` is not below `value`.
fn insert(value: &mut Value, parent: &str, child: Value, depth: usize) -> Option<Value> {
    let Value::Object(members) = value else { return Some(child) };
    if members.get("id").and_then(Value::as_str) == Some(parent) {
        let list = members.entry("subsegments").or_insert_with(|| json!([]));
        let Value::Array(list) = list else { return None };
        let id = child.get("id").cloned();
        match list.iter_mut().find(|inner| inner.get("id") == id.as_ref()) {
            Some(inside) => *inside = child,
            None => list.push(child),
        }
        return None;
    }
    let mut child = child;
    let list = members.get_mut("subsegments").and_then(Value::as_array_mut);
    for inner in list.into_iter().flatten().filter(|_| depth < DEPTH_MAX) {
        child = insert(inner, parent, child, depth + 1)?;
    }
    Some(child)
}

fn inferred_document(trace_id: TraceId, segment: &Segment) -> ProcessedDocument {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("id", segment.id.as_str().into());
    put("name", segment.name.as_str().into());
    put("trace_id", trace_id.to_string().into());
    put("parent_id", segment.parent_id.clone().into());
    put("start_time", segment.start.into());
    match segment.end {
        Some(end) => put("end_time", end.into()),
        None => put("in_progress", true.into()),
    };
    put("origin", segment.origin.clone().into());
    put("inferred", true.into());
    let flags = segment.flags;
    for (name, is_set) in
        [("error", flags.error), ("throttle", flags.throttle), ("fault", flags.fault)]
    {
        if is_set {
            put(name, true.into());
        }
    }
    if let Some(status) = segment.http.status {
        put("http", json!({ "response": { "status": status } }));
    }
    let text: Arc<str> = Value::Object(members).to_string().into();
    ProcessedDocument { id: segment.id.as_str().into(), text }
}

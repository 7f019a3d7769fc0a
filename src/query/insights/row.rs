//! Records as they are fed, and rows as they travel down the pipe.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value as Json;

use super::body::{Body, Field, Pointer};
use super::known;
use super::value::Value;
use crate::time::Timestamp;

/// One log event, as the caller feeds it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// When it was taken in.
    pub ingestion_time: Timestamp,
    /// What it says.
    pub body: &'a dyn Body,
    /// `account:group`.
    pub log: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// What `@ptr` shows; opaque, and rising with arrival among the records of one instant.
    pub pointer: Pointer<'a>,
}

/// A row: a record, or the result of a command, and what was computed on top.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    origin: Origin<'a>,
    discovered: OnceCell<Option<Arc<Json>>>,
    computed: Vec<(Arc<str>, Value)>,
}

/// Where a row comes from.
#[derive(Clone, Debug)]
enum Origin<'a> {
    Nothing,
    Fed(Record<'a>),
    Kept(Arc<KeptRecord>),
}

/// A record that outlives the feeding of it.
#[derive(Debug)]
struct KeptRecord {
    timestamp: Timestamp,
    ingestion_time: Timestamp,
    message: String,
    log: String,
    stream: String,
    pointer: String,
}

/// Source: CloudWatch Logs quotas, discovered fields of one log event.
const DISCOVERED_MAX: usize = 200;

impl<'a> Row<'a> {
    pub(super) fn of_record(record: &Record<'a>) -> Self {
        let origin = Origin::Fed(*record);
        Self { origin, discovered: OnceCell::new(), computed: Vec::new() }
    }

    pub(super) const fn of_values(computed: Vec<(Arc<str>, Value)>) -> Self {
        Self { origin: Origin::Nothing, discovered: OnceCell::new(), computed }
    }

    /// The same row, holding a copy of its record.
    pub(super) fn into_owned(self) -> Row<'static> {
        let origin = match self.origin {
            Origin::Nothing => Origin::Nothing,
            Origin::Kept(kept) => Origin::Kept(kept),
            Origin::Fed(record) => Origin::Kept(Arc::new(KeptRecord {
                timestamp: record.timestamp,
                ingestion_time: record.ingestion_time,
                message: record.body.text().into_owned(),
                log: record.log.to_owned(),
                stream: record.stream.to_owned(),
                pointer: record.pointer.0.to_string(),
            })),
        };
        Row { origin, discovered: self.discovered, computed: self.computed }
    }

    pub(super) fn record(&self) -> Option<Record<'_>> {
        match &self.origin {
            Origin::Nothing => None,
            Origin::Fed(record) => Some(*record),
            Origin::Kept(kept) => Some(Record {
                timestamp: kept.timestamp,
                ingestion_time: kept.ingestion_time,
                body: &kept.message,
                log: &kept.log,
                stream: &kept.stream,
                pointer: Pointer(&kept.pointer),
            }),
        }
    }

    pub(super) fn computed(&self) -> &[(Arc<str>, Value)] {
        &self.computed
    }

    /// Whether a value of this name was computed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.computed.iter().any(|(own, _)| &**own == name)
    }

    pub(super) fn set(&mut self, name: &Arc<str>, value: Value) {
        match self.computed.iter_mut().find(|(own, _)| own == name) {
            Some((_, slot)) => *slot = value,
            None => self.computed.push((Arc::clone(name), value)),
        }
    }

    /// The value of a field: computed ones first, then system fields, then what the message holds.
    pub(super) fn get(&self, name: &str) -> Value {
        if let Some((_, value)) = self.computed.iter().find(|(own, _)| &**own == name) {
            return value.clone();
        }
        if let Some(value) = self.path_of_computed(name) {
            return value;
        }
        self.record().map_or(Value::Null, |record| self.in_message(&record, name))
    }

    /// `j.a.b`, where `j` is a map that was computed.
    fn path_of_computed(&self, name: &str) -> Option<Value> {
        let (at, _) = name.match_indices('.').find(|(at, _)| {
            let head = name.get(..*at).unwrap_or("");
            self.computed
                .iter()
                .any(|(own, value)| &**own == head && matches!(value, Value::Json(_)))
        })?;
        let (head, tail) = (name.get(..at)?, name.get(at + 1..)?);
        let (_, value) = self.computed.iter().find(|(own, _)| &**own == head)?;
        let Value::Json(json) = value else { return None };
        Some(navigate(json, tail).map_or(Value::Null, Value::of_json))
    }

    fn in_message(&self, record: &Record<'_>, name: &str) -> Value {
        match name {
            "@timestamp" => Value::Timestamp(record.timestamp),
            "@ingestionTime" => Value::Timestamp(record.ingestion_time),
            "@message" => Value::text(&record.body.text()),
            "@logStream" => Value::text(record.stream),
            "@log" => Value::text(record.log),
            "@ptr" => Value::text(&record.pointer.0.to_string()),
            "@aws.account" => {
                record.log.split_once(':').map_or(Value::Null, |(a, _)| Value::text(a))
            }
            _ => match name.strip_prefix('@') {
                // A discovered name that starts with @ is shown with a second one.
                Some(own) if own.starts_with('@') => self.discovered_field(record, own),
                Some(_) => known::lambda(&record.body.text(), name),
                None => self.discovered_field(record, name),
            },
        }
    }

    /// The number that a field holds, without its text where it is kept as one.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        if self.computed.is_empty()
            && !name.starts_with('@')
            && let Some(record) = self.record()
        {
            match record.body.field(name) {
                #[expect(clippy::cast_precision_loss, reason = "as its text would be read")]
                Field::Integer(number) => return Some(number as f64),
                Field::Real(number) => return Some(number),
                _ => {}
            }
        }
        self.get(name).number()
    }

    fn discovered_field(&self, record: &Record<'_>, name: &str) -> Value {
        if let Some(value) = Value::of_field(record.body.field(name)) {
            return value;
        }
        let Some(root) = self.discovered(record) else { return Value::Null };
        let Some(node) = navigate(root, name) else { return Value::Null };
        // Only a message of some length can hold more fields than are discovered.
        let may_exceed = record.body.text().len() > DISCOVERED_MAX * 5;
        if may_exceed && position(root, node).is_none_or(|at| at >= DISCOVERED_MAX) {
            return Value::Null;
        }
        Value::of_json(node)
    }

    fn discovered(&self, record: &Record<'_>) -> Option<&Json> {
        let parse = || known::json_part(&record.body.text()).map(Arc::new);
        self.discovered.get_or_init(parse).as_deref()
    }
}

impl Record<'_> {
    /// The names and values of every discovered field of the message.
    pub fn discovered_fields(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let Some(root) = known::json_part(&self.body.text()) {
            flatten(&root, &mut String::new(), &mut found);
        }
        found
    }
}

/// Walks `a.b.0.c`; a key that holds dots itself wins over a path.
pub(super) fn navigate<'j>(node: &'j Json, path: &str) -> Option<&'j Json> {
    match node {
        Json::Object(members) => members.get(path).or_else(|| {
            path.match_indices('.').find_map(|(at, _)| {
                let below = members.get(path.get(..at)?)?;
                navigate(below, path.get(at + 1..)?)
            })
        }),
        Json::Array(items) => match path.split_once('.') {
            Some((index, rest)) => navigate(items.get(index.parse::<usize>().ok()?)?, rest),
            None => items.get(path.parse::<usize>().ok()?),
        },
        _ => None,
    }
}

/// How many leaves of `root` come before `target`.
fn position(root: &Json, target: &Json) -> Option<usize> {
    fn walk(node: &Json, target: &Json, count: &mut usize) -> bool {
        if std::ptr::eq(node, target) {
            return true;
        }
        match node {
            Json::Object(members) => members.values().any(|below| walk(below, target, count)),
            Json::Array(items) => items.iter().any(|below| walk(below, target, count)),
            _ => {
                *count += 1;
                false
            }
        }
    }
    let mut count = 0;
    walk(root, target, &mut count).then_some(count)
}

fn flatten(node: &Json, path: &mut String, found: &mut Vec<(String, String)>) {
    let length = path.len();
    let mut below = |name: &str, node: &Json, found: &mut Vec<(String, String)>| {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        flatten(node, path, found);
        path.truncate(length);
    };
    match node {
        Json::Object(members) => members.iter().for_each(|(name, node)| below(name, node, found)),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(i, node)| below(&i.to_string(), node, found));
        }
        Json::Null => {}
        leaf if found.len() < DISCOVERED_MAX => {
            found.push((path.clone(), Value::of_json(leaf).shown()));
        }
        _ => {}
    }
}

//! Finds the few patterns that an event may match, by one telling condition of each.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::matcher::{Matcher, Shape};
use super::tree::{Field, Fields, any_leaf};

/// The position of a pattern in its set.
pub(super) type Slot = u32;

/// Patterns by one condition each must fulfil, read field by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By the first segments of a path, down to the indexed field.
    below: HashMap<String, Index>,
    texts: HashMap<String, Vec<Slot>>,
    prefixes: Affixes,
    /// Reversed, so that they are prefixes too.
    suffixes: Affixes,
    numbers: HashMap<u64, Vec<Slot>>,
    /// Patterns whose condition on this field no table can tell; tried when the field is there.
    present: Vec<Slot>,
}

/// How well a condition tells events apart; larger is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Present,
    Affix(usize),
    Exact,
}

impl Index {
    /// Enters a pattern under its most telling condition; `false` when it has none, so that it must
    /// always be tried.
    pub(super) fn insert(&mut self, fields: &Fields, slot: Slot) -> bool {
        let mut path = Vec::new();
        let mut best = None;
        survey(fields, &mut path, &mut best);
        let Some((_, path, matchers)) = best else { return false };
        let mut index = self;
        for segment in path {
            index = index.below.entry(segment).or_default();
        }
        matchers.iter().for_each(|matcher| index.enter(matcher, slot));
        true
    }

    fn enter(&mut self, matcher: &Matcher, slot: Slot) {
        match matcher {
            Matcher::Text(text) if !text.contains([':', '.']) => {
                self.texts.entry(text.clone()).or_default().push(slot);
            }
            // A text that may be an address has several spellings.
            Matcher::Text(text) if text.parse::<core::net::IpAddr>().is_err() => {
                self.texts.entry(text.clone()).or_default().push(slot);
            }
            Matcher::Number(number) => {
                self.numbers.entry(key_of(*number)).or_default().push(slot);
            }
            Matcher::Shape(shape) => match affix(shape) {
                Some(Affix::Prefix(text)) => self.prefixes.insert(text.bytes().collect(), slot),
                Some(Affix::Suffix(text)) => {
                    self.suffixes.insert(text.bytes().rev().collect(), slot);
                }
                None => self.present.push(slot),
            },
            _ => self.present.push(slot),
        }
    }

    /// Adds the patterns that `node` may match.
    pub(super) fn candidates(&self, node: &Value, found: &mut Vec<Slot>) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.candidates(item, found)),
            Value::Object(members) => {
                for (name, below) in &self.below {
                    if let Some(value) = members.get(name) {
                        below.leaves(value, found);
                        below.candidates(value, found);
                    }
                }
                self.dotted(members, found);
            }
            _ => {}
        }
    }

    /// A key with dots is a path of its own.
    fn dotted(&self, members: &Map<String, Value>, found: &mut Vec<Slot>) {
        for (key, value) in members.iter().filter(|(key, _)| key.contains('.')) {
            let below = key.split('.').try_fold(self, |index, part| index.below.get(part));
            if let Some(below) = below {
                below.leaves(value, found);
                below.candidates(value, found);
            }
        }
    }

    fn leaves(&self, value: &Value, found: &mut Vec<Slot>) {
        if !self.present.is_empty() && any_leaf(value, &|_| true) {
            found.extend(&self.present);
        }
        self.leaf(value, found);
    }

    fn leaf(&self, value: &Value, found: &mut Vec<Slot>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.leaf(item, found)),
            Value::String(text) => {
                found.extend(self.texts.get(text.as_str()).into_iter().flatten());
                self.prefixes.of(text.bytes(), found);
                self.suffixes.of(text.bytes().rev(), found);
            }
            Value::Number(number) => {
                let key = number.as_f64().map(key_of);
                found.extend(key.and_then(|key| self.numbers.get(&key)).into_iter().flatten());
            }
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }
}

/// The same key for equal numbers: 0.0 and -0.0 are equal.
fn key_of(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

enum Affix<'a> {
    Prefix(&'a str),
    Suffix(&'a str),
}

fn affix(shape: &Shape) -> Option<Affix<'_>> {
    match shape {
        Shape::Prefix(text) if !text.is_empty() => Some(Affix::Prefix(text)),
        Shape::Suffix(text) if !text.is_empty() => Some(Affix::Suffix(text)),
        Shape::Wildcard(wildcard) => {
            let (head, tail) = (wildcard.head(), wildcard.tail());
            match (head.len(), tail.len()) {
                (0, 0) => None,
                (head_len, tail_len) if head_len >= tail_len => Some(Affix::Prefix(head)),
                _ => Some(Affix::Suffix(tail)),
            }
        }
        _ => None,
    }
}

type Best<'f> = Option<(Worth, Vec<String>, &'f [Matcher])>;

/// Looks for the most telling condition outside any `$or`. Names with dots stand for paths too, so
/// they are left out.
fn survey<'f>(fields: &'f Fields, path: &mut Vec<String>, best: &mut Best<'f>) {
    for (name, field) in &fields.fields {
        if name.contains('.') {
            continue;
        }
        path.push(name.clone());
        match field {
            Field::Object(inner) => survey(inner, path, best),
            Field::Leaf(matchers) => {
                let worth = matchers.iter().map(worth).min().flatten();
                if let Some(worth) = worth
                    && best.as_ref().is_none_or(|(held, ..)| worth > *held)
                {
                    *best = Some((worth, path.clone(), matchers));
                }
            }
        }
        path.pop();
    }
}

/// `None` when events without the field may match.
fn worth(matcher: &Matcher) -> Option<Worth> {
    match matcher {
        Matcher::Exists(false) => None,
        Matcher::Text(_) | Matcher::Number(_) => Some(Worth::Exact),
        Matcher::Shape(shape) => Some(match affix(shape) {
            Some(Affix::Prefix(text) | Affix::Suffix(text)) => Worth::Affix(text.len()),
            None => Worth::Present,
        }),
        _ => Some(Worth::Present),
    }
}

/// Byte strings, found as the prefixes of another one.
#[derive(Clone, Debug, Default)]
struct Affixes {
    by_bytes: BTreeMap<Box<[u8]>, Vec<Slot>>,
    /// The lengths that occur, each tried once.
    lengths: Vec<usize>,
}

impl Affixes {
    fn insert(&mut self, bytes: Box<[u8]>, slot: Slot) {
        if let Err(at) = self.lengths.binary_search(&bytes.len()) {
            self.lengths.insert(at, bytes.len());
        }
        self.by_bytes.entry(bytes).or_default().push(slot);
    }

    fn of(&self, bytes: impl Iterator<Item = u8>, found: &mut Vec<Slot>) {
        let Some(longest) = self.lengths.last() else { return };
        let bytes: Vec<u8> = bytes.take(*longest).collect();
        for length in &self.lengths {
            let Some(head) = bytes.get(..*length) else { return };
            found.extend(self.by_bytes.get(head).into_iter().flatten());
        }
    }
}

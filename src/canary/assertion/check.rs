use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::compare::{measured, plain, same, says};
use super::describe::shortened;
use super::difference;
use super::seen::{Node, Seen};
use super::vocabulary::{Predicate, Quantity, ValueType};
use crate::canary::json_schema::JsonSchema;
use crate::canary::template::TemplateValue;

/// Why a predicate does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// What should have been: `equals 200`.
    pub expected: String,
    /// What was.
    pub actual: String,
    /// Where in the answer, when the subject alone does not say it.
    pub place: Option<String>,
    /// A line-by-line difference, for long texts and JSON.
    pub diff: Option<String>,
}

type Checked = Result<(), Mismatch>;

impl Predicate {
    /// Checks what was seen. Texts in the predicate were rendered before, or hold no templates.
    ///
    /// What is not there fulfils nothing but `exists: false` and a count. Where several nodes were
    /// selected, `equals` and `contains` look at the list of them, everything else at each one.
    pub fn check(&self, seen: &Seen<'_>) -> Checked {
        match self {
            Self::Exists(wanted) => {
                let exists = match seen {
                    Seen::Absent(_) => false,
                    Seen::Nodes(nodes) => !nodes.is_empty(),
                    _ => true,
                };
                if exists == *wanted { Ok(()) } else { Err(self.mismatch(seen)) }
            }
            Self::Count(inner) => {
                let count = match seen {
                    Seen::Absent(_) => 0,
                    Seen::Nodes(nodes) => nodes.len(),
                    Seen::Value(value) => value.as_array().map_or(1, Vec::len),
                    Seen::Text(_) | Seen::Time { .. } => 1,
                };
                let counted = inner.check(&Seen::number(count));
                counted.map_err(|inner| Mismatch { expected: self.to_string(), ..inner })
            }
            Self::All(all) => all.iter().try_for_each(|predicate| predicate.check(seen)),
            Self::Not(inner) => self.check_not(inner, seen),
            _ if is_absent(seen) => Err(self.mismatch(seen)),
            Self::Equals(expected) => self.check_equals(&literal(expected), seen),
            Self::Contains(expected) => self.check_contains(&literal(expected), seen),
            _ => match seen {
                Seen::Nodes(nodes) => nodes.iter().try_for_each(|node| {
                    self.check_one(&Seen::Nodes(vec![node.clone()])).map_err(|fault| {
                        let place = (nodes.len() > 1).then(|| node.place.clone());
                        Mismatch { place: fault.place.or(place), ..fault }
                    })
                }),
                seen => self.check_one(seen),
            },
        }
    }

    /// Checks a single value by one of the predicates that look at each one.
    fn check_one(&self, seen: &Seen<'_>) -> Checked {
        let holds = match self {
            Self::StartsWith(text) => text_of(seen).is_some_and(|t| t.starts_with(text.source())),
            Self::EndsWith(text) => text_of(seen).is_some_and(|t| t.ends_with(text.source())),
            Self::Matches(regex) => text_of(seen).is_some_and(|text| regex.is_match(&text)),
            Self::Under(limit) => ordered(seen, limit).is_some_and(|(a, b)| a < b),
            Self::Over(limit) => ordered(seen, limit).is_some_and(|(a, b)| a > b),
            Self::Between(low, high) => {
                let above = ordered(seen, low).is_some_and(|(a, b)| a >= b);
                above && ordered(seen, high).is_some_and(|(a, b)| a <= b)
            }
            Self::OneOf(values) => {
                values.iter().any(|value| Self::Equals(value.clone()).check(seen).is_ok())
            }
            Self::Is(value_type) => is_of_type(seen, *value_type),
            Self::Length(inner) => return self.check_length(inner, seen),
            Self::Schema(schema) => return self.check_schema(schema, seen),
            Self::StatusClass(class) => is_of_class(seen, *class),
            // The others were looked at as a whole.
            _ => return self.check(seen),
        };
        if holds { Ok(()) } else { Err(self.mismatch(seen)) }
    }

    fn mismatch(&self, seen: &Seen<'_>) -> Mismatch {
        let wrong_kind = match self {
            Self::Under(limit) | Self::Over(limit) | Self::Between(limit, _) => {
                !is_absent(seen) && ordered(seen, limit).is_none()
            }
            _ => false,
        };
        let actual = match seen {
            _ if wrong_kind => format!("{seen}, which cannot be compared with it"),
            seen => seen.to_string(),
        };
        Mismatch { expected: self.to_string(), actual, place: None, diff: None }
    }

    fn check_not(&self, inner: &Self, seen: &Seen<'_>) -> Checked {
        let looks_at_absence = matches!(inner, Self::Exists(_) | Self::Count(_) | Self::Not(_));
        if is_absent(seen) && !looks_at_absence {
            return Err(self.mismatch(seen));
        }
        if inner.check(seen).is_err() {
            return Ok(());
        }
        let mut mismatch = self.mismatch(seen);
        if let (Some(text), Some((start, end))) = (text_of(seen), found(inner, seen)) {
            let (line, excerpt) = around(&text, start, end);
            if text.contains('\n') {
                mismatch.place = Some(format!("line {line}"));
            }
            mismatch.actual = excerpt;
        }
        Err(mismatch)
    }

    fn check_equals(&self, expected: &Value, seen: &Seen<'_>) -> Checked {
        let (holds, actual) = match seen {
            Seen::Text(text) => {
                let actual = Value::from(text.as_ref());
                (says(&actual, expected), actual)
            }
            Seen::Value(value) => (says(value, expected), value.as_ref().clone()),
            Seen::Nodes(nodes) => match nodes.as_slice() {
                [only] => (same(&only.value, expected), only.value.as_ref().clone()),
                nodes => {
                    let all: Value = nodes.iter().map(|node| node.value.as_ref().clone()).collect();
                    (same(&all, expected), all)
                }
            },
            Seen::Time { .. } | Seen::Absent(_) => {
                let quantity = as_quantity(expected);
                let equal = quantity.and_then(|expected| measured(seen, &expected));
                (equal.is_some_and(|(a, b)| a == b), Value::Null)
            }
        };
        if holds {
            return Ok(());
        }
        let mut mismatch = self.mismatch(seen);
        mismatch.diff = difference::of(expected, &actual);
        mismatch.place = first_difference(expected, &actual);
        if ValueType::of(&actual) != ValueType::of(expected)
            && plain(&actual) == plain(expected)
            && matches!(seen, Seen::Nodes(_))
        {
            let types = (ValueType::of(&actual).as_str(), ValueType::of(expected).as_str());
            mismatch.actual = format!("{} (a {}, not a {})", mismatch.actual, types.0, types.1);
        }
        Err(mismatch)
    }

    fn check_contains(&self, expected: &Value, seen: &Seen<'_>) -> Checked {
        let holds = match seen {
            Seen::Text(text) => text.contains(&plain(expected)),
            Seen::Value(value) => holds_value(value, expected, says),
            Seen::Nodes(nodes) => match nodes.as_slice() {
                [only] => holds_value(&only.value, expected, same),
                nodes => nodes.iter().any(|node| contains_or_is(node, expected)),
            },
            Seen::Time { .. } | Seen::Absent(_) => false,
        };
        if holds { Ok(()) } else { Err(self.mismatch(seen)) }
    }

    fn check_length(&self, inner: &Self, seen: &Seen<'_>) -> Checked {
        let length = match seen {
            Seen::Text(text) => Some(text.chars().count()),
            Seen::Value(value) => length(value),
            Seen::Nodes(nodes) => nodes.first().and_then(|node| length(&node.value)),
            Seen::Time { .. } | Seen::Absent(_) => None,
        };
        let Some(length) = length else {
            let actual = format!("{seen}, which has no length");
            return Err(Mismatch { actual, ..self.mismatch(seen) });
        };
        inner.check(&Seen::number(length)).map_err(|_inner| {
            let actual = format!("length {length}: {seen}");
            Mismatch { actual, ..self.mismatch(seen) }
        })
    }

    fn check_schema(&self, schema: &JsonSchema, seen: &Seen<'_>) -> Checked {
        let value = match seen {
            Seen::Nodes(nodes) => nodes.first().map(|node| Cow::Borrowed(node.value.as_ref())),
            Seen::Value(value) => Some(Cow::Borrowed(value.as_ref())),
            Seen::Text(text) => serde_json::from_str(text).ok().map(Cow::Owned),
            Seen::Time { .. } | Seen::Absent(_) => None,
        };
        let Some(value) = value else {
            let actual = format!("{seen}, which is not JSON");
            return Err(Mismatch { actual, ..self.mismatch(seen) });
        };
        let faults = schema.faults(&value);
        let Some(first) = faults.first() else { return Ok(()) };
        let listed: Vec<_> = faults
            .iter()
            .map(|fault| format!("{}: {}", at_pointer(&fault.pointer), fault.problem))
            .collect();
        Err(Mismatch {
            actual: shortened(&first.problem),
            place: Some(at_pointer(&first.pointer)),
            diff: (listed.len() > 1).then(|| listed.join("\n")),
            ..self.mismatch(seen)
        })
    }
}

fn at_pointer(pointer: &str) -> String {
    if pointer.is_empty() { "the whole value".to_owned() } else { pointer.to_owned() }
}

fn is_absent(seen: &Seen<'_>) -> bool {
    match seen {
        Seen::Absent(_) => true,
        Seen::Nodes(nodes) => nodes.is_empty(),
        _ => false,
    }
}

/// A rendered operand; one that still holds templates is compared as it was written.
fn literal(value: &TemplateValue) -> Cow<'_, Value> {
    match value {
        TemplateValue::Literal(value) => Cow::Borrowed(value),
        TemplateValue::Text(text) => Cow::Owned(Value::from(text.source())),
        TemplateValue::List(items) => {
            Cow::Owned(items.iter().map(|item| literal(item).into_owned()).collect())
        }
        TemplateValue::Object(members) => {
            let members =
                members.iter().map(|(key, member)| (key.to_string(), literal(member).into_owned()));
            Cow::Owned(Value::Object(members.collect()))
        }
    }
}

fn text_of<'s>(seen: &'s Seen<'_>) -> Option<Cow<'s, str>> {
    let of_value = |value: &'s Value| match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    };
    match seen {
        Seen::Text(text) => Some(Cow::Borrowed(text.as_ref())),
        Seen::Value(value) => of_value(value),
        Seen::Nodes(nodes) => match nodes.as_slice() {
            [only] => of_value(&only.value),
            _ => None,
        },
        Seen::Time { .. } | Seen::Absent(_) => None,
    }
}

fn ordered(seen: &Seen<'_>, limit: &Quantity) -> Option<(f64, f64)> {
    measured(seen, limit)
}

fn as_quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::Number(number) => number.as_f64().map(Quantity::Number),
        Value::String(text) => crate::canary::quantity::duration(text).map(Quantity::Duration),
        _ => None,
    }
}

fn is_of_type(seen: &Seen<'_>, wanted: ValueType) -> bool {
    match seen {
        Seen::Text(text) => match wanted {
            ValueType::String => true,
            ValueType::Number => crate::canary::quantity::number(text).is_some(),
            ValueType::Boolean => matches!(text.as_ref(), "true" | "false"),
            ValueType::Null | ValueType::List | ValueType::Object => false,
        },
        Seen::Value(value) => ValueType::of(value) == wanted,
        Seen::Nodes(nodes) => nodes.iter().all(|node| ValueType::of(&node.value) == wanted),
        Seen::Time { .. } => wanted == ValueType::Number,
        Seen::Absent(_) => false,
    }
}

fn is_of_class(seen: &Seen<'_>, class: u16) -> bool {
    let text = text_of(seen).unwrap_or_default();
    let by_number = text.parse::<u16>().is_ok_and(|status| status / 100 == class);
    by_number || *text == *format!("{class}xx")
}

fn holds_value(value: &Value, expected: &Value, equal: fn(&Value, &Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| equal(item, expected)),
        Value::Object(members) => match expected {
            Value::Object(wanted) => wanted
                .iter()
                .all(|(key, value)| members.get(key).is_some_and(|member| equal(member, value))),
            Value::String(key) => members.contains_key(key),
            _ => false,
        },
        Value::String(text) => text.contains(&plain(expected)),
        Value::Number(_) | Value::Bool(_) => value.to_string().contains(&plain(expected)),
        Value::Null => false,
    }
}

/// Of several nodes, one is it; or, texts being what selectors yield, one holds it.
fn contains_or_is(node: &Node<'_>, expected: &Value) -> bool {
    match (node.value.as_ref(), expected) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (value, expected) => same(value, expected),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Where an unwanted text was found.
fn found(unwanted: &Predicate, seen: &Seen<'_>) -> Option<(usize, usize)> {
    let text = text_of(seen)?;
    match unwanted {
        Predicate::Contains(part) => {
            let part = plain(&literal(part));
            text.find(&part).map(|at| (at, at + part.len()))
        }
        Predicate::Matches(regex) => Regex::find(regex, &text).map(|at| (at.start(), at.end())),
        _ => None,
    }
}

/// The 1-based line of an offset, and what stands around it.
fn around(text: &str, start: usize, end: usize) -> (usize, String) {
    const CONTEXT_CHARS: usize = 60;
    let before = text.get(..start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let lead: Vec<char> =
        before.chars().rev().take_while(|c| *c != '\n').take(CONTEXT_CHARS).collect();
    let lead: String = lead.into_iter().rev().collect();
    let rest = text.get(end..).unwrap_or("");
    let tail: String = rest.chars().take_while(|c| *c != '\n').take(CONTEXT_CHARS).collect();
    let hit = text.get(start..end).unwrap_or("");
    (line, format!("found it in: {lead}{hit}{tail}"))
}

/// The first line of a long text, or the first member of an object, that differs.
fn first_difference(expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) if actual.contains('\n') => {
            let same = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
            Some(format!("line {}", same + 1))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let keys = expected.keys().chain(actual.keys());
            let differs = |key: &&String| match (expected.get(*key), actual.get(*key)) {
                (Some(a), Some(b)) => !same(a, b),
                _ => true,
            };
            let key = keys.into_iter().find(differs)?;
            let inner = expected.get(key).zip(actual.get(key));
            let inner = inner.and_then(|(a, b)| first_difference(a, b)).unwrap_or_default();
            Some(format!(".{key}{inner}"))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            let same = expected.iter().zip(actual).take_while(|(a, b)| same(a, b)).count();
            let inner = expected.get(same).zip(actual.get(same));
            let inner = inner.and_then(|(a, b)| first_difference(a, b)).unwrap_or_default();
            Some(format!("[{same}]{inner}"))
        }
        _ => None,
    }
}

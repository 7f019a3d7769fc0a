//! The one vocabulary of predicates, in its short form (a text) and its long form (a map).

use serde_json::Value;

use super::fields::Fields;
use super::reader::Reader;
use super::shapes;
use crate::canary::assertion::{Predicate, Quantity, ValueType};
use crate::canary::document::{Node, NodeValue};
use crate::canary::json_schema::JsonSchema;
use crate::canary::template::{TemplateValue, Text};
use crate::canary::{quantity, regex_limits};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

pub(super) const VALUE_TYPES: &[(&str, ValueType)] = &[
    ("null", ValueType::Null),
    ("boolean", ValueType::Boolean),
    ("number", ValueType::Number),
    ("string", ValueType::String),
    ("list", ValueType::List),
    ("object", ValueType::Object),
];

/// BOUND: `not not not ..` recurses.
const DEPTH_MAX: usize = 8;

/// Reads a predicate in either form.
pub(super) fn predicate(node: &Node, reader: &mut Reader<'_>) -> Option<Predicate> {
    match &node.value {
        NodeValue::Map(_) => long(node, reader),
        NodeValue::Text(text) => short(text, node.span, 0, reader),
        _ => reader.value(node).map(Predicate::Equals),
    }
}

fn long(node: &Node, reader: &mut Reader<'_>) -> Option<Predicate> {
    if is_object(node) {
        let message = "this map has no word of the vocabulary";
        let fault = Diagnostic::error("predicate", message, node.span);
        reader.push(fault.help("to compare with an object, write `equals: { .. }`"));
        return None;
    }
    let fields = Fields::of(node, node.span, &shapes::PREDICATE, reader)?;
    let mut all = Vec::new();
    for entry in fields.entries() {
        all.extend(member(&entry.key, &entry.value, reader));
    }
    if fields.entries().is_empty() {
        let message = "this says nothing: name what must hold, or write `equals: {}`";
        reader.error("empty-predicate", message, node.span);
        return None;
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Predicate::All(all)),
    }
}

/// Whether a map is meant as the object to be equal to: none of its keys is even nearly a word.
fn is_object(node: &Node) -> bool {
    let words = || shapes::PREDICATE.key_names();
    let is_word = |key: &str| words().any(|word| word == key);
    let entries = node.as_map().unwrap_or_default();
    let is_slip = |key: &str| entries.len() == 1 && did_you_mean(key, words()).is_some();
    !entries.is_empty() && !entries.iter().any(|each| is_word(&each.key) || is_slip(&each.key))
}

fn member(key: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Predicate> {
    Some(match key {
        "equals" => Predicate::Equals(reader.value(node)?),
        "not" => Predicate::Not(Box::new(predicate(node, reader)?)),
        "contains" => Predicate::Contains(reader.value(node)?),
        "starts_with" => Predicate::StartsWith(reader.template(node)?),
        "ends_with" => Predicate::EndsWith(reader.template(node)?),
        "matches" => {
            let text = reader.text(node)?;
            matches(&text, node.span, reader)?
        }
        "under" => Predicate::Under(quantity_of(node, reader)?),
        "over" => Predicate::Over(quantity_of(node, reader)?),
        "between" => match reader.list(node)? {
            [low, high] => {
                let low = quantity_of(low, reader);
                Predicate::Between(low?, quantity_of(high, reader)?)
            }
            _ => {
                reader.error("wrong-type", "`between` takes a list of two", node.span);
                return None;
            }
        },
        "one_of" => {
            let items = reader.list(node)?;
            let items: Vec<_> = items.iter().map(|item| reader.value(item)).collect();
            Predicate::OneOf(items.into_iter().collect::<Option<_>>()?)
        }
        "exists" => Predicate::Exists(reader.boolean(node)?),
        "is" => Predicate::Is(reader.choice(node, VALUE_TYPES)?),
        "length" => Predicate::Length(Box::new(predicate(node, reader)?)),
        "count" => Predicate::Count(Box::new(predicate(node, reader)?)),
        "schema" => match JsonSchema::compile(node.to_json()) {
            Ok(schema) => Predicate::Schema(schema),
            Err(error) => {
                reader.error("schema", error.to_string(), node.span);
                return None;
            }
        },
        // An unknown key was reported with the others of its map.
        _ => return None,
    })
}

/// Reads the short form: a word of the vocabulary and what follows it, or the text to be equal to.
fn short(text: &str, span: Span, depth: usize, reader: &mut Reader<'_>) -> Option<Predicate> {
    if depth > DEPTH_MAX {
        reader.error("yaml-limit", "this is nested too deep", span);
        return None;
    }
    let trimmed = text.trim();
    match trimmed {
        "exists" => return Some(Predicate::Exists(true)),
        "1xx" | "2xx" | "3xx" | "4xx" | "5xx" => {
            let class = trimmed.bytes().next().map_or(0, |digit| u16::from(digit - b'0'));
            return Some(Predicate::StatusClass(class));
        }
        _ => {}
    }
    const WORDS: &[&str] = &[
        "not",
        "contains",
        "starts with",
        "ends with",
        "matches",
        "under",
        "over",
        "between",
        "one of",
        "is",
        "length",
        "count",
        "equals",
    ];
    let found = WORDS.iter().find_map(|word| {
        let rest = trimmed.strip_prefix(word)?.strip_prefix(' ')?.trim_start();
        (!rest.is_empty()).then_some((*word, rest))
    });
    match found {
        Some((word, rest)) => short_word(word, rest, (text, span, depth), reader),
        None => equals(text, span, reader),
    }
}

fn equals(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Predicate> {
    let text = reader.template_in(text, span)?;
    Some(Predicate::Equals(operand(text)))
}

fn operand(text: Text) -> TemplateValue {
    match text.as_plain() {
        Some(plain) => TemplateValue::Literal(Value::String(plain.to_owned())),
        None => TemplateValue::Text(text),
    }
}

/// In a short form, `over 3` and `contains 3` speak of the number where one is meant.
fn literal(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<TemplateValue> {
    let unquoted = unquote(text);
    let text = reader.template_in(unquoted.unwrap_or(text), span)?;
    if unquoted.is_none()
        && let Some(plain) = text.as_plain()
        && let Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) =
            serde_json::from_str::<Value>(plain)
    {
        return Some(TemplateValue::Literal(value));
    }
    Some(operand(text))
}

fn unquote(text: &str) -> Option<&str> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\''))
}

fn short_word(
    word: &str,
    rest: &str,
    (text, span, depth): (&str, Span, usize),
    reader: &mut Reader<'_>,
) -> Option<Predicate> {
    let boxed = |reader: &mut Reader<'_>| {
        let inner = match serde_json::from_str::<Value>(rest) {
            Ok(number @ Value::Number(_)) => {
                Some(Predicate::Equals(TemplateValue::Literal(number)))
            }
            _ => short(rest, span, depth + 1, reader),
        };
        inner.map(Box::new)
    };
    let template =
        |reader: &mut Reader<'_>| reader.template_in(unquote(rest).unwrap_or(rest), span);
    Some(match word {
        "not" => Predicate::Not(boxed(reader)?),
        "length" => Predicate::Length(boxed(reader)?),
        "count" => Predicate::Count(boxed(reader)?),
        "contains" => Predicate::Contains(operand(template(reader)?)),
        "starts with" => Predicate::StartsWith(template(reader)?),
        "ends with" => Predicate::EndsWith(template(reader)?),
        "equals" => Predicate::Equals(literal(rest, span, reader)?),
        "matches" => matches(rest, span, reader)?,
        // A sentence that begins with such a word and goes on otherwise is only a text.
        "under" | "over" => match parse_quantity(rest) {
            Some(limit) if word == "under" => Predicate::Under(limit),
            Some(limit) => Predicate::Over(limit),
            None if is_meant_as_quantity(rest) => return no_quantity(rest, span, reader),
            None => return equals(text, span, reader),
        },
        "between" => {
            let parts = rest.split_once(" and ");
            let parts = parts.map(|(low, high)| (parse_quantity(low), parse_quantity(high)));
            match parts {
                Some((Some(low), Some(high))) => Predicate::Between(low, high),
                _ => return equals(text, span, reader),
            }
        }
        "one of" => {
            let items: Vec<_> =
                rest.split(',').map(|item| literal(item.trim(), span, reader)).collect();
            Predicate::OneOf(items.into_iter().collect::<Option<_>>()?)
        }
        _ => match VALUE_TYPES.iter().find(|(name, _)| *name == rest) {
            Some((_, value_type)) => Predicate::Is(*value_type),
            None => return equals(text, span, reader),
        },
    })
}

/// Reads `/re/`, `/re/i`, or a bare regex.
fn matches(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Predicate> {
    regex(text, span, reader).map(Predicate::Matches)
}

/// Compiles a regex in either notation.
pub(super) fn regex(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<regex::Regex> {
    match regex_limits::compile(text) {
        Ok(regex) => Some(regex),
        Err(problem) => {
            let message = format!("this is not a regex: {problem}");
            let fault = Diagnostic::error("regex", message, span);
            reader.push(
                fault.help("the syntax is that of the Rust crate `regex`, without look-around"),
            );
            None
        }
    }
}

fn quantity_of(node: &Node, reader: &mut Reader<'_>) -> Option<Quantity> {
    let text = reader.text(node)?;
    parse_quantity(&text).or_else(|| no_quantity(&text, node.span, reader))
}

fn no_quantity<T>(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<T> {
    let message = format!("`{text}` is no number, duration, size or share");
    let fault = Diagnostic::error("quantity", message, span);
    reader.push(fault.help("write 10, 300ms, 30d, 64 KiB or 0.5%"));
    None
}

/// `300us` and `5 sec` are slips; `3 men in a boat` is a text.
fn is_meant_as_quantity(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.split_whitespace().count() <= 2
}

/// Reads a number with its unit.
pub(super) fn parse_quantity(text: &str) -> Option<Quantity> {
    quantity::number(text)
        .map(Quantity::Number)
        .or_else(|| quantity::duration(text).map(Quantity::Duration))
        .or_else(|| quantity::percent(text).map(Quantity::Percent))
        .or_else(|| quantity::bytes(text).map(Quantity::Bytes))
}

//! Subjects, predicates and values in words, for reports.

use std::fmt;

use serde_json::Value;

use super::answers::duration_text;
use super::seen::Seen;
use super::vocabulary::{Predicate, Quantity, Subject, ValueType};
use crate::canary::template::{TemplateValue, Text};

/// BOUND: of a value shown on one line.
const SHOWN_CHARS_MAX: usize = 200;

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Latency(None) => f.write_str("latency"),
            Self::Latency(Some(phase)) => write!(f, "latency of {}", phase.as_str()),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Body => f.write_str("body"),
            Self::Json(path) => write!(f, "json {path}"),
            Self::Css(selector) => write!(f, "css {selector}"),
            Self::XPath(path) => write!(f, "xpath {path}"),
            Self::Bytes => f.write_str("bytes"),
            Self::Sha256 => f.write_str("sha256"),
            Self::Redirects => f.write_str("redirects"),
            Self::Url => f.write_str("url"),
            Self::RemoteAddress => f.write_str("remote address"),
            Self::Version => f.write_str("version"),
            Self::Certificate(field) => write!(f, "certificate {}", field.as_str()),
            Self::Received(None) => f.write_str("received"),
            Self::Received(Some(index)) => write!(f, "answer {}", index + 1),
            Self::Records => f.write_str("records"),
            Self::TimeToLive => f.write_str("ttl"),
            Self::ResponseCode => f.write_str("response code"),
            Self::Authoritative => f.write_str("authoritative"),
            Self::Loss => f.write_str("loss"),
            Self::Message => f.write_str("message"),
            Self::Observed(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "equals {}", operand(value)),
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Contains(value) => write!(f, "contains {}", operand(value)),
            Self::StartsWith(text) => write!(f, "starts with {}", quoted(text)),
            Self::EndsWith(text) => write!(f, "ends with {}", quoted(text)),
            Self::Matches(regex) => write!(f, "matches /{}/", shortened(regex.as_str())),
            Self::Under(limit) => write!(f, "under {limit}"),
            Self::Over(limit) => write!(f, "over {limit}"),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::OneOf(values) => {
                let values: Vec<_> = values.iter().map(operand).collect();
                write!(f, "one of {}", shortened(&values.join(", ")))
            }
            Self::Exists(true) => f.write_str("exists"),
            Self::Exists(false) => f.write_str("does not exist"),
            Self::Is(value_type) => write!(f, "is {}", value_type.as_str()),
            Self::Length(inner) => write!(f, "length {inner}"),
            Self::Count(inner) => write!(f, "count {inner}"),
            Self::Schema(_) => f.write_str("is valid under the schema"),
            Self::StatusClass(class) => write!(f, "{class}xx"),
            Self::All(all) => {
                let all: Vec<_> = all.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(" and "))
            }
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Duration(duration) => {
                let millis = duration.as_millis();
                match millis {
                    m if m > 0 && m.is_multiple_of(86_400_000) => write!(f, "{}d", m / 86_400_000),
                    m if m > 0 && m.is_multiple_of(3_600_000) => write!(f, "{}h", m / 3_600_000),
                    m if m > 0 && m.is_multiple_of(60_000) => write!(f, "{}m", m / 60_000),
                    m if m > 0 && m.is_multiple_of(1000) => write!(f, "{}s", m / 1000),
                    _ => write!(f, "{}ms", duration.as_secs_f64() * 1000.0),
                }
            }
            Self::Bytes(bytes) => match *bytes {
                b if b > 0 && b.is_multiple_of(1 << 20) => write!(f, "{} MiB", b >> 20),
                b if b > 0 && b.is_multiple_of(1 << 10) => write!(f, "{} KiB", b >> 10),
                b => write!(f, "{b} bytes"),
            },
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl ValueType {
    /// The type's name in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    /// The type of a value.
    pub const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(why) => f.write_str(why),
            Self::Text(text) => f.write_str(&value_text(&Value::from(text.as_ref()))),
            Self::Value(value) => f.write_str(&value_text(value)),
            Self::Time { seconds, .. } if *seconds < 0.0 => {
                let over = std::time::Duration::try_from_secs_f64(-seconds).unwrap_or_default();
                write!(f, "{} ago", duration_text(over))
            }
            Self::Time { seconds, .. } => {
                let left = std::time::Duration::try_from_secs_f64(*seconds).unwrap_or_default();
                f.write_str(&duration_text(left))
            }
            Self::Nodes(nodes) => match nodes.as_slice() {
                [] => f.write_str("nothing was selected"),
                [only] => f.write_str(&value_text(&only.value)),
                nodes => {
                    let texts: Vec<_> =
                        nodes.iter().take(20).map(|node| value_text(&node.value)).collect();
                    write!(f, "{} nodes: {}", nodes.len(), shortened(&texts.join(", ")))
                }
            },
        }
    }
}

fn operand(value: &TemplateValue) -> String {
    match value {
        TemplateValue::Literal(value) => value_text(value),
        TemplateValue::Text(text) => quoted(text),
        TemplateValue::List(_) => "a list".to_owned(),
        TemplateValue::Object(_) => "an object".to_owned(),
    }
}

fn quoted(text: &Text) -> String {
    value_text(&Value::from(text.source()))
}

/// A value on one line, in JSON.
pub(super) fn value_text(value: &Value) -> String {
    shortened(&value.to_string())
}

pub(super) fn shortened(text: &str) -> String {
    let Some((cut, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) else {
        return text.to_owned();
    };
    let more = text.chars().count() - SHOWN_CHARS_MAX;
    format!("{}.. ({more} more characters)", text.get(..cut).unwrap_or(""))
}

//! Values of a query: how they compare, sort and print.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value as Json;

use super::body::Field;
use crate::time::Timestamp;

/// One value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Null,
    Boolean(bool),
    Number(f64),
    /// Discovered and parsed values are texts until a number is needed.
    Text(Arc<str>),
    Timestamp(Timestamp),
    /// A map or a list.
    Json(Arc<Json>),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// The value that a node of a message stands for.
    pub(super) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(boolean) => Self::Boolean(*boolean),
            Json::Number(number) => Self::Text(number.to_string().into()),
            Json::String(text) => Self::text(text),
            Json::Array(_) | Json::Object(_) => Self::Json(Arc::new(json.clone())),
        }
    }

    /// The value of a field that is kept apart; `None` when only the text can tell.
    pub(super) fn of_field(field: Field<'_>) -> Option<Self> {
        let of_token = |token: &str| {
            serde_json::from_str(token).map_or(Self::Null, |json: Json| Self::of_json(&json))
        };
        Some(match field {
            Field::Unknown => return None,
            Field::Absent => Self::Null,
            Field::Quoted(text) if text.contains('\\') => of_token(&format!("\"{text}\"")),
            Field::Quoted(text) => Self::text(text),
            Field::Bare(token) => of_token(token),
            Field::Integer(number) => Self::text(&number.to_string()),
            Field::Real(number) => Self::of_json(&Json::from(number)),
        })
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value in a numeric context; what does not parse is no number.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are far below 2^52")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Boolean(boolean) => Some(f64::from(u8::from(*boolean))),
            Self::Timestamp(at) => Some(at.as_millis() as f64),
            Self::Text(text) => parse_number(text),
            Self::Null | Self::Json(_) => None,
        }
    }

    /// The value in a boolean context: 0, false, null and the empty text are false.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Boolean(boolean) => *boolean,
            Self::Text(text) => match parse_number(text) {
                Some(number) => number != 0.0,
                None => !text.is_empty() && !text.eq_ignore_ascii_case("false"),
            },
            other => other.number().is_some_and(|number| number != 0.0),
        }
    }

    /// The value in a text context; null, maps and lists have none.
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Json(_) => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.shown())),
        }
    }

    /// The value as a result shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Number(number) => show_number(*number),
            Self::Text(text) => text.to_string(),
            Self::Timestamp(at) => show_timestamp(*at),
            Self::Json(json) => json.to_string(),
        }
    }

    /// How two values compare; `None` when either is null, a map or a list, or they do not compare.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return a.partial_cmp(&b);
        }
        Some(self.as_text()?.cmp(&other.as_text()?))
    }

    /// The order of `sort`, `sortsFirst` and `sortsLast`, nulls aside.
    ///
    /// Source: CloudWatch Logs User Guide, "sort": texts before numbers; texts by runs of digits
    /// and of other characters.
    pub(super) fn natural(&self, other: &Self) -> Ordering {
        let (a, b) = (self.sortable(), other.sortable());
        match (parse_number(&a), parse_number(&b)) {
            (Some(x), Some(y)) => {
                x.partial_cmp(&y).unwrap_or(Ordering::Equal).then(b.len().cmp(&a.len()))
            }
            (Some(_), None) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (None, None) => natural_texts(&a, &b),
        }
    }

    fn sortable(&self) -> Cow<'_, str> {
        match self {
            Self::Timestamp(at) => Cow::Owned(at.as_millis().to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Boolean(boolean) => Cow::Owned(boolean.to_string()),
            other => other.as_text().unwrap_or_default(),
        }
    }
}

fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let first = text.bytes().next()?;
    // Words that Rust reads as numbers ("inf", "nan") are texts here.
    let may_be = first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.');
    may_be.then(|| text.parse::<f64>().ok()).flatten().filter(|number| number.is_finite())
}

fn natural_texts(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (run(left), run(right)) {
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = match (digits(x), digits(y)) {
            (true, true) => x.len().cmp(&y.len()).then_with(|| x.cmp(y)),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        left = left.get(x.len()..).unwrap_or("");
        right = right.get(y.len()..).unwrap_or("");
    }
    left.len().cmp(&right.len())
}

/// The leading run of digits or of anything else.
fn run(text: &str) -> Option<&str> {
    let digits = text.chars().next()?.is_ascii_digit();
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.get(..end)
}

/// Without exponent and trailing zeros where that is exact enough to read back.
fn show_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    number.to_string()
}

fn show_timestamp(at: Timestamp) -> String {
    match DateTime::from_timestamp_millis(at.as_millis()) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => at.to_string(),
    }
}

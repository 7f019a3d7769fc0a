//! Equality and order of values of different make.

use std::time::Duration;

use serde_json::Value;

use super::seen::Seen;
use super::vocabulary::Quantity;
use crate::canary::quantity;

/// Whether a text or value of our own making says the same as an expected one.
pub(super) fn says(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Number(_), Value::Number(_)) => same(actual, expected),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(actual, expected)| says(actual, expected))
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
            same(actual, expected)
        }
        _ => {
            let (actual, expected) = (plain(actual), plain(expected));
            let numbers = quantity::number(&actual).zip(quantity::number(&expected));
            actual == expected || numbers.is_some_and(|(a, b)| a == b)
        }
    }
}

/// Whether two JSON values are the same; 1 and 1.0 are.
pub(super) fn same(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().zip(other.as_f64()).is_some_and(|(a, b)| a == b)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, a)| other.get(key).is_some_and(|b| same(a, b)))
        }
        (one, other) => one == other,
    }
}

/// A scalar as text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The two numbers to compare, in one unit; `None` when they are not of one kind.
pub(super) fn measured(seen: &Seen<'_>, limit: &Quantity) -> Option<(f64, f64)> {
    match seen {
        Seen::Time { seconds, unit } => match limit {
            Quantity::Duration(limit) => Some((*seconds, limit.as_secs_f64())),
            Quantity::Number(limit) => Some((*seconds, limit * unit)),
            Quantity::Bytes(_) | Quantity::Percent(_) => None,
        },
        Seen::Text(text) => match (limit, quantity::duration(text)) {
            (Quantity::Duration(limit), Some(duration)) => {
                Some((duration.as_secs_f64(), limit.as_secs_f64()))
            }
            _ => against_number(quantity::number(text)?, limit),
        },
        Seen::Value(value) => of_value(value, limit),
        Seen::Nodes(nodes) => match nodes.as_slice() {
            [only] => of_value(&only.value, limit),
            _ => None,
        },
        Seen::Absent(_) => None,
    }
}

fn of_value(value: &Value, limit: &Quantity) -> Option<(f64, f64)> {
    match value {
        Value::Number(number) => against_number(number.as_f64()?, limit),
        Value::String(text) => measured(&Seen::text(text), limit),
        _ => None,
    }
}

/// A bare number is milliseconds beside a duration, bytes beside a size, percent beside a share.
#[expect(clippy::cast_precision_loss, reason = "sizes are exact up to 2^53")]
fn against_number(number: f64, limit: &Quantity) -> Option<(f64, f64)> {
    Some(match limit {
        Quantity::Number(limit) | Quantity::Percent(limit) => (number, *limit),
        Quantity::Bytes(limit) => (number, *limit as f64),
        Quantity::Duration(limit) => (number, millis(*limit)),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

//! The value of an expression in a row.

use std::cmp::Ordering;

use super::Context;
use super::ast::{Expression, Operator};
use super::period::Period;
use super::row::{Row, navigate};
use super::value::Value;

/// What an expression is evaluated in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'s, 'r> {
    pub(super) row: &'s Row<'r>,
    pub(super) context: &'s Context,
    /// Results of the aggregates, inside the items of a stats command.
    pub(super) aggregates: &'s [Value],
    /// Where the buckets of that command start.
    pub(super) offset: Option<Period>,
}

impl<'s, 'r> Scope<'s, 'r> {
    pub(super) const fn of(row: &'s Row<'r>, context: &'s Context) -> Self {
        Self { row, context, aggregates: &[], offset: None }
    }

    pub(super) fn value(&self, expression: &Expression) -> Value {
        match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Field(name) => self.row.get(name),
            Expression::Member(inner, path) => member(&self.value(inner), path),
            Expression::Element(inner, index) => match self.value(inner) {
                Value::Json(json) => {
                    let item = usize::try_from(*index).ok().and_then(|index| json.get(index));
                    item.map_or(Value::Null, Value::of_json)
                }
                _ => Value::Null,
            },
            Expression::Call(function, arguments) => {
                let values: Vec<Value> = arguments.iter().map(|a| self.value(a)).collect();
                function.call(&values, self.context)
            }
            Expression::Bin(period) => match self.row.get("@timestamp") {
                Value::Timestamp(at) => Value::Timestamp(period.floor(at, self.offset)),
                _ => Value::Null,
            },
            Expression::Floor(inner, period) => instant(&self.value(inner))
                .map_or(Value::Null, |at| Value::Timestamp(period.floor(at, None))),
            Expression::Ceil(inner, period) => instant(&self.value(inner))
                .map_or(Value::Null, |at| Value::Timestamp(period.ceil(at))),
            Expression::RegexReplace(text, regex, with) => {
                let (text, with) = (self.value(text), self.value(with));
                match (text.as_text(), with.as_text()) {
                    (Some(text), Some(with)) => Value::text(&regex.replace_all(&text, &*with)),
                    _ => Value::Null,
                }
            }
            Expression::Negate(inner) => {
                self.value(inner).number().map_or(Value::Null, |number| Value::Number(-number))
            }
            Expression::Aggregate(index) => {
                self.aggregates.get(*index).cloned().unwrap_or_default()
            }
            Expression::Not(_)
            | Expression::And(..)
            | Expression::Or(..)
            | Expression::Matches(..)
            | Expression::Binary(Operator::Like, ..)
            | Expression::In(..) => Value::Boolean(self.holds(expression)),
            Expression::Binary(operator, left, right) => {
                binary(*operator, &self.value(left), &self.value(right))
            }
        }
    }

    /// The number that an expression gives.
    pub(super) fn number(&self, expression: &Expression) -> Option<f64> {
        match expression {
            Expression::Field(name) => self.row.number(name),
            other => self.value(other).number(),
        }
    }

    /// Whether an expression holds. Any comparison with null does not.
    pub(super) fn holds(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Not(inner) => !self.holds(inner),
            Expression::And(left, right) => self.holds(left) && self.holds(right),
            Expression::Or(left, right) => self.holds(left) || self.holds(right),
            Expression::Matches(text, regex) => {
                // The message is the common case and need not be copied.
                if let (Expression::Field(name), Some(record)) = (&**text, self.row.record())
                    && &**name == "@message"
                    && !self.row.has(name)
                {
                    return regex.is_match(&record.body.text());
                }
                self.value(text).as_text().is_some_and(|text| regex.is_match(&text))
            }
            Expression::Binary(Operator::Like, text, part) => {
                if let (Expression::Field(name), Expression::Literal(part), Some(record)) =
                    (&**text, &**part, self.row.record())
                    && &**name == "@message"
                    && !self.row.has(name)
                {
                    let text = record.body.text();
                    return part.as_text().is_some_and(|part| {
                        memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()
                    });
                }
                binary(Operator::Like, &self.value(text), &self.value(part)).truth()
            }
            Expression::In(value, list) => {
                let value = self.value(value);
                list.iter().any(|item| value.compare(&self.value(item)) == Some(Ordering::Equal))
            }
            other => self.value(other).truth(),
        }
    }
}

fn member(value: &Value, path: &str) -> Value {
    match value {
        Value::Json(json) => navigate(json, path).map_or(Value::Null, Value::of_json),
        _ => Value::Null,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
fn instant(value: &Value) -> Option<crate::time::Timestamp> {
    match value {
        Value::Timestamp(at) => Some(*at),
        other => other.number().map(|millis| crate::time::Timestamp::from_millis(millis as i64)),
    }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Value {
    let order = || left.compare(right);
    let holds = |test: fn(Ordering) -> bool| Value::Boolean(order().is_some_and(test));
    match operator {
        Operator::Equal => holds(Ordering::is_eq),
        Operator::NotEqual => holds(Ordering::is_ne),
        Operator::Less => holds(Ordering::is_lt),
        Operator::LessOrEqual => holds(Ordering::is_le),
        Operator::Greater => holds(Ordering::is_gt),
        Operator::GreaterOrEqual => holds(Ordering::is_ge),
        Operator::Like => {
            let part = right.as_text();
            let text = left.as_text();
            Value::Boolean(text.zip(part).is_some_and(|(text, part)| text.contains(&*part)))
        }
        _ => {
            let (Some(a), Some(b)) = (left.number(), right.number()) else { return Value::Null };
            let result = match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::Remainder => a % b,
                _ => a.powf(b),
            };
            // A division by zero is null.
            if result.is_finite() { Value::Number(result) } else { Value::Null }
        }
    }
}

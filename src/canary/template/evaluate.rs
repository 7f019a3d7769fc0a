use std::sync::Arc;

use serde_json::{Number, Value};

use super::context::{RenderError, RenderFault, Taint, TemplateContext};
use super::expression::{Expression, Node, Operator, PathStep};
use super::filter;
use super::operation::{Filter, Function};
use crate::canary::secret::SecretText;
use crate::time::Timestamp;

/// BOUND: no rendered text and no value on the way there is larger; more is a fault.
pub(super) const RESULT_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn ensure_fits(bytes: usize) -> Result<(), RenderFault> {
    if bytes > RESULT_BYTES_MAX { Err(RenderFault::TooLarge) } else { Ok(()) }
}

/// A value on its way through a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Json(Value),
    Instant(Timestamp),
    /// Signed milliseconds.
    Duration(i64),
    /// Nothing of that name; only `default` can take it.
    Undefined(RenderFault),
}

impl Operand {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Json(Value::String(text.into()))
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Json(Value::Null) => "null",
            Self::Json(Value::Bool(_)) => "a boolean",
            Self::Json(Value::Number(_)) => "a number",
            Self::Json(Value::String(_)) => "a text",
            Self::Json(Value::Array(_)) => "a list",
            Self::Json(Value::Object(_)) => "an object",
            Self::Instant(_) => "an instant",
            Self::Duration(_) => "a duration",
            Self::Undefined(_) => "nothing",
        }
    }

    /// The value as JSON: instants in RFC 3339, durations in milliseconds.
    pub(super) fn into_json(self) -> Result<Value, RenderFault> {
        match self {
            Self::Json(value) => Ok(value),
            Self::Instant(instant) => Ok(Value::String(instant.to_rfc3339())),
            Self::Duration(millis) => Ok(Value::from(millis)),
            Self::Undefined(fault) => Err(fault),
        }
    }

    /// The value as text: texts as they are, everything else as JSON.
    pub(super) fn into_text(self) -> Result<String, RenderFault> {
        match self.into_json()? {
            Value::String(text) => Ok(text),
            Value::Null => Ok(String::new()),
            other => Ok(other.to_string()),
        }
    }
}

/// One rendering: the context, and the secrets met on the way.
pub(super) struct Evaluation<'c> {
    context: &'c dyn TemplateContext,
    pub(super) taint: Taint,
    /// Whether a secret went into the template at hand.
    tainted: bool,
}

impl<'c> Evaluation<'c> {
    pub(super) fn new(context: &'c dyn TemplateContext) -> Self {
        Self { context, taint: Taint::default(), tainted: false }
    }

    /// One template as text.
    pub(super) fn text(&mut self, expression: &Expression) -> Result<String, RenderError> {
        let text = self.whole(expression)?.into_text();
        let text = text.map_err(|fault| RenderError { fault, span: expression.span })?;
        self.note(&text);
        Ok(text)
    }

    /// One template as a value.
    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value, RenderError> {
        let value = self.whole(expression)?.into_json();
        let value = value.map_err(|fault| RenderError { fault, span: expression.span })?;
        match &value {
            Value::String(text) => self.note(text),
            other => self.note(&other.to_string()),
        }
        Ok(value)
    }

    fn whole(&mut self, expression: &Expression) -> Result<Operand, RenderError> {
        self.tainted = false;
        let operand = self.evaluate(expression)?;
        match operand {
            Operand::Undefined(fault) => Err(RenderError { fault, span: expression.span }),
            operand => Ok(operand),
        }
    }

    fn note(&mut self, text: &str) {
        if self.tainted && !text.is_empty() {
            self.taint.pieces.push(SecretText::new(text));
        }
    }

    fn evaluate(&mut self, expression: &Expression) -> Result<Operand, RenderError> {
        let faulty = |fault| RenderError { fault, span: expression.span };
        match &expression.node {
            Node::Literal(value) => Ok(Operand::Json(value.clone())),
            Node::Duration(millis) => Ok(Operand::Duration(*millis)),
            Node::Variable { name, path } => Ok(self.variable(name, path)),
            Node::Environment(name) => Ok(match self.context.environment(name) {
                Ok(text) => Operand::text(text),
                Err(cause) => {
                    Operand::Undefined(RenderFault::Environment { name: Arc::clone(name), cause })
                }
            }),
            Node::Secret(name) => Ok(match self.context.secret(name) {
                Ok(secret) => {
                    self.tainted = true;
                    self.taint.names.insert(Arc::clone(name));
                    self.taint.pieces.push(secret.clone());
                    Operand::text(secret.expose())
                }
                Err(cause) => {
                    Operand::Undefined(RenderFault::Secret { name: Arc::clone(name), cause })
                }
            }),
            Node::Call(function, arguments) => {
                let arguments = self.all(arguments)?;
                self.call(*function, arguments).map_err(faulty)
            }
            Node::Filter { input, filter: Filter::Default, arguments } => {
                match (self.evaluate(input)?, arguments.first()) {
                    (Operand::Undefined(fault), Some(_)) if is_denied(&fault) => Err(faulty(fault)),
                    (Operand::Undefined(_) | Operand::Json(Value::Null), Some(fallback)) => {
                        self.evaluate(fallback)
                    }
                    (operand, _) => Ok(operand),
                }
            }
            Node::Filter { input, filter, arguments } => {
                let operand = self.defined(input)?;
                let arguments = self.all(arguments)?;
                filter::apply(*filter, operand, &arguments).map_err(faulty)
            }
            Node::Arithmetic { left, operator, right } => {
                let (left, right) = (self.defined(left)?, self.defined(right)?);
                arithmetic(left, *operator, right).map_err(faulty)
            }
        }
    }

    fn defined(&mut self, expression: &Expression) -> Result<Operand, RenderError> {
        match self.evaluate(expression)? {
            Operand::Undefined(fault) => Err(RenderError { fault, span: expression.span }),
            operand => Ok(operand),
        }
    }

    fn all(&mut self, expressions: &[Expression]) -> Result<Vec<Operand>, RenderError> {
        expressions.iter().map(|expression| self.defined(expression)).collect()
    }

    fn variable(&mut self, name: &Arc<str>, path: &[PathStep]) -> Operand {
        let Some(binding) = self.context.variable(name) else {
            return Operand::Undefined(RenderFault::undefined(name, self.context));
        };
        if !binding.secrets.is_empty() {
            self.tainted = true;
            self.taint.names.extend(binding.secrets.iter().cloned());
        }
        let mut value = binding.value;
        for step in path {
            let inner = match step {
                PathStep::Key(key) => value.get(&**key),
                PathStep::Index(index) => value.get(index),
            };
            let Some(inner) = inner else {
                let step = match step {
                    PathStep::Key(key) => key.to_string(),
                    PathStep::Index(index) => index.to_string(),
                };
                return Operand::Undefined(RenderFault::NoSuchMember {
                    name: Arc::clone(name),
                    step,
                });
            };
            value = inner;
        }
        Operand::Json(value.clone())
    }

    fn call(&self, function: Function, arguments: Vec<Operand>) -> Result<Operand, RenderFault> {
        match function {
            Function::Now => Ok(Operand::Instant(self.context.now())),
            Function::Uuid => {
                let halves =
                    (u128::from(self.context.random()) << 64) | u128::from(self.context.random());
                let uuid = uuid::Builder::from_random_bytes(halves.to_be_bytes()).into_uuid();
                Ok(Operand::text(uuid.to_string()))
            }
            Function::Random => {
                let mut bounds = arguments.iter().map(|bound| filter::whole("random", bound));
                let (low, high) = match (bounds.next().transpose()?, bounds.next().transpose()?) {
                    (None, _) => (0, i64::from(i32::MAX)),
                    (Some(high), None) => (0, high),
                    (Some(low), Some(high)) => (low, high),
                };
                if low > high {
                    let problem = "the first bound is above the second";
                    return Err(RenderFault::Malformed { operation: "random", problem });
                }
                let width = low.abs_diff(high).saturating_add(1);
                let offset = self.context.random() % width;
                Ok(Operand::Json(Value::from(low.wrapping_add_unsigned(offset))))
            }
        }
    }
}

fn is_denied(fault: &RenderFault) -> bool {
    use super::context::LookupError;
    matches!(
        fault,
        RenderFault::Environment { cause: LookupError::Denied { .. }, .. }
            | RenderFault::Secret { cause: LookupError::Denied { .. }, .. }
    )
}

fn arithmetic(left: Operand, operator: Operator, right: Operand) -> Result<Operand, RenderFault> {
    let overflow = || RenderFault::Malformed {
        operation: operator.symbol(),
        problem: "the result is out of range",
    };
    let signed = |millis: i64| match operator {
        Operator::Subtract => millis.checked_neg(),
        _ => Some(millis),
    };
    match (left, operator, right) {
        (
            Operand::Instant(instant),
            Operator::Add | Operator::Subtract,
            Operand::Duration(millis),
        ) => {
            let millis = signed(millis).ok_or_else(overflow)?;
            Ok(Operand::Instant(instant.plus_millis(millis)))
        }
        (Operand::Instant(late), Operator::Subtract, Operand::Instant(early)) => {
            Ok(Operand::Duration(late.millis_since(early)))
        }
        (
            Operand::Duration(left),
            Operator::Add | Operator::Subtract,
            Operand::Duration(millis),
        ) => {
            let sum = signed(millis).and_then(|millis| left.checked_add(millis));
            sum.map(Operand::Duration).ok_or_else(overflow)
        }
        (Operand::Json(Value::Number(zero)), Operator::Subtract, Operand::Duration(millis))
            if zero.as_i64() == Some(0) =>
        {
            signed(millis).map(Operand::Duration).ok_or_else(overflow)
        }
        (Operand::Json(left), _, Operand::Json(right)) => {
            let number = |value| filter::number(operator.symbol(), value);
            let (left, right) = (number(&left)?, number(&right)?);
            let result = numbers(&left, operator, &right).ok_or_else(overflow)?;
            Ok(Operand::Json(Value::Number(result)))
        }
        (left, _, right) => {
            let (operation, takes) = (operator.symbol(), "two numbers, or time and a duration");
            let got = if matches!(left, Operand::Json(Value::Number(_))) { right } else { left };
            Err(RenderFault::WrongType { operation, got: got.kind(), takes })
        }
    }
}

/// Whole numbers stay whole where the result is; everything else is floating point.
fn numbers(left: &Number, operator: Operator, right: &Number) -> Option<Number> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        match operator {
            Operator::Add => return left.checked_add(right).map(Number::from),
            Operator::Subtract => return left.checked_sub(right).map(Number::from),
            Operator::Multiply => return left.checked_mul(right).map(Number::from),
            Operator::Remainder => return left.checked_rem(right).map(Number::from),
            Operator::Divide if right == 0 => return None,
            Operator::Divide if left.checked_rem(right) == Some(0) => {
                return left.checked_div(right).map(Number::from);
            }
            Operator::Divide => {}
        }
    }
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    Number::from_f64(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Remainder => left % right,
    })
}

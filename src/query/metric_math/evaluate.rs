use super::parse::{Node, Operator};
use super::{Expression, Inputs, MathError, Series, Value, calls};

impl Expression {
    /// Computes the series that the expression stands for.
    ///
    /// Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics".
    pub fn evaluate(&self, inputs: &Inputs) -> Result<Vec<Series>, MathError> {
        match node(&self.root, inputs)? {
            Value::Series(series) => Ok(vec![series]),
            Value::List(list) => Ok(list),
            Value::Scalar(_) | Value::Text(_) => Err(MathError::NotASeries),
        }
    }
}

fn node(node: &Node, inputs: &Inputs) -> Result<Value, MathError> {
    match node {
        Node::Number(number) => Ok(Value::Scalar(*number)),
        Node::Text(text) => Ok(Value::Text(text.clone())),
        Node::Name(name) => named(name, inputs),
        Node::Search(index) => {
            Ok(Value::List(inputs.found.get(*index).cloned().unwrap_or_default()))
        }
        Node::Negate(inner) => match self::node(inner, inputs)? {
            Value::Scalar(number) => Ok(Value::Scalar(-number)),
            value => each(value, "-", &|series| series.map(|_, value| -value)),
        },
        Node::Binary(operator, left, right) => {
            let (left, right) = (self::node(left, inputs)?, self::node(right, inputs)?);
            binary(*operator, left, right)
        }
        Node::List(items) => list(items, inputs).map(Value::List),
        Node::Call(name, arguments) => {
            let arguments: Result<Vec<_>, _> =
                arguments.iter().map(|argument| self::node(argument, inputs)).collect();
            calls::call(name, arguments?, inputs)
        }
    }
}

/// An id of the request, or a keyword such as `REPEAT`, which starts in upper case.
fn named(name: &str, inputs: &Inputs) -> Result<Value, MathError> {
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Ok(Value::Text(name.to_owned()));
    }
    let found = inputs.values.iter().find(|(id, _)| id == name);
    found.map(|(_, value)| value.clone()).ok_or_else(|| MathError::UnknownId { id: name.into() })
}

fn list(items: &[Node], inputs: &Inputs) -> Result<Vec<Series>, MathError> {
    let mut all = Vec::new();
    for item in items {
        match node(item, inputs)? {
            Value::Series(series) => all.push(series),
            Value::List(list) => all.extend(list),
            Value::Scalar(_) | Value::Text(_) => {
                let takes = "series and lists of series";
                return Err(MathError::Arguments { function: "[]".into(), takes });
            }
        }
    }
    Ok(all)
}

/// Applies `change` to a series or to each of a list.
pub(super) fn each(
    value: Value,
    function: &str,
    change: &dyn Fn(&Series) -> Series,
) -> Result<Value, MathError> {
    match value {
        Value::Series(series) => Ok(Value::Series(change(&series))),
        Value::List(list) => Ok(Value::List(list.iter().map(change).collect())),
        Value::Scalar(_) | Value::Text(_) => {
            let takes = "one series or list of series";
            Err(MathError::Arguments { function: function.into(), takes })
        }
    }
}

fn binary(operator: Operator, left: Value, right: Value) -> Result<Value, MathError> {
    use Value::{List, Scalar, Series as One, Text};
    match (left, right) {
        (Scalar(a), Scalar(b)) => Ok(Scalar(apply(operator, a, b))),
        (One(a), Scalar(b)) => Ok(One(a.map(|_, a| apply(operator, a, b)))),
        (Scalar(a), One(b)) => Ok(One(b.map(|_, b| apply(operator, a, b)))),
        (One(a), One(b)) => Ok(One(join(operator, &a, &b))),
        (List(a), Scalar(b)) => {
            Ok(List(a.iter().map(|a| a.map(|_, a| apply(operator, a, b))).collect()))
        }
        (Scalar(a), List(b)) => {
            Ok(List(b.iter().map(|b| b.map(|_, b| apply(operator, a, b))).collect()))
        }
        (List(a), One(b)) => Ok(List(a.iter().map(|a| join(operator, a, &b)).collect())),
        (One(a), List(b)) => Ok(List(b.iter().map(|b| join(operator, &a, b)).collect())),
        (List(a), List(b)) if a.len() == b.len() => {
            Ok(List(a.iter().zip(&b).map(|(a, b)| join(operator, a, b)).collect()))
        }
        (List(_), List(_)) => {
            let takes = "lists of the same length";
            Err(MathError::Arguments { function: operator.sign().into(), takes })
        }
        (Text(_), _) | (_, Text(_)) => {
            let takes = "numbers, series and lists of series";
            Err(MathError::Arguments { function: operator.sign().into(), takes })
        }
    }
}

/// Both series at every time that either has; a missing side counts as 0.
fn join(operator: Operator, left: &Series, right: &Series) -> Series {
    let point = |(at, a, b): (_, Option<f64>, Option<f64>)| {
        (at, apply(operator, a.unwrap_or(0.0), b.unwrap_or(0.0)))
    };
    // A division by zero is no number, and its point is dropped.
    let points = left.union(right).map(point).filter(|(_, value)| value.is_finite()).collect();
    Series { points, ..left.clone() }
}

fn apply(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => {
            if b == 0.0 {
                f64::NAN
            } else {
                a / b
            }
        }
        Operator::Power => a.powf(b),
        #[expect(clippy::float_cmp, reason = "metric math compares exactly")]
        Operator::Equal => truth(a == b),
        #[expect(clippy::float_cmp, reason = "metric math compares exactly")]
        Operator::NotEqual => truth(a != b),
        Operator::Less => truth(a < b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::GreaterOrEqual => truth(a >= b),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Or => truth(a != 0.0 || b != 0.0),
    }
}

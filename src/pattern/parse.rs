//! Reads a pattern's JSON into a tree, refusing what EventBridge refuses.

use core::net::IpAddr;

use serde_json::{Map, Value};

use super::matcher::{Bounds, Excluded, Folded, Matcher, Shape};
use super::tree::{Field, Fields};
use super::{PatternError, PatternFault};
use crate::query::wildcard::Wildcard;

/// Source: EventBridge User Guide, "Event patterns", `$or`: combinations of one pattern.
const COMBINATIONS_MAX: usize = 1000;

/// Names that make an object under `$or` an ordinary field.
const RESERVED: [&str; 22] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

pub(super) fn pattern(source: &str) -> Result<Fields, PatternError> {
    let value: Value = serde_json::from_str(source).map_err(|error| PatternError {
        reason: PatternFault::NotJson { line: error.line(), column: error.column() },
        path: String::new(),
    })?;
    let Value::Object(members) = value else {
        let reason = PatternFault::NotAnArray("Filter".to_owned());
        return Err(PatternError { reason, path: String::new() });
    };
    let root = Reader { path: Vec::new() }.fields(&members)?;
    if combinations(&root) > COMBINATIONS_MAX {
        return Err(PatternError { reason: PatternFault::TooComplex, path: String::new() });
    }
    Ok(root)
}

fn combinations(fields: &Fields) -> usize {
    let below = fields.fields.iter().map(|(_, field)| match field {
        Field::Object(inner) => combinations(inner),
        Field::Leaf(_) => 1,
    });
    let choices = fields.any_of.iter().map(|choices| {
        choices.iter().fold(0_usize, |sum, choice| sum.saturating_add(combinations(choice)))
    });
    below.chain(choices).fold(1_usize, usize::saturating_mul)
}

struct Reader<'a> {
    path: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn fault<T>(&self, reason: PatternFault) -> Result<T, PatternError> {
        Err(PatternError { reason, path: self.path.join(".") })
    }

    fn fields(&mut self, members: &'a Map<String, Value>) -> Result<Fields, PatternError> {
        if members.is_empty() {
            return self.fault(PatternFault::EmptyObject);
        }
        let mut fields = Fields::default();
        for (name, value) in members {
            self.path.push(name);
            match choices(name, value) {
                Some(objects) => {
                    let read = objects.into_iter().map(|object| self.fields(object));
                    fields.any_of.push(read.collect::<Result<_, _>>()?);
                }
                None => fields.fields.push((name.clone(), self.field(name, value)?)),
            }
            self.path.pop();
        }
        Ok(fields)
    }

    fn field(&mut self, name: &str, value: &'a Value) -> Result<Field, PatternError> {
        match value {
            Value::Object(members) => self.fields(members).map(Field::Object),
            Value::Array(values) if values.is_empty() => self.fault(PatternFault::EmptyArray),
            Value::Array(values) => {
                values.iter().map(|v| self.matcher(v)).collect::<Result<_, _>>().map(Field::Leaf)
            }
            _ => self.fault(PatternFault::NotAnArray(name.to_owned())),
        }
    }

    fn matcher(&self, value: &Value) -> Result<Matcher, PatternError> {
        match value {
            Value::String(text) => Ok(Matcher::Text(text.clone())),
            Value::Number(number) => Ok(Matcher::Number(number.as_f64().unwrap_or(f64::NAN))),
            Value::Bool(boolean) => Ok(Matcher::Boolean(*boolean)),
            Value::Null => Ok(Matcher::Null),
            Value::Array(_) => self.operand("match value", "a string, number, boolean or null"),
            Value::Object(operator) => {
                let mut pairs = operator.iter();
                match (pairs.next(), pairs.next()) {
                    (Some((name, operand)), None) => self.operator(name, operand),
                    (None, _) => self.fault(PatternFault::EmptyObject),
                    (Some(_), Some(_)) => self.fault(PatternFault::SeveralOperators),
                }
            }
        }
    }

    fn operand<T>(&self, operator: &'static str, takes: &'static str) -> Result<T, PatternError> {
        self.fault(PatternFault::Operand { operator, takes })
    }

    fn operator(&self, name: &str, operand: &Value) -> Result<Matcher, PatternError> {
        match name {
            "exactly" => match operand {
                Value::String(text) => Ok(Matcher::Text(text.clone())),
                _ => self.operand("exactly", "a string"),
            },
            "exists" => match operand {
                Value::Bool(exists) => Ok(Matcher::Exists(*exists)),
                _ => self.operand("exists", "true or false"),
            },
            "anything-but" => self.anything_but(operand).map(Matcher::AnythingBut),
            "numeric" => self.numeric(operand).map(Matcher::Numeric),
            "cidr" => self.cidr(operand),
            _ => match self.shape(name, operand)? {
                Some(shape) => Ok(Matcher::Shape(shape)),
                None => self.fault(PatternFault::UnknownOperator(name.to_owned())),
            },
        }
    }

    /// The operators on texts; `None` for any other name.
    fn shape(&self, name: &str, operand: &Value) -> Result<Option<Shape>, PatternError> {
        let ignoring_case = |operand: &Value| match operand {
            Value::Object(inner) if inner.len() == 1 => {
                inner.get("equals-ignore-case").and_then(Value::as_str).map(Folded::new)
            }
            _ => None,
        };
        let shape = match (name, operand) {
            ("prefix", Value::String(text)) => Shape::Prefix(text.clone()),
            ("suffix", Value::String(text)) => Shape::Suffix(text.clone()),
            ("equals-ignore-case", Value::String(text)) => {
                Shape::EqualsIgnoreCase(Folded::new(text))
            }
            ("wildcard", Value::String(text)) => match wildcard(text) {
                Ok(wildcard) => Shape::Wildcard(wildcard),
                Err(reason) => return self.fault(PatternFault::Wildcard(reason)),
            },
            ("prefix", operand) => match ignoring_case(operand) {
                Some(folded) => Shape::PrefixIgnoreCase(folded),
                None => return self.operand("prefix", "a string or an equals-ignore-case object"),
            },
            ("suffix", operand) => match ignoring_case(operand) {
                Some(folded) => Shape::SuffixIgnoreCase(folded),
                None => return self.operand("suffix", "a string or an equals-ignore-case object"),
            },
            ("equals-ignore-case", _) => return self.operand("equals-ignore-case", "a string"),
            ("wildcard", _) => return self.operand("wildcard", "a string"),
            _ => return Ok(None),
        };
        Ok(Some(shape))
    }

    fn anything_but(&self, operand: &Value) -> Result<Excluded, PatternError> {
        const TAKES: &str = "strings, numbers, or a prefix, suffix, equals-ignore-case or wildcard";
        if let Value::Object(operator) = operand {
            let mut pairs = operator.iter();
            let (Some((name, operand)), None) = (pairs.next(), pairs.next()) else {
                return self.operand("anything-but", TAKES);
            };
            let shapes = one_or_many(operand).into_iter().map(|operand| {
                let empty = operand.as_str() == Some("") && matches!(&**name, "prefix" | "suffix");
                match self.shape(name, operand)? {
                    Some(shape) if !empty => Ok(shape),
                    _ => self.operand("anything-but", TAKES),
                }
            });
            let shapes: Vec<Shape> = shapes.collect::<Result<_, _>>()?;
            let none = shapes.is_empty();
            return if none {
                self.fault(PatternFault::EmptyArray)
            } else {
                Ok(Excluded::Shapes(shapes))
            };
        }
        let values = one_or_many(operand);
        if values.is_empty() {
            return self.fault(PatternFault::EmptyArray);
        }
        let texts: Option<Vec<_>> = values.iter().map(|v| v.as_str().map(str::to_owned)).collect();
        let numbers: Option<Vec<_>> = values.iter().map(|v| v.as_f64()).collect();
        match (texts, numbers) {
            (Some(texts), _) => Ok(Excluded::Texts(texts)),
            (_, Some(numbers)) => Ok(Excluded::Numbers(numbers)),
            (None, None) => self.operand("anything-but", TAKES),
        }
    }

    fn numeric(&self, operand: &Value) -> Result<Bounds, PatternError> {
        const TAKES: &str = "[\"=\", number], one bound, or a lower and an upper bound";
        let pairs: Option<Vec<(&str, f64)>> = operand.as_array().and_then(|values| {
            let pairs = values.chunks(2).map(|pair| match pair {
                [Value::String(sign), Value::Number(number)] => {
                    Some((sign.as_str(), number.as_f64()?))
                }
                _ => None,
            });
            pairs.collect()
        });
        let bounds = match pairs.as_deref() {
            Some([("=", number)]) => {
                Bounds { low: Some((*number, true)), high: Some((*number, true)) }
            }
            Some([one]) => bound(*one).ok_or(()).or_else(|()| self.operand("numeric", TAKES))?,
            Some([low, high]) => match (bound(*low), bound(*high)) {
                (
                    Some(Bounds { low: Some(low), high: None }),
                    Some(Bounds { low: None, high: Some(high) }),
                ) if low.0 < high.0 => Bounds { low: Some(low), high: Some(high) },
                _ => return self.operand("numeric", TAKES),
            },
            _ => return self.operand("numeric", TAKES),
        };
        Ok(bounds)
    }

    fn cidr(&self, operand: &Value) -> Result<Matcher, PatternError> {
        let read = operand.as_str().and_then(|text| {
            let (network, bits) = text.split_once('/')?;
            let (network, bits) = (network.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
            let most = if network.is_ipv4() { 31 } else { 127 };
            (bits <= most).then_some(Matcher::Cidr { network, bits })
        });
        read.map_or_else(|| self.operand("cidr", "an address and a mask, such as 10.0.0.0/8"), Ok)
    }
}

fn bound((sign, number): (&str, f64)) -> Option<Bounds> {
    let open = Bounds { low: None, high: None };
    match sign {
        ">" => Some(Bounds { low: Some((number, false)), ..open }),
        ">=" => Some(Bounds { low: Some((number, true)), ..open }),
        "<" => Some(Bounds { high: Some((number, false)), ..open }),
        "<=" => Some(Bounds { high: Some((number, true)), ..open }),
        _ => None,
    }
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// The members of an `$or`, when it is one and not a field of that name.
fn choices<'v>(name: &str, value: &'v Value) -> Option<Vec<&'v Map<String, Value>>> {
    let values = value.as_array().filter(|values| name == "$or" && values.len() >= 2)?;
    let objects: Option<Vec<_>> = values.iter().map(Value::as_object).collect();
    let ordinary = |object: &&Map<String, Value>| {
        object.is_empty() || object.keys().any(|key| RESERVED.contains(&key.as_str()))
    };
    objects.filter(|objects| !objects.iter().any(ordinary))
}

/// Reads a wildcard with its escapes `\*` and `\\`; the error says what is not allowed.
fn wildcard(source: &str) -> Result<Wildcard, &'static str> {
    let mut parts = vec![String::new()];
    let mut after_star = false;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' if after_star => return Err("consecutive wildcard characters are not allowed"),
            '*' => None,
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '\\')) => Some(escaped),
                _ => return Err("invalid escape character in wildcard"),
            },
            c => Some(c),
        };
        after_star = literal.is_none();
        match (literal, parts.last_mut()) {
            (Some(c), Some(part)) => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    Ok(Wildcard::from_parts(parts))
}

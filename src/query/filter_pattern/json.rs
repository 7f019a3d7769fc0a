//! The JSON dialect: conditions on the fields of a message that is one JSON object.

use std::borrow::Cow;

use serde_json::Value;

use super::cursor::Cursor;
use super::operand::{Comparison, Operand};
use super::{ExtractedField, FilterPatternError};

/// A condition on a JSON message.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Test(Selector, Test),
}

/// What must hold of a selected node.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Compare(Comparison, Operand),
    Is(Literal),
    NotExists,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Null,
    True,
    False,
}

/// A path into a message.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    source: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    AnyMember,
    Element(usize),
    AnyElement,
}

/// Reads `{ condition }`, to the end of the pattern.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, FilterPatternError> {
    cursor.require("{", "{")?;
    let mut parser = Parser { cursor, wildcards: 0, depth: 0 };
    let condition = parser.any()?;
    cursor.skip_spaces();
    cursor.require("}", "}, && or ||")?;
    cursor.skip_spaces();
    if cursor.peek().is_some() {
        return Err(cursor.expected("the end of the pattern"));
    }
    Ok(condition)
}

struct Parser<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    wildcards: usize,
    depth: usize,
}

impl Parser<'_, '_> {
    const DEPTH_MAX: usize = 32;
    /// Source: "Filter pattern syntax", wildcards in property selectors.
    const WILDCARDS_MAX: usize = 3;

    fn any(&mut self) -> Result<Condition, FilterPatternError> {
        let mut conditions = vec![self.all()?];
        while self.take_sign("||") {
            conditions.push(self.all()?);
        }
        Ok(one_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, FilterPatternError> {
        let mut conditions = vec![self.unary()?];
        while self.take_sign("&&") {
            conditions.push(self.unary()?);
        }
        Ok(one_or(conditions, Condition::All))
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        self.cursor.skip_spaces();
        self.cursor.take(sign)
    }

    fn unary(&mut self) -> Result<Condition, FilterPatternError> {
        self.cursor.skip_spaces();
        if self.cursor.take("(") {
            self.depth += 1;
            if self.depth > Self::DEPTH_MAX {
                return Err(self.cursor.limit("parentheses are nested too deeply"));
            }
            let inner = self.any()?;
            self.cursor.skip_spaces();
            self.cursor.require(")", ")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        let selector = self.selector()?;
        self.cursor.skip_spaces();
        let test = self.test()?;
        Ok(Condition::Test(selector, test))
    }

    fn selector(&mut self) -> Result<Selector, FilterPatternError> {
        let selector = Selector::parse(self.cursor)?;
        self.wildcards += selector.wildcards();
        if selector.wildcards() > 1 {
            return Err(self.cursor.limit("a selector has at most 1 wildcard"));
        }
        if self.wildcards > Self::WILDCARDS_MAX {
            return Err(self.cursor.limit("a pattern has at most 3 wildcards"));
        }
        Ok(selector)
    }

    fn test(&mut self) -> Result<Test, FilterPatternError> {
        if self.cursor.take_word("IS") {
            self.cursor.skip_spaces();
            let literals =
                [("NULL", Literal::Null), ("TRUE", Literal::True), ("FALSE", Literal::False)];
            let found = literals.into_iter().find(|(word, _)| self.cursor.take_word(word));
            let literal = found.ok_or_else(|| self.cursor.expected("NULL, TRUE or FALSE"))?.1;
            return Ok(Test::Is(literal));
        }
        if self.cursor.take_word("NOT") {
            self.cursor.skip_spaces();
            if !self.cursor.take_word("EXISTS") {
                return Err(self.cursor.expected("EXISTS"));
            }
            return Ok(Test::NotExists);
        }
        let Some(comparison) = Comparison::parse(self.cursor) else {
            return Err(self.cursor.expected("a comparison, IS or NOT EXISTS"));
        };
        let ends = |c| matches!(c, '}' | '(' | ')' | '&' | '|' | '"');
        Ok(Test::Compare(comparison, Operand::parse(self.cursor, comparison, ends)?))
    }
}

fn one_or(mut many: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (many.len(), many.pop()) {
        (1, Some(one)) => one,
        (_, Some(last)) => {
            many.push(last);
            join(many)
        }
        (_, None) => join(many),
    }
}

impl Selector {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, FilterPatternError> {
        let (start, from) = (cursor.rest(), cursor.offset());
        cursor.require("$", "a selector that starts with $")?;
        let mut steps = Vec::new();
        loop {
            if cursor.take(".['") || cursor.take("['") {
                let name = cursor.take_while(|c| c != '\'');
                cursor.require("']", "'] after a quoted name")?;
                steps.push(Step::Member(name.to_owned()));
            } else if cursor.take(".*") {
                steps.push(Step::AnyMember);
            } else if cursor.take(".") {
                let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
                if name.is_empty() {
                    return Err(cursor.expected("a name after ."));
                }
                steps.push(Step::Member(name.to_owned()));
            } else if cursor.take("[*]") {
                steps.push(Step::AnyElement);
            } else if cursor.take("[") {
                let digits = cursor.take_while(|c| c.is_ascii_digit());
                let index = digits.parse();
                let index = index.map_err(|_not_a_number| cursor.expected("an index"))?;
                cursor.require("]", "]")?;
                steps.push(Step::Element(index));
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Err(cursor.expected(". or [ after $"));
        }
        let source = start.get(..cursor.offset() - from).unwrap_or("").to_owned();
        Ok(Self { source, steps })
    }

    fn wildcards(&self) -> usize {
        let wild = |step: &&Step| matches!(step, Step::AnyMember | Step::AnyElement);
        self.steps.iter().filter(wild).count()
    }

    /// Calls `visit` with each selected node until it says that is enough.
    fn any<'v>(&self, root: &'v Value, visit: &mut dyn FnMut(&'v Value) -> bool) -> bool {
        walk(&self.steps, root, visit)
    }
}

fn walk<'v>(steps: &[Step], node: &'v Value, visit: &mut dyn FnMut(&'v Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return visit(node) };
    match (step, node) {
        (Step::Member(name), Value::Object(members)) => {
            members.get(name).is_some_and(|next| walk(rest, next, visit))
        }
        (Step::Element(index), Value::Array(items)) => {
            items.get(*index).is_some_and(|next| walk(rest, next, visit))
        }
        (Step::AnyMember, Value::Object(members)) => {
            members.values().any(|next| walk(rest, next, visit))
        }
        (Step::AnyElement, Value::Array(items)) => items.iter().any(|next| walk(rest, next, visit)),
        _ => false,
    }
}

impl Condition {
    pub(super) fn holds(&self, message: &Value) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(message)),
            Self::All(conditions) => conditions.iter().all(|c| c.holds(message)),
            Self::Test(selector, Test::NotExists) => !selector.any(message, &mut |_node| true),
            Self::Test(selector, test) => selector.any(message, &mut |node| test.holds(node)),
        }
    }

    fn selectors(&self, found: &mut Vec<Selector>) {
        match self {
            Self::Any(conditions) | Self::All(conditions) => {
                conditions.iter().for_each(|condition| condition.selectors(found));
            }
            Self::Test(selector, _) => found.push(selector.clone()),
        }
    }
}

impl Test {
    fn holds(&self, node: &Value) -> bool {
        match (self, node) {
            (Self::Is(literal), _) => match literal {
                Literal::Null => node.is_null(),
                Literal::True => node.as_bool() == Some(true),
                Literal::False => node.as_bool() == Some(false),
            },
            (Self::Compare(comparison, operand), Value::Number(number)) => {
                number.as_f64().is_some_and(|n| operand.compare_number(*comparison, n))
            }
            // A numeric-looking JSON text is a text.
            (Self::Compare(comparison, Operand::Number { .. }), Value::String(_)) => {
                *comparison == Comparison::NotEqual
            }
            (Self::Compare(comparison, operand), Value::String(text)) => {
                operand.compare_text(*comparison, text)
            }
            // Arrays, objects, booleans and null are never compared.
            (Self::Compare(..) | Self::NotExists, _) => false,
        }
    }
}

/// The message as JSON, when all of it is.
pub(super) fn read(message: &str) -> Option<Value> {
    let first = message.trim_start().chars().next()?;
    matches!(first, '{' | '[').then(|| serde_json::from_str(message).ok()).flatten()
}

/// The first scalar that `selector` selects, as text.
pub(super) fn select(selector: &str, message: &str) -> Option<String> {
    let mut cursor = Cursor::new(selector);
    let selector = Selector::parse(&mut cursor).ok()?;
    if cursor.peek().is_some() {
        return None;
    }
    scalar(&selector, &read(message)?)
}

fn scalar(selector: &Selector, message: &Value) -> Option<String> {
    let mut found = None;
    selector.any(message, &mut |node| {
        found = match node {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(node.to_string()),
            _ => None,
        };
        found.is_some()
    });
    found
}

/// The scalars that the selectors of a condition select.
pub(super) fn extract<'m>(condition: &Condition, message: &'m str) -> Vec<ExtractedField<'m>> {
    let Some(value) = read(message) else { return Vec::new() };
    let mut selectors = Vec::new();
    condition.selectors(&mut selectors);
    let field = |selector: Selector| {
        let text = scalar(&selector, &value)?;
        Some((selector.source, Cow::Owned(text)))
    };
    selectors.into_iter().filter_map(field).collect()
}

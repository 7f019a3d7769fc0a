//! The space-delimited dialect: conditions on the columns of a message.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::operand::{Comparison, Operand};
use super::{ExtractedField, FilterPatternError};

/// The columns of a space-delimited pattern.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    before: Vec<Column>,
    /// `...` stands between `before` and `after`.
    ellipsis: bool,
    after: Vec<Column>,
}

#[derive(Clone, Debug, Default)]
struct Column {
    name: Option<String>,
    condition: Option<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Compare(Comparison, Operand),
}

impl Columns {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, FilterPatternError> {
        cursor.require("[", "[")?;
        let mut columns = Self { before: Vec::new(), ellipsis: false, after: Vec::new() };
        cursor.skip_spaces();
        if cursor.take("]") {
            columns.ellipsis = true;
            return end(cursor, columns);
        }
        loop {
            cursor.skip_spaces();
            if cursor.rest().starts_with("...") {
                if columns.ellipsis {
                    return Err(cursor.limit("a pattern has at most one ..."));
                }
                cursor.require("...", "...")?;
                columns.ellipsis = true;
            } else {
                let column = Column::parse(cursor)?;
                let list = if columns.ellipsis { &mut columns.after } else { &mut columns.before };
                list.push(column);
            }
            cursor.skip_spaces();
            if cursor.take("]") {
                return end(cursor, columns);
            }
            cursor.require(",", ", or ]")?;
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let fields = self.fields(message);
        self.pair(&fields).is_some_and(|pairs| {
            pairs.iter().all(|(_, column, field)| {
                let condition = column.and_then(|column| column.condition.as_ref());
                condition.is_none_or(|condition| condition.holds(field))
            })
        })
    }

    pub(super) fn extract<'m>(&self, message: &'m str) -> Vec<ExtractedField<'m>> {
        let fields = self.fields(message);
        let Some(pairs) = self.pair(&fields) else { return Vec::new() };
        let field = |(position, column, field): &(usize, Option<&Column>, &'m str)| {
            let name = column.and_then(|column| column.name.as_deref());
            let name = name.map_or_else(|| format!("${position}"), |name| format!("${name}"));
            (name, Cow::Borrowed(*field))
        };
        pairs.iter().map(field).collect()
    }

    pub(super) fn select<'m>(&self, selector: &str, message: &'m str) -> Option<Cow<'m, str>> {
        self.extract(message).into_iter().find(|(name, _)| name == selector).map(|(_, text)| text)
    }

    /// The fields of a message. Without `...`, a last plain column takes what is left over.
    fn fields<'m>(&self, message: &'m str) -> Vec<&'m str> {
        let plain_last = self.before.last().is_some_and(|column| column.condition.is_none());
        let most = if self.ellipsis || !plain_last { usize::MAX } else { self.before.len() };
        tokenize(message, most)
    }

    /// Each field with its 1-based position and its column; `None` when the counts do not fit.
    fn pair<'c, 'm>(&'c self, fields: &[&'m str]) -> Option<Vec<Paired<'c, 'm>>> {
        let named = self.before.len() + self.after.len();
        let fits = if self.ellipsis { fields.len() >= named } else { fields.len() == named };
        if !fits {
            return None;
        }
        let between = fields.len() - named;
        let columns = self
            .before
            .iter()
            .map(Some)
            .chain(std::iter::repeat_n(None, between))
            .chain(self.after.iter().map(Some));
        let positions = 1..;
        Some(
            positions
                .zip(columns)
                .zip(fields)
                .map(|((at, column), field)| (at, column, *field))
                .collect(),
        )
    }
}

fn end(cursor: &mut Cursor<'_>, columns: Columns) -> Result<Columns, FilterPatternError> {
    cursor.skip_spaces();
    match cursor.peek() {
        None => Ok(columns),
        Some(_) => Err(cursor.expected("the end of the pattern")),
    }
}

impl Column {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, FilterPatternError> {
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self::default());
        }
        let mut name = None;
        let condition = any(cursor, &mut name, 0)?;
        Ok(Self { name, condition })
    }
}

/// A field's 1-based position, its column where it has one, and its text.
type Paired<'c, 'm> = (usize, Option<&'c Column>, &'m str);

const DEPTH_MAX: usize = 32;

fn any(
    cursor: &mut Cursor<'_>,
    name: &mut Option<String>,
    depth: usize,
) -> Result<Option<Condition>, FilterPatternError> {
    joined(cursor, name, ("||", all, Condition::Any), depth)
}

fn all(
    cursor: &mut Cursor<'_>,
    name: &mut Option<String>,
    depth: usize,
) -> Result<Option<Condition>, FilterPatternError> {
    joined(cursor, name, ("&&", unary, Condition::All), depth)
}

type Inner = fn(
    &mut Cursor<'_>,
    &mut Option<String>,
    usize,
) -> Result<Option<Condition>, FilterPatternError>;

type Join = fn(Vec<Condition>) -> Condition;

fn joined(
    cursor: &mut Cursor<'_>,
    name: &mut Option<String>,
    (sign, inner, join): (&str, Inner, Join),
    depth: usize,
) -> Result<Option<Condition>, FilterPatternError> {
    let mut first = inner(cursor, name, depth)?;
    let mut more = Vec::new();
    loop {
        cursor.skip_spaces();
        if !cursor.take(sign) {
            break;
        }
        let missing = cursor.expected("a comparison");
        let before = first.take().ok_or_else(|| missing.clone());
        if more.is_empty() {
            more.push(before?);
        }
        more.push(inner(cursor, name, depth)?.ok_or(missing)?);
    }
    Ok(if more.is_empty() { first } else { Some(join(more)) })
}

fn unary(
    cursor: &mut Cursor<'_>,
    name: &mut Option<String>,
    depth: usize,
) -> Result<Option<Condition>, FilterPatternError> {
    cursor.skip_spaces();
    if cursor.take("(") {
        if depth >= DEPTH_MAX {
            return Err(cursor.limit("parentheses are nested too deeply"));
        }
        let inner = any(cursor, name, depth + 1)?;
        cursor.skip_spaces();
        cursor.require(")", ")")?;
        return Ok(inner);
    }
    let before = cursor.clone();
    let word = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if word.is_empty() {
        return Err(cursor.expected("a column name"));
    }
    if name.get_or_insert_with(|| word.to_owned()) != word {
        return Err(before.expected("the name of the same column"));
    }
    cursor.skip_spaces();
    let Some(comparison) = Comparison::parse(cursor) else { return Ok(None) };
    let ends = |c| matches!(c, ',' | ']' | '(' | ')' | '&' | '|' | '"');
    Ok(Some(Condition::Compare(comparison, Operand::parse(cursor, comparison, ends)?)))
}

impl Condition {
    fn holds(&self, field: &str) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(field)),
            Self::All(conditions) => conditions.iter().all(|c| c.holds(field)),
            Self::Compare(comparison, operand) => operand.compare_column(*comparison, field),
        }
    }
}

/// Splits at spaces; `[..]` and `".."` are one field without their delimiters. The last of `most`
/// fields takes all that is left.
fn tokenize(message: &str, most: usize) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim();
    while !rest.is_empty() {
        let (field, tail) = if fields.len() + 1 == most && split_field(rest).1.trim_start() != "" {
            (rest, "")
        } else {
            split_field(rest)
        };
        fields.push(field);
        rest = tail.trim_start();
    }
    fields
}

fn split_field(rest: &str) -> (&str, &str) {
    let close = match rest.chars().next() {
        Some('[') => Some(']'),
        Some('"') => Some('"'),
        _ => None,
    };
    let delimited = close.and_then(|close| {
        let inner = rest.get(1..)?;
        let at = inner.find(close)?;
        Some((inner.get(..at)?, inner.get(at + 1..)?))
    });
    delimited.unwrap_or_else(|| rest.split_at(rest.find(' ').unwrap_or(rest.len())))
}

//! What a field is compared with: a number, a text with wildcards or a regular expression.

use super::FilterPatternError;
use super::cursor::Cursor;
use crate::query::wildcard::Wildcard;

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a field is compared with.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Number { value: f64, source: String },
    Text(Wildcard),
    Regex(regex::Regex),
}

impl Comparison {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        // Longest first.
        const SIGNS: [(&str, Comparison); 6] = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        SIGNS.into_iter().find(|(sign, _)| cursor.take(sign)).map(|(_, comparison)| comparison)
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            #[expect(clippy::float_cmp, reason = "the pattern language compares exactly")]
            Self::Equal => left == right,
            #[expect(clippy::float_cmp, reason = "the pattern language compares exactly")]
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    pub(super) const fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Operand {
    /// Reads the right side of a comparison. `ends` tells which bare characters cannot belong.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        comparison: Comparison,
        ends: impl Fn(char) -> bool,
    ) -> Result<Self, FilterPatternError> {
        cursor.skip_spaces();
        let start = cursor.clone();
        let operand = match cursor.peek() {
            Some('"') => Self::Text(Wildcard::new(&cursor.quoted('"')?)),
            Some('%') => Self::Regex(cursor.regex()?),
            _ => {
                let bare = cursor.take_while(|c| !c.is_whitespace() && !ends(c));
                if bare.is_empty() {
                    return Err(cursor.expected("a value"));
                }
                match bare.parse::<f64>() {
                    Ok(value) if value.is_finite() => {
                        Self::Number { value, source: bare.to_owned() }
                    }
                    _ => Self::Text(Wildcard::new(bare)),
                }
            }
        };
        if comparison.orders() && !matches!(operand, Self::Number { .. }) {
            return Err(start.expected("a number after <, <=, > or >="));
        }
        Ok(operand)
    }

    /// Compares a number of a JSON message.
    pub(super) fn compare_number(&self, comparison: Comparison, actual: f64) -> bool {
        match self {
            Self::Number { value, .. } => comparison.holds(actual, *value),
            Self::Text(_) | Self::Regex(_) => self.compare_text(comparison, &actual.to_string()),
        }
    }

    /// Compares a text; numbers are compared by their digits.
    pub(super) fn compare_text(&self, comparison: Comparison, actual: &str) -> bool {
        let equal = match self {
            Self::Number { source, .. } => source == actual,
            Self::Text(wildcard) => wildcard.matches(actual),
            Self::Regex(regex) => regex.is_match(actual),
        };
        match comparison {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            _ => false,
        }
    }

    /// Compares a column, which is a number when it looks like one.
    pub(super) fn compare_column(&self, comparison: Comparison, actual: &str) -> bool {
        match (self, actual.parse::<f64>()) {
            (Self::Number { value, .. }, Ok(number)) => comparison.holds(number, *value),
            _ => self.compare_text(comparison, actual),
        }
    }
}

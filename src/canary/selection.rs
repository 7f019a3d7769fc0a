//! Which canaries a person means: `smoke and not (slow or flaky)`.
//!
//! Main type: [`Selection`]. It knows words and how they are joined; what a word says about a
//! canary, its caller decides.

use thiserror::Error;

/// BOUND: of parentheses inside parentheses.
const DEPTH_MAX: usize = 32;

/// Words joined by `and`, `or`, `not` and parentheses; `not` binds most, `or` least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A word that has to hold.
    Word(String),
    /// The inner selection does not hold.
    Not(Box<Selection>),
    /// All of these hold.
    And(Vec<Selection>),
    /// One of these holds.
    Or(Vec<Selection>),
}

/// A text that is no selection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SelectionError {
    /// Something is missing.
    #[error("a word is missing {place}")]
    Missing {
        /// `at the end`, `before \`)\``.
        place: String,
    },
    /// Two words stand side by side.
    #[error("`{word}` needs an `and` or an `or` before it")]
    NotJoined {
        /// The second.
        word: String,
    },
    /// A parenthesis has no counterpart.
    #[error("a parenthesis is not closed, or not opened")]
    Parenthesis,
    /// It goes too deep.
    #[error("parentheses go deeper than {DEPTH_MAX}")]
    TooDeep,
}

impl Selection {
    /// Reads a selection.
    ///
    /// Errors: see [`SelectionError`].
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        let mut parser = Parser { tokens: tokens(text), at: 0, depth: 0 };
        let selection = parser.any()?;
        match parser.next() {
            None => Ok(selection),
            Some(")" | "(") => Err(SelectionError::Parenthesis),
            Some(word) => Err(SelectionError::NotJoined { word: word.to_owned() }),
        }
    }

    /// Whether it holds when each word holds or not as `says`.
    pub fn holds(&self, says: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Word(word) => says(word),
            Self::Not(inner) => !inner.holds(says),
            Self::And(all) => all.iter().all(|each| each.holds(says)),
            Self::Or(any) => any.iter().any(|each| each.holds(says)),
        }
    }
}

/// Whether `pattern` describes the whole `name`; `*` stands for anything.
pub fn describes(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    for part in middle {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or("");
    }
    left.ends_with(last)
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for chunk in text.split_whitespace() {
        tokens.extend(chunk.split_inclusive(['(', ')']).flat_map(|part| {
            let word = part.trim_end_matches(['(', ')']);
            [word, part.get(word.len()..).unwrap_or("")]
        }));
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

struct Parser<'t> {
    tokens: Vec<&'t str>,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'t str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn any(&mut self) -> Result<Selection, SelectionError> {
        let mut any = vec![self.all()?];
        while self.peek() == Some("or") {
            self.at += 1;
            any.push(self.all()?);
        }
        Ok(single(any, Selection::Or))
    }

    fn all(&mut self) -> Result<Selection, SelectionError> {
        let mut all = vec![self.one()?];
        while self.peek() == Some("and") {
            self.at += 1;
            all.push(self.one()?);
        }
        Ok(single(all, Selection::And))
    }

    fn one(&mut self) -> Result<Selection, SelectionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SelectionError::TooDeep);
        }
        let one = match self.next() {
            Some("not") => Selection::Not(Box::new(self.one()?)),
            Some("(") => {
                let inner = self.any()?;
                if self.next() != Some(")") {
                    return Err(SelectionError::Parenthesis);
                }
                inner
            }
            Some(word @ (")" | "and" | "or")) => {
                return Err(SelectionError::Missing { place: format!("before `{word}`") });
            }
            Some(word) => Selection::Word(word.to_owned()),
            None => return Err(SelectionError::Missing { place: "at the end".to_owned() }),
        };
        self.depth -= 1;
        Ok(one)
    }
}

fn single(mut parts: Vec<Selection>, join: fn(Vec<Selection>) -> Selection) -> Selection {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_binds_more_than_and_and_more_than_or() {
        let tags = ["smoke", "shop"];
        for (text, expected) in [
            ("smoke", true),
            ("slow", false),
            ("smoke and slow", false),
            ("smoke and not slow", true),
            ("slow and x or smoke", true),
            ("smoke or slow and x", true),
            ("(smoke or slow) and x", false),
            ("not (slow or x) and shop", true),
            ("not not shop", true),
        ] {
            let selection = Selection::parse(text).unwrap();
            assert_eq!(selection.holds(&|word| tags.contains(&word)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selection_says_what_is_missing() {
        for (text, said) in [
            ("", "a word is missing at the end"),
            ("a and", "a word is missing at the end"),
            ("or b", "a word is missing before `or`"),
            ("a b", "`b` needs an `and` or an `or` before it"),
            ("(a", "a parenthesis is not closed, or not opened"),
            ("a)", "a parenthesis is not closed, or not opened"),
        ] {
            assert_eq!(Selection::parse(text).unwrap_err().to_string(), said, "{text}");
        }
        let deep = "(".repeat(100_000);
        assert_eq!(Selection::parse(&deep), Err(SelectionError::TooDeep));
        let deep = "not ".repeat(100_000);
        assert_eq!(Selection::parse(&deep), Err(SelectionError::TooDeep));
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("shop-*", "shop-api", true),
            ("shop-*", "my-shop-api", false),
            ("*-api", "shop-api", true),
            ("s*p*i", "shop-api", true),
            ("*", "anything", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(describes(pattern, name), expected, "{pattern} {name}");
        }
    }
}

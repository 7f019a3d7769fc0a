//! A query's text as tokens with their places.

use super::InsightsError;
use super::period::Period;
use crate::diagnostic::Span;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A bare word: a keyword, a function or a field.
    Word(String),
    /// A field in backticks.
    Quoted(String),
    Text(String),
    Regex(String),
    Number(f64),
    Period(Period),
    Sign(&'static str),
    End,
}

/// Longest first.
const SIGNS: [&str; 21] = [
    "!=", "<=", ">=", "=~", "=", "<", ">", "|", ",", "(", ")", "[", "]", "+", "-", "*", "/", "%",
    "^", "!", ".",
];

/// Splits a query into tokens; the last one is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, InsightsError> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new() };
    while lexer.next()? {}
    let end = Span::point(source.len());
    lexer.tokens.push(Token { kind: Kind::End, span: end });
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: Kind, length: usize) -> Result<bool, InsightsError> {
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        self.tokens.push(Token { kind, span });
        Ok(true)
    }

    fn fault<T>(&self, message: &str) -> Result<T, InsightsError> {
        let end = self.at + self.rest().chars().next().map_or(0, char::len_utf8);
        Err(InsightsError::Malformed { span: Span::new(self.at, end), message: message.to_owned() })
    }

    /// Reads one token; `false` at the end.
    fn next(&mut self) -> Result<bool, InsightsError> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return Ok(false) };
        match c {
            c if c.is_whitespace() => {
                self.at += c.len_utf8();
                Ok(true)
            }
            '#' => {
                self.at += rest.find('\n').unwrap_or(rest.len());
                Ok(true)
            }
            '"' | '\'' => self.delimited(c),
            '`' => match rest.get(1..).and_then(|tail| tail.find('`')) {
                Some(length) => {
                    let name = rest.get(1..=length).unwrap_or("").to_owned();
                    self.push(Kind::Quoted(name), length + 2)
                }
                None => self.fault("a field in backticks is not closed"),
            },
            '/' if self.regex_may_start() => self.regex(),
            c if c.is_ascii_digit() => self.number(),
            c if c.is_alphabetic() || matches!(c, '_' | '@') => {
                let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or("").trim_end_matches('.').to_owned();
                let length = word.len();
                self.push(Kind::Word(word), length)
            }
            _ => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => self.push(Kind::Sign(sign), sign.len()),
                None => self.fault("unexpected character"),
            },
        }
    }

    /// A slash divides after a value and opens a regex anywhere else. After the source of a parse
    /// command, a value too, only a regex makes sense.
    fn regex_may_start(&self) -> bool {
        let mut before = self.tokens.iter().rev().map(|token| &token.kind);
        match before.next() {
            None | Some(Kind::Sign(_)) => {
                let closes = |kind: &Kind| matches!(kind, Kind::Sign(")" | "]"));
                !self.tokens.last().is_some_and(|token| closes(&token.kind))
            }
            Some(Kind::Word(word)) => {
                let word = word.to_ascii_lowercase();
                matches!(word.as_str(), "like" | "parse") || follows_parse(before.next())
            }
            Some(Kind::Quoted(_)) => follows_parse(before.next()),
            Some(_) => false,
        }
    }

    fn delimited(&mut self, quote: char) -> Result<bool, InsightsError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                c if c == quote => return self.push(Kind::Text(text), at + 1),
                c => text.push(c),
            }
        }
        self.fault("a string is not closed")
    }

    fn regex(&mut self) -> Result<bool, InsightsError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, '/')) => text.push('/'),
                    Some((_, c)) => text.extend(['\\', c]),
                    None => break,
                },
                '/' => return self.push(Kind::Regex(text), at + 1),
                c => text.push(c),
            }
        }
        self.fault("a regular expression is not closed")
    }

    fn number(&mut self) -> Result<bool, InsightsError> {
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let tail = rest.get(digits..).unwrap_or("");
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let unit = tail.get(..unit).unwrap_or("");
        let count = rest.get(..digits).and_then(|digits| digits.parse::<u32>().ok());
        if let Some(period) = count.and_then(|count| Period::new(count, unit)) {
            return self.push(Kind::Period(period), digits + unit.len());
        }
        let mut length = digits;
        if let Some(fraction) = tail.strip_prefix('.') {
            let more = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
            length += if more > 0 { more + 1 } else { 0 };
        }
        let exponent = rest.get(length..).unwrap_or("");
        if let Some(power) = exponent.strip_prefix(['e', 'E']) {
            let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
            let more = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
            length += if more > 0 { 1 + power.len() - unsigned.len() + more } else { 0 };
        }
        match rest.get(..length).and_then(|text| text.parse().ok()) {
            Some(number) => self.push(Kind::Number(number), length),
            None => self.fault("not a number"),
        }
    }
}

fn follows_parse(kind: Option<&Kind>) -> bool {
    matches!(kind, Some(Kind::Word(word)) if word.eq_ignore_ascii_case("parse"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '.')
}

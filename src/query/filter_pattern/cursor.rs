//! A position in a pattern.

use super::{FilterPatternError, FilterPatternFault};

/// Walks over a pattern's characters.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    source: &'a str,
    at: usize,
    regexes: usize,
}

impl<'a> Cursor<'a> {
    /// Source: CloudWatch Logs quotas, regular expressions in one filter pattern.
    const REGEXES_MAX: usize = 2;

    pub(super) const fn new(source: &'a str) -> Self {
        Self { source, at: 0, regexes: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// Takes `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Takes `word` in any case, if it comes next and ends there.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let Some(head) = rest.get(..word.len()) else { return false };
        let ends = rest.get(word.len()..).and_then(|tail| tail.chars().next());
        let found = head.eq_ignore_ascii_case(word) && !ends.is_some_and(char::is_alphanumeric);
        if found {
            self.at += word.len();
        }
        found
    }

    pub(super) fn require(
        &mut self,
        text: &str,
        what: &'static str,
    ) -> Result<(), FilterPatternError> {
        if self.take(text) { Ok(()) } else { Err(self.expected(what)) }
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    /// Reads what follows an opening quote up to the closing one; `\` escapes a character.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, FilterPatternError> {
        let start = self.at;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => match self.next() {
                    Some(c) if c == quote || c == '\\' => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => break,
                },
                Some(c) => text.push(c),
                None => break,
            }
        }
        let fault = FilterPatternFault::Expected("a closing quote");
        Err(FilterPatternError { offset: start, fault })
    }

    /// Reads `%regex%`.
    pub(super) fn regex(&mut self) -> Result<regex::Regex, FilterPatternError> {
        let start = self.at;
        let fail = |what| {
            Err(FilterPatternError { offset: start, fault: FilterPatternFault::Regex(what) })
        };
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('%') => break,
                Some('\\') => match self.next() {
                    Some(c) => text.extend(['\\', c]),
                    None => return fail("a regular expression ends with %"),
                },
                Some('(' | ')') => return fail("parentheses are not supported in a regex"),
                Some(c) if !c.is_ascii() => {
                    return fail("multi-byte characters are not supported in a regex");
                }
                Some(c) => text.push(c),
                None => return fail("a regular expression ends with %"),
            }
        }
        self.regexes += 1;
        if self.regexes > Self::REGEXES_MAX {
            return fail("a pattern has at most 2 regular expressions");
        }
        regex::RegexBuilder::new(&text)
            .size_limit(1 << 20)
            .nest_limit(32)
            .build()
            .or_else(|_invalid| fail("not a regular expression"))
    }

    pub(super) const fn expected(&self, what: &'static str) -> FilterPatternError {
        FilterPatternError { offset: self.at, fault: FilterPatternFault::Expected(what) }
    }

    pub(super) const fn limit(&self, what: &'static str) -> FilterPatternError {
        FilterPatternError { offset: self.at, fault: FilterPatternFault::Limit(what) }
    }
}

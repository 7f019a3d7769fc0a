//! The unstructured dialect: terms that occur, may occur or must not occur.

use super::FilterPatternError;
use super::cursor::Cursor;

/// Terms of an unstructured pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    required: Vec<Term>,
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(regex::Regex),
}

impl Term {
    fn occurs(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => memchr::memmem::find(message.as_bytes(), text.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, FilterPatternError> {
        let mut terms = Self::default();
        loop {
            cursor.skip_spaces();
            let list = match cursor.peek() {
                None => return Ok(terms),
                Some('?') => {
                    cursor.next();
                    &mut terms.optional
                }
                Some('-') => {
                    cursor.next();
                    &mut terms.excluded
                }
                Some(_) => &mut terms.required,
            };
            if let Some(term) = term(cursor)? {
                list.push(term);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.required.is_empty() && self.optional.is_empty() && self.excluded.is_empty()
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let occurs = |term: &Term| term.occurs(message);
        // COMPAT: with a required term the optional ones are ignored, as AWS does.
        let wanted = if self.required.is_empty() {
            self.optional.is_empty() || self.optional.iter().any(occurs)
        } else {
            self.required.iter().all(occurs)
        };
        wanted && !self.excluded.iter().any(occurs)
    }

    pub(super) fn needle(&self) -> Option<&str> {
        let texts = self.required.iter().filter_map(|term| match term {
            Term::Text(text) => Some(text.as_str()),
            Term::Regex(_) => None,
        });
        texts.max_by_key(|text| text.len())
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Option<Term>, FilterPatternError> {
    let term = match cursor.peek() {
        Some('"') => Term::Text(cursor.quoted('"')?),
        Some('%') => Term::Regex(cursor.regex()?),
        _ => {
            let word = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
            if word.is_empty() {
                return Err(cursor.expected("a word, a quoted phrase or a %regex%"));
            }
            Term::Text(word.to_owned())
        }
    };
    if cursor.peek().is_some_and(|c| !c.is_whitespace()) {
        return Err(cursor.expected("a space; words with other characters are quoted"));
    }
    // COMPAT: `""` and `" "` match everything.
    let says_nothing = matches!(&term, Term::Text(text) if text.trim().is_empty());
    Ok((!says_nothing).then_some(term))
}

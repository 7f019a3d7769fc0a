use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::context::RenderFault;
use super::evaluate::{RESULT_BYTES_MAX, ensure_fits};

/// The place that a rendered text will stand in. It decides what templates may yield there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Anywhere that has no syntax of its own.
    Plain,
    /// A URL: results are percent-encoded by the part they stand in, and cannot change the host
    /// once it has begun. A template at the very start gives the URL's own start and stays as it
    /// is, and so do results of the filters `url` and `raw`.
    Url,
    /// A header's value: line breaks and NUL are refused.
    Header,
}

/// How one result is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AsIs,
    NoControls,
    Host,
    Path,
    Query,
}

/// Unreserved characters of RFC 3986 stay.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// In a path, separators and the sub-delimiters that mean nothing stay too.
const PATH: &AsciiSet = &COMPONENT.remove(b'/').remove(b':').remove(b'@').remove(b',');

impl Position {
    /// The form for a result that follows `before`.
    pub(super) fn form(self, before: &str, encoded: bool) -> Form {
        match self {
            Self::Plain => Form::AsIs,
            Self::Header => Form::NoControls,
            Self::Url if encoded || before.is_empty() => Form::NoControls,
            Self::Url if before.contains(['?', '#']) => Form::Query,
            Self::Url => match before.split_once("://") {
                Some((_, rest)) if rest.contains('/') => Form::Path,
                Some(_) => Form::Host,
                // A relative URL has no host to change.
                None if before.contains('/') => Form::Path,
                None => Form::Host,
            },
        }
    }
}

impl Form {
    pub(super) fn push(self, text: &str, out: &mut String) -> Result<(), RenderFault> {
        let wrong = |problem| Err(RenderFault::WrongPosition { problem });
        if self != Self::AsIs && text.contains(['\r', '\n', '\0']) {
            return wrong("it holds a line break or NUL");
        }
        match self {
            Self::AsIs | Self::NoControls => {
                ensure_fits(out.len() + text.len())?;
                out.push_str(text);
            }
            Self::Host if text.contains(['/', '\\', '?', '#', '@', ' ', '\t']) => {
                return wrong("it would change the host of the URL");
            }
            Self::Host => out.push_str(text),
            Self::Path => out.extend(utf8_percent_encode(text, PATH)),
            Self::Query => out.extend(utf8_percent_encode(text, COMPONENT)),
        }
        // Percent-encoding at most triples a text that was itself held below the limit.
        debug_assert!(out.len() <= 4 * RESULT_BYTES_MAX);
        ensure_fits(out.len())
    }
}

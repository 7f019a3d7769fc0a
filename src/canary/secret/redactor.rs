use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;

use super::encoded;
use super::name::{is_sensitive_name, redact_url};
use super::text::SecretText;

/// What stands where a secret stood.
pub const REDACTED: &str = "***";

/// Shorter secrets are words of ordinary texts: hiding them would tear every report apart.
const SECRET_BYTES_MIN: usize = 6;

/// BOUND: of distinct secrets of a run; captures in a loop could go on forever.
const SECRETS_MAX: usize = 1000;

/// Finds secrets in texts, in any of the encodings they travel in, in one pass.
///
/// Cloning is cheap. It is made anew when a run captures a secret.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<SecretText>,
    finder: Option<Finder>,
}

#[derive(Clone)]
struct Finder {
    automaton: Arc<AhoCorasick>,
    longest: usize,
}

impl Redactor {
    /// A redactor for these secrets. Those shorter than six bytes are left out.
    pub fn new(secrets: impl IntoIterator<Item = SecretText>) -> Self {
        let mut redactor = Self::default();
        redactor.add(secrets);
        redactor
    }

    /// Takes in further secrets; gives whether there was a new one.
    pub fn learn(&mut self, secrets: impl IntoIterator<Item = SecretText>) -> bool {
        self.add(secrets)
    }

    fn add(&mut self, secrets: impl IntoIterator<Item = SecretText>) -> bool {
        let before = self.secrets.len();
        for secret in secrets {
            // White space around a secret is often lost on its way.
            let trimmed = SecretText::new(secret.expose().trim());
            let is_usable = trimmed.expose().len() >= SECRET_BYTES_MIN;
            let is_new = !self.secrets.contains(&trimmed);
            if is_usable && is_new && self.secrets.len() < SECRETS_MAX {
                self.secrets.push(trimmed);
            }
        }
        if self.secrets.len() == before {
            return false;
        }
        let forms: std::collections::BTreeSet<Vec<u8>> = self
            .secrets
            .iter()
            .flat_map(|secret| encoded::forms(secret.expose()))
            .filter(|form| form.len() >= SECRET_BYTES_MIN)
            .collect();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms);
        // It fails only past 2^31 states, which so few short patterns do not reach.
        self.finder =
            automaton.ok().map(|automaton| Finder { automaton: Arc::new(automaton), longest });
        true
    }

    /// Whether there is nothing to find; names are looked at all the same.
    pub const fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    /// The text with every secret in it replaced.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.finder {
            Some(finder) if finder.automaton.is_match(text) => {
                let mut out = String::with_capacity(text.len());
                finder.automaton.replace_all_with(text, &mut out, |_, _, out| {
                    out.push_str(REDACTED);
                    true
                });
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The same in place.
    pub fn in_place(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.text(text) {
            *text = redacted;
        }
    }

    /// Bytes with every secret in them replaced; for bodies that are no text.
    pub fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        match &self.finder {
            Some(finder) if finder.automaton.is_match(bytes) => {
                let mut out = Vec::with_capacity(bytes.len());
                finder.automaton.replace_all_with_bytes(bytes, &mut out, |_, _, out| {
                    out.extend_from_slice(REDACTED.as_bytes());
                    true
                });
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// The value of a header, cookie, parameter or field as it may be shown.
    pub fn named<'v>(&self, name: &str, value: &'v str) -> Cow<'v, str> {
        if is_sensitive_name(name) { Cow::Borrowed(REDACTED) } else { self.text(value) }
    }

    /// A URL as it may be shown.
    pub fn url(&self, url: &str) -> String {
        self.text(&redact_url(url)).into_owned()
    }

    /// A JSON value as it may be shown: texts anywhere, and members of telling names.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.in_place(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(members) => {
                for (key, member) in members {
                    if is_sensitive_name(key) && !member.is_null() {
                        *member = Value::from(REDACTED);
                    } else {
                        self.json(member);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Redacts a text that comes in pieces; a secret may lie across their borders.
    pub fn stream(&self) -> RedactedStream {
        RedactedStream { redactor: self.clone(), held: Vec::new() }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.secrets.len()).finish()
    }
}

/// A text in pieces on its way through a redactor.
///
/// BOUND: it holds back at most one byte less than the longest form of a secret.
#[derive(Clone)]
pub struct RedactedStream {
    redactor: Redactor,
    held: Vec<u8>,
}

impl RedactedStream {
    /// Takes a piece; gives what can be shown by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let Some(finder) = self.redactor.finder.clone() else { return piece.to_vec() };
        self.held.extend_from_slice(piece);
        // Whatever begins before this cannot grow into a longer match any more.
        let safe = self.held.len().saturating_sub(finder.longest.saturating_sub(1));
        let mut out = Vec::with_capacity(safe);
        let mut done = 0;
        for found in finder.automaton.find_iter(&self.held) {
            if found.start() >= safe {
                break;
            }
            out.extend_from_slice(self.held.get(done..found.start()).unwrap_or(&[]));
            out.extend_from_slice(REDACTED.as_bytes());
            done = found.end();
        }
        out.extend_from_slice(self.held.get(done..safe).unwrap_or(&[]));
        self.held.drain(..done.max(safe));
        out
    }

    /// Gives the rest.
    pub fn finish(self) -> Vec<u8> {
        self.redactor.bytes(&self.held).into_owned()
    }
}

impl fmt::Debug for RedactedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactedStream").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use serde_json::json;

    const SECRET: &str = "p\"ss w/rd+<ü>'&?=";

    fn redactor() -> Redactor {
        Redactor::new([SecretText::new(SECRET)])
    }

    #[test]
    fn a_secret_is_found_in_every_encoding_it_travels_in() {
        let parsed = url::Url::parse_with_params("http://h/", [("q", SECRET)]).unwrap();
        let mut in_path = url::Url::parse("http://h/").unwrap();
        in_path.set_path(SECRET);
        for text in [
            SECRET.to_owned(),
            format!("x{SECRET}y"),
            parsed.to_string(),
            in_path.to_string(),
            percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC)
                .to_string(),
            json!({ "a": SECRET }).to_string(),
            json!(json!({ "a": SECRET }).to_string()).to_string(),
            hex::encode(SECRET),
            hex::encode_upper(SECRET),
            format!("<b>{}</b>", "p&quot;ss w/rd+&lt;ü&gt;&#39;&amp;?="),
            "p\\\"ss w\\/rd+<\\u00fc>'&?=".to_owned(),
        ] {
            let shown = redactor().text(&text).into_owned();
            assert!(shown.contains(REDACTED), "{text}");
            assert!(!shown.contains("rd+") && !shown.contains("rd%2B"), "{text} -> {shown}");
        }
    }

    #[test]
    fn base64_is_found_at_every_phase() {
        let secret = "correct horse battery";
        let redactor = Redactor::new([SecretText::new(secret)]);
        for before in ["", "a", "ab", "user:", "me:x"] {
            for after in ["", "z", "zz"] {
                for engine in [&STANDARD, &URL_SAFE] {
                    let text = engine.encode(format!("{before}{secret}{after}"));
                    let shown = redactor.text(&text).into_owned();
                    assert!(shown.contains(REDACTED), "{before}|{after}: {shown}");
                    // At most the ends are left, which say nothing of the secret's middle.
                    assert!(shown.len() <= REDACTED.len() + 16, "{before}|{after}: {shown}");
                }
            }
        }
    }

    #[test]
    fn a_secret_across_the_borders_of_pieces_is_found() {
        let text = format!("before {SECRET} between {} after", hex::encode(SECRET));
        let whole = redactor().text(&text).into_owned();
        for size in 1..40 {
            let mut stream = redactor().stream();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend(stream.push(piece));
            }
            out.extend(stream.finish());
            assert_eq!(String::from_utf8(out).unwrap(), whole, "pieces of {size}");
        }
    }

    #[test]
    fn names_are_looked_at_without_any_secret() {
        let redactor = Redactor::default();
        assert_eq!(redactor.named("Authorization", "Bearer x"), REDACTED);
        assert_eq!(redactor.named("accept", "x"), "x");
        assert_eq!(redactor.url("http://h/?api_key=1"), "http://h/?api_key=***");
        let mut value = json!({"user": {"password": "x", "name": "ann"}, "token": null});
        redactor.json(&mut value);
        assert_eq!(value, json!({"user": {"password": "***", "name": "ann"}, "token": null}));
    }

    #[test]
    fn short_secrets_do_not_tear_texts_apart() {
        let redactor = Redactor::new([SecretText::new("on"), SecretText::new("")]);
        assert!(redactor.is_empty());
        assert_eq!(redactor.text("on and on"), "on and on");
    }

    #[test]
    fn neither_redactor_nor_stream_shows_a_secret_when_debugged() {
        let redactor = Redactor::new([SecretText::new("very-secret-value")]);
        let mut stream = redactor.stream();
        stream.push(b"very-secret-val");
        let shown = format!("{redactor:?} {stream:?}");
        assert!(!shown.contains("very-secret") && !shown.contains("118"), "{shown}");
    }
}

//! What a value of a request is: known from before, secret, or only a text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::{escaped, variable_name};
use crate::canary::secret::is_sensitive_name;

/// BOUND: of values of earlier answers that are remembered.
const KNOWN_MAX: usize = 20_000;

/// A shorter text is the same by accident.
const TELLING_CHARS: usize = 6;

/// Secrets and captures of a draft under construction.
#[derive(Debug, Default)]
pub(super) struct Scheme {
    /// By value: the name of the secret.
    secrets: BTreeMap<String, String>,
    /// By value, as text: where an earlier answer has it.
    known: BTreeMap<String, Known>,
    /// Captures that are used.
    pub(super) captures: Vec<Captured>,
}

#[derive(Clone, Debug)]
struct Known {
    step: usize,
    path: String,
    key: String,
}

/// A value that one step captures and a later one uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) step: usize,
    pub(super) variable: String,
    pub(super) path: String,
    pub(super) is_secret: bool,
}

impl Scheme {
    /// Names of secrets, in order.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut names: Vec<String> = self.secrets.values().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Remembers what the answer of a step says, for requests after it.
    pub(super) fn learn(&mut self, step: usize, answer: &Value) {
        self.walk(step, answer, &mut "$".to_owned(), "");
    }

    fn walk(&mut self, step: usize, value: &Value, path: &mut String, key: &str) {
        let before = path.len();
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    path.push_str(&member_path(name));
                    self.walk(step, member, path, name);
                    path.truncate(before);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push_str(&index_path(index));
                    self.walk(step, item, path, key);
                    path.truncate(before);
                }
            }
            Value::String(text) if is_telling(text, key) => self.remember(step, text, path, key),
            Value::Number(number) if is_identity(key) => {
                self.remember(step, &number.to_string(), path, key);
            }
            _ => {}
        }
    }

    fn remember(&mut self, step: usize, value: &str, path: &str, key: &str) {
        if self.known.len() < KNOWN_MAX && !self.known.contains_key(value) {
            let known = Known { step, path: path.to_owned(), key: key.to_owned() };
            self.known.insert(value.to_owned(), known);
        }
    }

    /// A value as it stands in the file: a capture, a secret, or itself. `key` is the name of the
    /// field, header or parameter that it stands in; a part of a path has none.
    pub(super) fn text(&mut self, key: &str, value: &str) -> String {
        if let Some(captured) = self.captured(key, value) {
            return captured;
        }
        let is_known = value.len() >= TELLING_CHARS && self.secrets.contains_key(value);
        if is_known || (is_sensitive_name(key) && !value.is_empty()) {
            return self.secret(key, value);
        }
        escaped(value)
    }

    /// The template of a value that an earlier answer brought.
    pub(super) fn captured(&mut self, key: &str, value: &str) -> Option<String> {
        let known = self.known.get(value)?.clone();
        // A number is the same by accident, unless it names something on both sides.
        let is_number = value.chars().all(|c| c.is_ascii_digit());
        if is_number && !(key.is_empty() || is_identity(key)) {
            return None;
        }
        let same = |each: &&Captured| each.step == known.step && each.path == known.path;
        if let Some(captured) = self.captures.iter().find(same) {
            return Some(format!("{{{{ {} }}}}", captured.variable));
        }
        let is_free = |name: &str| self.captures.iter().all(|each| each.variable != name);
        let stem = if known.key == "id" && !key.is_empty() { key } else { &known.key };
        let variable = free_name(&variable_name(stem), is_free);
        let is_secret = is_sensitive_name(&known.key) || is_sensitive_name(key);
        let template = format!("{{{{ {variable} }}}}");
        self.captures.push(Captured { step: known.step, variable, path: known.path, is_secret });
        Some(template)
    }

    /// The template of a secret; its value is forgotten with the draft.
    pub(super) fn secret(&mut self, key: &str, value: &str) -> String {
        if let Some(name) = self.secrets.get(value) {
            return format!("{{{{ secret.{name} }}}}");
        }
        let stem = key.strip_prefix("x-").or_else(|| key.strip_prefix("X-")).unwrap_or(key);
        let is_free = |name: &str| self.secrets.values().all(|taken| taken != name);
        let name = free_name(&variable_name(stem).to_ascii_uppercase(), is_free);
        let template = format!("{{{{ secret.{name} }}}}");
        self.secrets.insert(value.to_owned(), name);
        template
    }

    /// Every text of a JSON value as it stands in the file.
    pub(super) fn json(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.iter();
                let members = members.map(|(name, member)| (name.clone(), self.json(name, member)));
                Value::Object(members.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.json(key, item)).collect(),
            Value::String(text) => self.text(key, text).into(),
            // A template that is the whole text keeps the type of its value.
            Value::Number(number) if is_identity(key) => {
                self.captured(key, &number.to_string()).map_or_else(|| value.clone(), Value::from)
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => value.clone(),
        }
    }
}

/// `base`, or `base_2` where that is taken.
fn free_name(base: &str, is_free: impl Fn(&str) -> bool) -> String {
    if is_free(base) {
        return base.to_owned();
    }
    let mut numbered = (2_u32..).map(|number| format!("{base}_{number}"));
    numbered.find(|name| is_free(name)).unwrap_or_default()
}

/// Whether a field of this name says which thing is meant.
fn is_identity(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower == "id"
        || lower == "uuid"
        || lower.ends_with("_id")
        || lower.ends_with("-id")
        || key.ends_with("Id")
        || key.ends_with("ID")
        || lower.ends_with("number")
}

/// Whether a text is met again only if it is the same thing.
fn is_telling(text: &str, key: &str) -> bool {
    let is_short = text.chars().count() < TELLING_CHARS;
    let is_random = text.len() >= 16
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && !text.contains([' ', '/', ':']);
    if is_identity(key) {
        return !text.is_empty();
    }
    !is_short && (is_sensitive_name(key) || is_random)
}

/// `.name`, or `['a name']`.
fn member_path(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain {
        return format!(".{name}");
    }
    format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn index_path(index: usize) -> String {
    format!("[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_answer_brought_is_captured_and_what_is_secret_is_not_written() {
        let mut scheme = Scheme::default();
        scheme.learn(0, &json!({ "user": { "auth-token": "abc123def" }, "id": 42, "count": 17 }));
        assert_eq!(scheme.text("authorization", "abc123def"), "{{ auth_token }}");
        assert_eq!(scheme.text("", "42"), "{{ id }}");
        assert_eq!(scheme.text("page", "42"), "42", "the same by accident");
        assert_eq!(scheme.text("count", "17"), "17");
        assert_eq!(scheme.text("password", "hunter2"), "{{ secret.PASSWORD }}");
        assert_eq!(scheme.text("password", "other"), "{{ secret.PASSWORD_2 }}");
        assert_eq!(scheme.text("x-api-key", "hunter2"), "{{ secret.PASSWORD }}");
        assert_eq!(scheme.text("q", "{{ x }}"), "{{ '{{' }} x }}");
        assert_eq!(scheme.secrets(), ["PASSWORD", "PASSWORD_2"]);
        let paths: Vec<_> =
            scheme.captures.iter().map(|each| (each.path.as_str(), each.is_secret)).collect();
        assert_eq!(paths, [("$.user['auth-token']", true), ("$.id", false)]);
    }
}

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::names::Names;
use crate::canary::document::{Entry, Node, NodeValue};
use crate::canary::load::{Fault, Imports};
use crate::canary::quantity;
use crate::canary::template::{Rendered, Taint, TemplateValue, Text};
use crate::diagnostic::{Diagnostic, SourceFile, Span, did_you_mean};

/// Reads values out of nodes and collects what is wrong with them.
///
/// Every `Option` it gives is `None` only after a fault was noted, so that whoever builds on it can
/// leave early without a word.
pub(super) struct Reader<'l> {
    /// The file that spans count in at the moment.
    pub(super) file: SourceFile,
    pub(super) imports: &'l dyn Imports,
    pub(super) names: Names,
    /// Texts come from a script: braces are only braces, and this finds the secrets in them.
    literal: Option<&'l dyn Fn(&str) -> Taint>,
    faults: Vec<Fault>,
}

impl<'l> Reader<'l> {
    pub(super) fn new(file: &SourceFile, imports: &'l dyn Imports) -> Self {
        let (names, faults) = (Names::default(), Vec::new());
        Self { file: file.clone(), imports, names, literal: None, faults }
    }

    /// A reader of values that a script built.
    pub(super) fn of_script(
        file: &SourceFile,
        imports: &'l dyn Imports,
        secrets: &'l dyn Fn(&str) -> Taint,
    ) -> Self {
        Self { literal: Some(secrets), ..Self::new(file, imports) }
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.faults.push(Fault { file: self.file.clone(), diagnostic });
    }

    /// Notes a fault of another file than the one being read.
    pub(super) fn push_in(&mut self, file: &SourceFile, diagnostic: Diagnostic) {
        self.faults.push(Fault { file: file.clone(), diagnostic });
    }

    pub(super) fn extend_of(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
    }

    pub(super) fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.push(Diagnostic::error(code, message, span));
    }

    pub(super) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Everything that was noted, in the order of the files and of the places in them.
    pub(super) fn into_faults(mut self, first: &SourceFile) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| {
            let start = fault.diagnostic.span().map_or(0, |span| span.start);
            (fault.file.name() != first.name(), fault.file.name().to_owned(), start)
        });
        self.faults.dedup();
        self.faults
    }

    pub(super) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let message = format!("expected {wanted}, found {}", node.kind());
        self.error("wrong-type", message, self.shown(node));
    }

    /// The first line of a node, so that a caret does not underline a whole map.
    fn shown(&self, node: &Node) -> Span {
        let line = self.file.slice(node.span).lines().next().map_or(0, str::len);
        Span::new(node.span.start, node.span.start + line.max(1))
    }

    /// A scalar as text, without templates.
    pub(super) fn text(&mut self, node: &Node) -> Option<Arc<str>> {
        let text = node.scalar_text(&self.file);
        if text.is_none() {
            self.wrong_type(node, "a text");
        }
        text.map(Arc::from)
    }

    /// A scalar as text with templates.
    pub(super) fn template(&mut self, node: &Node) -> Option<Text> {
        let text = self.text(node)?;
        self.template_in(&text, node.span)
    }

    /// A part of a text, `span` being the place of the whole.
    pub(super) fn template_in(&mut self, text: &str, span: Span) -> Option<Text> {
        if let Some(secrets) = self.literal {
            let taint = secrets(text);
            return Some(Text::rendered(Rendered { value: text.to_owned(), taint }));
        }
        let file = self.file.clone();
        match Text::parse(text, span, file.slice(span)) {
            Ok(text) => {
                let mut found = Vec::new();
                text.references(&mut |reference| {
                    found.extend(self.names.fault(&reference));
                });
                self.extend(found);
                Some(text)
            }
            Err(faults) => {
                self.extend(faults);
                None
            }
        }
    }

    /// Any value, with templates in its texts.
    pub(super) fn value(&mut self, node: &Node) -> Option<TemplateValue> {
        match &node.value {
            NodeValue::Text(text) => {
                let is_tainted = self.literal.is_some_and(|secrets| !secrets(text).is_clean());
                if is_tainted || (self.literal.is_none() && text.contains("{{")) {
                    return self.template(node).map(TemplateValue::Text);
                }
                Some(TemplateValue::Literal(node.to_json()))
            }
            NodeValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                let items: Vec<_> = items.into_iter().collect::<Option<_>>()?;
                let literals = items.iter().map(|item| item.as_literal().cloned());
                match literals.collect::<Option<Vec<_>>>() {
                    Some(literals) => Some(TemplateValue::Literal(Value::Array(literals))),
                    None => Some(TemplateValue::List(items)),
                }
            }
            NodeValue::Map(entries) => {
                let members: Vec<_> = entries
                    .iter()
                    .map(|entry| Some((Arc::from(entry.key.as_str()), self.value(&entry.value)?)))
                    .collect();
                let members: Vec<(Arc<str>, _)> = members.into_iter().collect::<Option<_>>()?;
                let literals = members.iter().map(|(key, member)| {
                    member.as_literal().map(|value| (key.to_string(), value.clone()))
                });
                match literals.collect::<Option<serde_json::Map<_, _>>>() {
                    Some(literals) => Some(TemplateValue::Literal(Value::Object(literals))),
                    None => Some(TemplateValue::Object(members)),
                }
            }
            _ => Some(TemplateValue::Literal(node.to_json())),
        }
    }

    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let text = self.text(node)?;
        let duration = quantity::duration(&text);
        if duration.is_none() {
            let message = format!("`{text}` is not a duration");
            let fault = Diagnostic::error("duration", message, node.span);
            self.push(fault.help("write a number with its unit: 300ms, 10s, 1m30s, 2h, 30d"));
        }
        duration
    }

    /// A duration above zero and not above `most`.
    pub(super) fn timeout(&mut self, node: &Node, most: Duration) -> Option<Duration> {
        let duration = self.duration(node)?;
        if duration.is_zero() || duration > most {
            let message = format!("a time limit lies above 0 and not above {}s", most.as_secs());
            self.error("out-of-range", message, node.span);
            return None;
        }
        Some(duration)
    }

    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.value {
            NodeValue::Bool(value) => Some(*value),
            NodeValue::Text(text) if matches!(text.as_str(), "yes" | "no" | "on" | "off") => {
                let word = if matches!(text.as_str(), "yes" | "on") { "true" } else { "false" };
                let message = format!("`{text}` is a text in YAML 1.2; write `{word}`");
                self.error("wrong-type", message, node.span);
                None
            }
            _ => {
                self.wrong_type(node, "true or false");
                None
            }
        }
    }

    pub(super) fn integer(&mut self, node: &Node, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match &node.value {
            NodeValue::Number(number) => number.as_i64(),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong_type(node, "a whole number");
            return None;
        };
        let inside = u32::try_from(number).ok().filter(|number| range.contains(number));
        if inside.is_none() {
            let (least, most) = range.into_inner();
            let message = format!("{number} does not lie between {least} and {most}");
            self.error("out-of-range", message, node.span);
        }
        inside
    }

    pub(super) fn number(&mut self, node: &Node) -> Option<f64> {
        match &node.value {
            NodeValue::Number(number) => number.as_f64(),
            _ => {
                self.wrong_type(node, "a number");
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = choices.iter().find(|(word, _)| *word == &*text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.unknown_word(&text, node.span, &words);
        }
        found
    }

    pub(super) fn unknown_word(&mut self, text: &str, span: Span, words: &[&str]) {
        let message = format!("`{text}` is none of: {}", words.join(", "));
        let fault = Diagnostic::error("unknown-value", message, span);
        self.push(match did_you_mean(text, words.iter().copied()) {
            Some(guess) => fault.label(format!("did you mean `{guess}`?")),
            None => fault,
        });
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            NodeValue::List(items) => Some(items),
            _ => {
                self.wrong_type(node, "a list");
                None
            }
        }
    }

    /// The items of a list, or the one that stands there instead.
    pub(super) fn one_or_many<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.value {
            NodeValue::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    pub(super) fn map<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n [Entry]> {
        let entries = node.as_map();
        if entries.is_none() {
            self.wrong_type(node, wanted);
        }
        entries
    }

    /// A map of names to texts with templates.
    pub(super) fn named_templates(&mut self, node: &Node, wanted: &str) -> Vec<(Arc<str>, Text)> {
        let entries = self.map(node, wanted).unwrap_or(&[]);
        let read = |entry: &Entry| {
            self.template(&entry.value).map(|text| (Arc::from(entry.key.as_str()), text))
        };
        entries.iter().filter_map(read).collect()
    }

    /// A path below the canary's folder.
    pub(super) fn path(&mut self, node: &Node) -> Option<Text> {
        let path = self.template(node)?;
        if let Some(plain) = path.as_plain() {
            self.check_path(plain, node.span)?;
        }
        Some(path)
    }

    pub(super) fn check_path(&mut self, path: &str, span: Span) -> Option<()> {
        let climbs = path.split('/').any(|part| part == "..");
        let rooted = path.starts_with('/') || path.contains(['\\', '\0']) || path.contains(':');
        if path.is_empty() || climbs || rooted {
            let message = format!("`{path}` does not stay in the canary's folder");
            let fault = Diagnostic::error("path", message, span);
            self.push(fault.help("write a path relative to the canary file, without `..`"));
            return None;
        }
        Some(())
    }
}

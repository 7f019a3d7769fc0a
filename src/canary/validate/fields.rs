use super::reader::Reader;
use super::shape::Shape;
use crate::canary::document::{Entry, Node};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

/// The entries of a map, after its keys were checked against its shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'n> {
    shape: &'static Shape,
    entries: &'n [Entry],
    /// Where faults of the map as a whole are shown.
    pub(super) span: Span,
}

impl<'n> Fields<'n> {
    /// Checks that `node` is a map with the keys of `shape`; `span` is shown when one is missing.
    pub(super) fn of(
        node: &'n Node,
        span: Span,
        shape: &'static Shape,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let Some(entries) = node.as_map() else {
            reader.wrong_type(node, shape.name);
            return None;
        };
        let fields = Self { shape, entries, span };
        fields.check_unknown(reader);
        fields.check_missing(reader);
        fields.check_one_of(reader);
        Some(fields)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry> {
        debug_assert!(self.shape.key_names().any(|name| name == key), "{key} has no key table");
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn node(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    fn check_unknown(&self, reader: &mut Reader<'_>) {
        for entry in self.entries {
            if self.shape.key_names().any(|name| name == entry.key) {
                continue;
            }
            let message = format!("`{}` is not a key of {}", entry.key, self.shape.name);
            let fault = Diagnostic::error("unknown-key", message, entry.key_span);
            reader.push(match did_you_mean(&entry.key, self.shape.key_names()) {
                Some(guess) => fault.label(format!("did you mean `{guess}`?")),
                None => {
                    let names: Vec<_> = self.shape.key_names().collect();
                    fault.help(format!("{} has: {}", self.shape.name, names.join(", ")))
                }
            });
        }
    }

    fn check_missing(&self, reader: &mut Reader<'_>) {
        for key in self.shape.keys.iter().filter(|key| key.is_required) {
            if self.entry(key.name).is_none() {
                let message = format!("{} needs the key `{}`", self.shape.name, key.name);
                let fault = Diagnostic::error("missing-key", message, self.span);
                reader.push(fault.help(format!("`{}`: {}", key.name, key.doc)));
            }
        }
    }

    fn check_one_of(&self, reader: &mut Reader<'_>) {
        let wanted = self.shape.one_of;
        if wanted.is_empty() {
            return;
        }
        let mut given = self.entries.iter().filter(|entry| wanted.contains(&entry.key.as_str()));
        match (given.next(), given.next()) {
            (None, _) => {
                let message = format!("{} needs one of: {}", self.shape.name, wanted.join(", "));
                reader.push(Diagnostic::error("missing-key", message, self.span));
            }
            (Some(first), Some(second)) => {
                let (one, other) = (&first.key, &second.key);
                let message =
                    format!("{} has either `{one}` or `{other}`, not both", self.shape.name);
                let fault = Diagnostic::error("conflicting-keys", message, second.key_span);
                reader.push(fault.also(first.key_span, "the other one is here"));
            }
            (Some(_), None) => {}
        }
    }
}

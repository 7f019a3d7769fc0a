//! What a map may hold, as data: validation and the JSON Schema read the same tables.

/// One kind of map.
#[derive(Debug)]
pub(in crate::canary) struct Shape {
    /// With its article, for messages: `an HTTP request`.
    pub(in crate::canary) name: &'static str,
    pub(in crate::canary) keys: &'static [Key],
    /// Keys of which exactly one is given; empty when there is no such rule.
    pub(in crate::canary) one_of: &'static [&'static str],
}

/// One key of a map.
#[derive(Debug)]
pub(in crate::canary) struct Key {
    pub(in crate::canary) name: &'static str,
    pub(in crate::canary) kind: Kind,
    pub(in crate::canary) is_required: bool,
    /// One line for the editor.
    pub(in crate::canary) doc: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub(in crate::canary) enum Kind {
    /// A scalar taken as it is.
    Text,
    /// A scalar that may hold templates.
    Template,
    /// `300ms`, `1m30s`.
    Duration,
    Boolean,
    /// A whole number between two, ends included.
    Integer(u32, u32),
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any value; texts in it may hold templates.
    Value,
    /// A map with free keys.
    MapOf(&'static Kind),
    ListOf(&'static Kind),
    /// One, or a list.
    OneOrMany(&'static Kind),
    Shape(&'static Shape),
    /// Any of these: short and long forms.
    Either(&'static [Kind]),
    /// What must hold of a value.
    Predicate,
}

impl Key {
    pub(in crate::canary) const fn required(
        name: &'static str,
        kind: Kind,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, is_required: true, doc }
    }

    pub(in crate::canary) const fn optional(
        name: &'static str,
        kind: Kind,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, is_required: false, doc }
    }
}

impl Shape {
    pub(in crate::canary) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

use serde::{Serialize, Serializer};

/// How the XML serializer knows a [`Flat`]; the item's name follows.
pub(super) const FLAT: &str = "$flat:";

/// A list or map that XML writes without a wrapper, each item under a name of its own; in JSON it
/// is what it holds.
///
/// Source: Smithy, "xmlFlattened trait". For a map the name is followed by that of its keys:
/// `$flat:Attribute:Name`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) struct Flat<T> {
    name: &'static str,
    /// What it holds.
    pub(in crate::api) value: T,
}

impl<T> Flat<T> {
    /// `value`, each item of it called `name`, which begins with `$flat:`.
    pub(in crate::api) const fn new(name: &'static str, value: T) -> Self {
        Self { name, value }
    }
}

impl<T: Serialize> Serialize for Flat<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(self.name, &self.value)
    }
}

//! A pattern as a tree that is walked along with an event.
//!
//! An array of the event is entered one element at a time with all conditions below it, which is
//! what keeps two conditions on the same array inside the same element.

use serde_json::{Map, Value};

use super::matcher::Matcher;

/// Conditions that must all hold of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// By path segment, in the order of the pattern.
    pub(super) fields: Vec<(String, Field)>,
    /// Each inner list is an `$or`: one of its members must hold.
    pub(super) any_of: Vec<Vec<Fields>>,
}

/// What a pattern asks of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    /// One of these must match.
    Leaf(Vec<Matcher>),
    /// Conditions on the object below.
    Object(Fields),
}

impl Fields {
    /// Whether a node, or one element of it when it is an array, fulfils all conditions.
    pub(super) fn match_node(&self, node: Option<&Value>) -> bool {
        match node {
            Some(Value::Array(items)) if !items.is_empty() => {
                items.iter().any(|item| self.match_node(Some(item)))
            }
            Some(Value::Object(members)) => self.match_members(Some(members)),
            _ => self.match_members(None),
        }
    }

    fn match_members(&self, members: Option<&Map<String, Value>>) -> bool {
        self.fields.iter().all(|(name, field)| field.match_member(name, members))
            && self
                .any_of
                .iter()
                .all(|choices| choices.iter().any(|choice| choice.match_members(members)))
    }
}

impl Field {
    /// Looks a name up as it is; a name with dots also as a path, and a path as a name with dots,
    /// since a path is the concatenation of its keys.
    fn match_member(&self, name: &str, members: Option<&Map<String, Value>>) -> bool {
        let Some(members) = members else { return self.match_value(None) };
        if let Some(value) = members.get(name) {
            return self.match_value(Some(value));
        }
        for (at, _) in name.match_indices('.') {
            let (head, tail) = (name.get(..at).unwrap_or(""), name.get(at + 1..).unwrap_or(""));
            if let Some(below) = members.get(head) {
                let nested =
                    Fields { fields: vec![(tail.to_owned(), self.clone())], any_of: vec![] };
                return nested.match_node(Some(below));
            }
        }
        let Self::Object(inner) = self else { return self.match_value(None) };
        let dotted = |key: &&String| key.strip_prefix(name).is_some_and(|k| k.starts_with('.'));
        if !members.keys().any(|key| dotted(&key)) {
            return self.match_value(None);
        }
        let stripped = members.iter().filter(|(key, _)| dotted(key)).map(|(key, value)| {
            (key.get(name.len() + 1..).unwrap_or("").to_owned(), value.clone())
        });
        inner.match_members(Some(&stripped.collect()))
    }

    fn match_value(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Object(fields) => fields.match_node(value),
            Self::Leaf(matchers) => matchers.iter().any(|matcher| match matcher {
                Matcher::Exists(false) => !value.is_some_and(|value| any_leaf(value, &|_| true)),
                matcher => {
                    value.is_some_and(|value| any_leaf(value, &|leaf| matcher.matches(leaf)))
                }
            }),
        }
    }
}

/// Whether a leaf of `value` fulfils `test`. Arrays flatten; objects are no leaves.
pub(super) fn any_leaf(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| any_leaf(item, test)),
        Value::Object(_) => false,
        leaf => test(leaf),
    }
}

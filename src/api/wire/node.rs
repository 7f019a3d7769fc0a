use std::borrow::Cow;

/// One value of a request, whatever protocol it came in.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) enum Node<'a> {
    /// Absent in all but name.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Double(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A value of a form: it has no type but the one its reader asks for.
    Untyped(Cow<'a, str>),
    /// Bytes, which only CBOR can write.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// A structure or a map, in the order it came.
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Node<'a> {
    /// What a message calls a value of this kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Double(_) => "double",
            Self::Text(_) | Self::Untyped(_) => "string",
            Self::Bytes(_) => "blob",
            Self::List(_) => "list",
            Self::Map(_) => "structure",
        }
    }

    /// Sets a member of a structure, over one of the same name.
    ///
    /// REST protocols carry members in the path and the query string beside the body.
    pub(in crate::api) fn set(&mut self, name: &str, value: Node<'a>) {
        if let Self::Map(members) = self {
            members.retain(|(present, _)| present != name);
            members.push((Cow::Owned(name.to_owned()), value));
        }
    }

    /// The member called `name`.
    pub(in crate::api) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    /// JSON documents whose numbers every protocol can carry.
    pub(in crate::api::wire) fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let members = proptest::collection::btree_map("[A-Za-z]{1,8}", inner.clone(), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}

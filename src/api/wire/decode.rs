use std::borrow::Cow;
use std::fmt;

use serde::de::value::{CowStrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use thiserror::Error as ThisError;

use super::node::Node;

/// An input that is not what its operation takes: where, and what is wrong there.
#[derive(Clone, Debug, ThisError, PartialEq)]
#[error("{fault} at {}", self.dotted())]
pub(in crate::api) struct DecodeError {
    /// Innermost last.
    path: Vec<Step>,
    /// What is wrong.
    pub(in crate::api) fault: DecodeFault,
}

/// What is wrong with one value.
#[derive(Clone, Debug, ThisError, PartialEq)]
pub(in crate::api) enum DecodeFault {
    /// A member that must be there is not.
    #[error("missing member")]
    Missing,
    /// A value of the wrong kind.
    #[error("a {found} where a {expected} is expected")]
    Kind {
        /// What the operation takes.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// A text that is none of an enum's.
    #[error("unknown value")]
    Variant {
        /// What came.
        value: String,
        /// What the operation takes.
        allowed: &'static [&'static str],
    },
    /// A value that its type refuses, in the type's own words.
    #[error("{0}")]
    Refused(Box<str>),
}

/// One step of a path into an input.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(Cow<'static, str>),
    /// Counted from 0.
    Item(usize),
}

impl DecodeError {
    fn here(fault: DecodeFault) -> Self {
        Self { path: Vec::new(), fault }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }

    /// The path as the Query protocol writes it: `MetricData.member.1.Value`.
    pub(in crate::api) fn dotted(&self) -> String {
        let part = |step: &Step| match step {
            Step::Member(name) => name.to_string(),
            Step::Item(index) => format!("member.{}", index + 1),
        };
        self.path.iter().map(part).collect::<Vec<_>>().join(".")
    }

    /// The path as AWS's request validator writes it: `metricData.1.member.value`.
    pub(in crate::api) fn camel(&self) -> String {
        let part = |step: &Step| match step {
            Step::Member(name) => lower_first(name),
            Step::Item(index) => format!("{}.member", index + 1),
        };
        self.path.iter().map(part).collect::<Vec<_>>().join(".")
    }
}

/// `MetricData` as the request validator names it: `metricData`.
pub(in crate::api) fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

impl Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::here(DecodeFault::Refused(message.to_string().into()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::here(DecodeFault::Missing).within(Step::Member(field.into()))
    }

    fn unknown_variant(variant: &str, allowed: &'static [&'static str]) -> Self {
        Self::here(DecodeFault::Variant { value: variant.to_owned(), allowed })
    }
}

impl<'de> Node<'de> {
    /// Reads an operation's input.
    pub(in crate::api) fn decode<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        T::deserialize(Decode(self))
    }
}

/// Reads typed values from a tree; the type that is asked for settles what a form means.
struct Decode<'de>(Node<'de>);

impl<'de> Decode<'de> {
    fn mismatch<T>(&self, expected: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::here(DecodeFault::Kind { expected, found: self.0.kind() }))
    }

    /// The items of a list: a real one, `member.N` of a form, or a form's flattened `N`.
    fn items(self) -> Result<Vec<Node<'de>>, DecodeError> {
        match self.0 {
            Node::List(items) => Ok(items),
            Node::Untyped(text) if text.is_empty() => Ok(Vec::new()),
            Node::Map(members) => numbered(unwrapped(members, "member")),
            other => Decode(other).mismatch("list"),
        }
    }

    /// The members of a structure or map: real ones, or `entry.N.key` and `.value` of a form.
    fn members(self) -> Result<Vec<(Cow<'de, str>, Node<'de>)>, DecodeError> {
        match self.0 {
            Node::Map(members) => Ok(members),
            Node::Untyped(text) if text.is_empty() => Ok(Vec::new()),
            other => Decode(other).mismatch("structure"),
        }
    }
}

fn unwrapped<'de>(
    mut members: Vec<(Cow<'de, str>, Node<'de>)>,
    wrapper: &str,
) -> Vec<(Cow<'de, str>, Node<'de>)> {
    if let [(name, Node::Map(inner))] = members.as_mut_slice()
        && name == wrapper
    {
        return std::mem::take(inner);
    }
    members
}

fn numbered<'de>(members: Vec<(Cow<'de, str>, Node<'de>)>) -> Result<Vec<Node<'de>>, DecodeError> {
    let mut items = Vec::with_capacity(members.len());
    for (name, item) in members {
        match name.parse::<u32>() {
            Ok(number) => items.push((number, item)),
            Err(_name) => {
                let fault = DecodeFault::Kind { expected: "list", found: "structure" };
                return Err(DecodeError::here(fault));
            }
        }
    }
    items.sort_by_key(|(number, _)| *number);
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// A form's `entry.N` pairs as members; anything else as it is.
fn entries<'de>(members: Vec<(Cow<'de, str>, Node<'de>)>) -> Vec<(Cow<'de, str>, Node<'de>)> {
    // COMPAT: SNS and SQS name the parts otherwise, and SQS leaves `entry` out.
    let is_entry = |node: &Node<'_>| {
        ["key", "Name", "Key"].iter().any(|k| matches!(node.get(k), Some(Node::Untyped(_))))
    };
    let form = match members.as_slice() {
        [(name, Node::Map(inner))] if name == "entry" => inner.iter().all(|(_, e)| is_entry(e)),
        [] => false,
        flat => flat.iter().all(|(name, e)| name.parse::<u32>().is_ok() && is_entry(e)),
    };
    if !form {
        return members;
    }
    let mut pairs = Vec::new();
    for (_number, entry) in unwrapped(members, "entry") {
        let Node::Map(parts) = entry else { continue };
        let (mut key, mut value) = (None, Node::Untyped(Cow::Borrowed("")));
        for (name, part) in parts {
            match (&*name, part) {
                ("key" | "Name" | "Key", Node::Untyped(text)) => key = Some(text),
                ("value" | "Value", part) => value = part,
                _ => {}
            }
        }
        pairs.extend(key.map(|key| (key, value)));
    }
    pairs
}

macro_rules! integers {
    ($($name:ident)+) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match whole(&self.0) {
                Some(value) => visitor.visit_i64(value),
                None => self.mismatch("integer"),
            }
        }
    )+};
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers inside i64 reach it")]
fn whole(node: &Node<'_>) -> Option<i64> {
    match node {
        Node::Integer(value) => Some(*value),
        Node::Double(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
        Node::Untyped(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "AWS's numbers are doubles too")]
fn real(node: &Node<'_>) -> Option<f64> {
    match node {
        Node::Integer(value) => Some(*value as f64),
        Node::Double(value) => Some(*value),
        Node::Text(text) | Node::Untyped(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if matches!(node, Node::Untyped(_)) => text.trim().parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

impl<'de> Deserializer<'de> for Decode<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Integer(value) => visitor.visit_i64(value),
            Node::Double(value) => visitor.visit_f64(value),
            Node::Text(text) | Node::Untyped(text) => {
                CowStrDeserializer::new(text).deserialize_any(visitor)
            }
            Node::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Node::List(items) => visitor.visit_seq(Items::new(items)),
            Node::Map(members) => visitor.visit_map(Members::new(members)),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match real(&self.0) {
            Some(value) => visitor.visit_f64(value),
            None => self.mismatch("double"),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0 {
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Untyped(text) if text.eq_ignore_ascii_case("true") => visitor.visit_bool(true),
            Node::Untyped(text) if text.eq_ignore_ascii_case("false") => visitor.visit_bool(false),
            _ => self.mismatch("boolean"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Text(Cow::Borrowed(text)) | Node::Untyped(Cow::Borrowed(text)) => {
                visitor.visit_borrowed_str(text)
            }
            Node::Text(Cow::Owned(text)) | Node::Untyped(Cow::Owned(text)) => {
                visitor.visit_string(text)
            }
            other => Decode(other).mismatch("string"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Items::new(self.items()?))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_map(Members::new(entries(self.members()?)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut members = self.members()?;
        // COMPAT: clients send null for a member they leave out.
        members.retain(|(_, value)| *value != Node::Null);
        visitor.visit_map(Members::new(members))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Text(text) | Node::Untyped(text) => {
                let text: StringDeserializer<DecodeError> = text.into_owned().into_deserializer();
                visitor.visit_enum(text)
            }
            other => Decode(other).mismatch("string"),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::vec::IntoIter<Node<'de>>>,
}

impl<'de> Items<'de> {
    fn new(items: Vec<Node<'de>>) -> Self {
        Self { items: items.into_iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Decode(item)).map(Some).map_err(|e| e.within(Step::Item(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Members<'de> {
    members: std::vec::IntoIter<(Cow<'de, str>, Node<'de>)>,
    value: Option<(Cow<'de, str>, Node<'de>)>,
}

impl<'de> Members<'de> {
    fn new(members: Vec<(Cow<'de, str>, Node<'de>)>) -> Self {
        Self { members: members.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        let key = seed.deserialize(CowStrDeserializer::new(name.clone()))?;
        self.value = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        let (name, value) = self.value.take().ok_or_else(|| DecodeError::custom("no value"))?;
        seed.deserialize(Decode(value))
            .map_err(|e| e.within(Step::Member(Cow::Owned(name.into_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::api::wire::{Instant, Protocol};
    use crate::time::Timestamp;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        name: String,
        #[serde(default)]
        values: Vec<f64>,
        #[serde(default)]
        inner: Vec<Inner>,
        #[serde(default)]
        tags: BTreeMap<String, String>,
        at: Option<Instant>,
        flag: Option<bool>,
        count: Option<u16>,
        state: Option<State>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        key: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum State {
        Ok,
        InsufficientData,
    }

    fn expected() -> Input {
        Input {
            name: "a b&c".to_owned(),
            values: vec![1.0, 2.5],
            inner: vec![Inner { key: "x".to_owned() }, Inner { key: "y".to_owned() }],
            tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            at: Some(Instant(Timestamp::from_millis(1_767_323_045_678))),
            flag: Some(true),
            count: Some(7),
            state: Some(State::InsufficientData),
        }
    }

    const FORM: &str = "Name=a+b%26c&Values.member.1=1&Values.member.2=2.5\
        &Inner.member.2.Key=y&Inner.member.1.Key=x&Tags.entry.1.key=k&Tags.entry.1.value=v\
        &At=2026-01-02T03%3A04%3A05.678Z&Flag=TRUE&Count=7&State=INSUFFICIENT_DATA\
        &Action=Test&Version=1";
    const JSON: &str = r#"{"Name": "a b&c", "Values": [1, 2.5], "Inner": [{"Key": "x"},
        {"Key": "y"}], "Tags": {"k": "v"}, "At": 1767323045.678, "Flag": true, "Count": 7,
        "State": "INSUFFICIENT_DATA", "Unknown": [{}]}"#;

    fn read(protocol: Protocol, body: &[u8]) -> Result<Input, DecodeError> {
        protocol.read(body).unwrap().decode()
    }

    #[test]
    fn one_input_type_is_read_from_every_protocol() {
        assert_eq!(read(Protocol::Query, FORM.as_bytes()), Ok(expected()));
        assert_eq!(read(Protocol::RestJson, JSON.as_bytes()), Ok(expected()));
        let mut tree =
            ciborium::Value::serialized(&serde_json::from_str::<serde_json::Value>(JSON).unwrap())
                .unwrap();
        for (name, value) in tree.as_map_mut().unwrap() {
            if name.as_text() == Some("At") {
                *value = ciborium::Value::Tag(1, Box::new(1_767_323_045.678.into()));
            }
        }
        let mut body = Vec::new();
        ciborium::into_writer(&tree, &mut body).unwrap();
        assert_eq!(read(Protocol::Cbor, &body), Ok(expected()));
    }

    #[test]
    fn a_form_may_number_with_gaps_flatten_lists_or_send_an_empty_one() {
        let values = |form: &str| {
            read(Protocol::Query, format!("Name=x&{form}").as_bytes()).map(|input| input.values)
        };
        assert_eq!(values("Values.member.10=3&Values.member.2=1"), Ok(vec![1.0, 3.0]));
        assert_eq!(values("Values.1=1&Values.2=2"), Ok(vec![1.0, 2.0]));
        assert_eq!(values("Values="), Ok(vec![]));
        assert!(values("Values.member.x=1").is_err());
    }

    #[test]
    fn only_a_form_turns_texts_into_numbers_and_json_spells_its_odd_doubles() {
        let values = |json: &str| read(Protocol::RestJson, json.as_bytes()).map(|i| i.values);
        assert!(values(r#"{"Name": "x", "Values": ["1"]}"#).is_err());
        let odd = values(r#"{"Name": "x", "Values": ["NaN", "Infinity", "-Infinity"]}"#).unwrap();
        assert!(odd[0].is_nan());
        assert_eq!(odd[1..], [f64::INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn null_is_absent() {
        let input = read(Protocol::RestJson, br#"{"Name": "x", "Values": null, "At": null}"#);
        assert_eq!(input.map(|input| (input.values, input.at)), Ok((vec![], None)));
    }

    #[test]
    fn a_fault_says_where_it_is_in_both_of_awss_notations() {
        let fault = |json: &str| read(Protocol::RestJson, json.as_bytes()).unwrap_err();
        let missing = fault(r#"{"Name": "x", "Inner": [{"Key": "a"}, {}]}"#);
        assert_eq!(missing.fault, DecodeFault::Missing);
        assert_eq!(missing.dotted(), "Inner.member.2.Key");
        assert_eq!(missing.camel(), "inner.2.member.key");
        let kind = fault(r#"{"Name": "x", "Values": [1, {}]}"#);
        assert_eq!(kind.to_string(), "a structure where a double is expected at Values.member.2");
        let variant = fault(r#"{"Name": "x", "State": "BAD"}"#);
        let allowed = &["OK", "INSUFFICIENT_DATA"];
        assert_eq!(variant.fault, DecodeFault::Variant { value: "BAD".to_owned(), allowed });
        let range = fault(r#"{"Name": "x", "Count": 70000}"#);
        assert_eq!(range.dotted(), "Count");
    }
}

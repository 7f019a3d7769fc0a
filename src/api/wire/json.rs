use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::caps::{BadBody, Budget};
use super::node::Node;

/// Reads one JSON document; texts without escapes borrow from `body`.
pub(super) fn read(body: &[u8]) -> Result<Node<'_>, BadBody> {
    let budget = RefCell::new(Budget::default());
    let mut reader = serde_json::Deserializer::from_slice(body);
    let node = Reader(&budget).deserialize(&mut reader).and_then(|node| {
        reader.end()?;
        Ok(node)
    });
    node.map_err(|_fault| budget.borrow().fault("JSON"))
}

#[derive(Clone, Copy)]
struct Reader<'b>(&'b RefCell<Budget>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node<'de>, D::Error> {
        self.0.borrow_mut().take().map_err(D::Error::custom)?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "past i64 no AWS member is a whole number")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(i64::try_from(value).map_or(Node::Double(value as f64), Node::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Double(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        self.0.borrow_mut().enter().map_err(A::Error::custom)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        self.0.borrow_mut().leave();
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node<'de>, A::Error> {
        self.0.borrow_mut().enter().map_err(A::Error::custom)?;
        let mut map = Vec::new();
        while let Some(Name(name)) = members.next_key()? {
            map.push((name, members.next_value_seed(self)?));
        }
        self.0.borrow_mut().leave();
        Ok(Node::Map(map))
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_plain_texts_borrow() {
        let node = read(br#"{"a": [1, -2.5, true, null], "b": "x\ny", "c": "plain"}"#).unwrap();
        let list = vec![Node::Integer(1), Node::Double(-2.5), Node::Bool(true), Node::Null];
        assert_eq!(node.get("a"), Some(&Node::List(list)));
        assert_eq!(node.get("b"), Some(&Node::Text("x\ny".into())));
        assert!(matches!(node.get("c"), Some(Node::Text(Cow::Borrowed("plain")))));
    }

    #[test]
    fn nesting_and_size_are_bounded_and_told_apart_from_bad_syntax() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(deep(64).as_bytes()).is_ok());
        assert_eq!(read(deep(65).as_bytes()), Err(BadBody::TooDeep));
        assert_eq!(read("[".repeat(100_000).as_bytes()), Err(BadBody::TooDeep));
        assert_eq!(read("{\"a\":".repeat(100_000).as_bytes()), Err(BadBody::TooDeep));
        let many = format!("[{}0]", "0,".repeat(1_000_000));
        assert_eq!(read(many.as_bytes()), Err(BadBody::TooMany));
        for text in ["{", "{}x", "nul", "\"\\ud800\"", "{\"a\":1,}"] {
            assert_eq!(read(text.as_bytes()), Err(BadBody::Syntax("JSON")), "{text}");
        }
    }
}

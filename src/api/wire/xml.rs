use std::fmt::{self, Display, Write};

use serde::ser::{
    Error, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer,
};
use thiserror::Error as ThisError;

use super::flat::FLAT;
use super::instant::INSTANT;
use crate::time::Timestamp;

/// A value that the Query protocol's XML cannot write: a fault of ours, not of the caller.
#[derive(Debug, ThisError)]
#[error("{0}")]
pub(in crate::api) struct XmlError(Box<str>);

impl Error for XmlError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

impl From<fmt::Error> for XmlError {
    fn from(_: fmt::Error) -> Self {
        Self("formatting failed".into())
    }
}

/// Writes `<name>value</name>`; an absent value (`None`, `()`) writes nothing.
///
/// Source: Smithy, "AWS query protocol": lists of `<member>`, maps of `<entry>`.
pub(super) fn element<T: Serialize + ?Sized>(
    out: &mut String,
    name: &str,
    value: &T,
) -> Result<(), XmlError> {
    let before = out.len();
    write!(out, "<{name}>")?;
    match value.serialize(Content { out, item: None })? {
        Presence::Absent => out.truncate(before),
        Presence::Flat(items) => {
            out.truncate(before);
            out.push_str(&items);
        }
        Presence::Written => write!(out, "</{name}>")?,
    }
    Ok(())
}

/// Writes character data.
pub(super) fn text(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A bare carriage return would be read back as a line feed.
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(character),
            // XML 1.0 has no way to write these, not even escaped.
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

enum Presence {
    Written,
    Absent,
    /// Stands in place of the element.
    Flat(String),
}

struct Content<'w> {
    out: &'w mut String,
    /// The name of each item of a flat list or map, and that of the map's keys.
    item: Option<(&'static str, &'static str)>,
}

impl<'w> Content<'w> {
    fn display(self, value: impl Display) -> Result<Presence, XmlError> {
        write!(self.out, "{value}")?;
        Ok(Presence::Written)
    }
}

macro_rules! shown {
    ($($name:ident: $type:ty)+) => {$(
        fn $name(self, value: $type) -> Result<Presence, XmlError> {
            self.display(value)
        }
    )+};
}

fn unsupported<T>(what: &str) -> Result<T, XmlError> {
    Err(XmlError::custom(format_args!("the Query protocol has no {what}")))
}

impl<'w> Serializer for Content<'w> {
    type Ok = Presence;
    type Error = XmlError;
    type SerializeSeq = Self;
    type SerializeTuple = Impossible<Presence, XmlError>;
    type SerializeTupleStruct = Impossible<Presence, XmlError>;
    type SerializeTupleVariant = Impossible<Presence, XmlError>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<Presence, XmlError>;

    shown! {
        serialize_bool: bool
        serialize_i8: i8 serialize_i16: i16 serialize_i32: i32 serialize_i64: i64
        serialize_u8: u8 serialize_u16: u16 serialize_u32: u32 serialize_u64: u64
    }

    fn serialize_f32(self, value: f32) -> Result<Presence, XmlError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Presence, XmlError> {
        // `{:?}` keeps the point of whole numbers (`100.0`), as AWS writes them.
        match value {
            f64::INFINITY => self.display("Infinity"),
            f64::NEG_INFINITY => self.display("-Infinity"),
            _ => self.display(format_args!("{value:?}")),
        }
    }

    fn serialize_char(self, value: char) -> Result<Presence, XmlError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Presence, XmlError> {
        text(self.out, value);
        Ok(Presence::Written)
    }

    fn serialize_bytes(self, _value: &[u8]) -> Result<Presence, XmlError> {
        unsupported("bare bytes")
    }

    fn serialize_none(self) -> Result<Presence, XmlError> {
        Ok(Presence::Absent)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Presence, XmlError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Presence, XmlError> {
        Ok(Presence::Absent)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Presence, XmlError> {
        Ok(Presence::Absent)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Presence, XmlError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Presence, XmlError> {
        if let Some(item) = name.strip_prefix(FLAT) {
            let mut items = String::new();
            let names = item.split_once(':').unwrap_or((item, "Key"));
            value.serialize(Content { out: &mut items, item: Some(names) })?;
            return Ok(Presence::Flat(items));
        }
        if name != INSTANT {
            return value.serialize(self);
        }
        let mut seconds = String::new();
        value.serialize(Content { out: &mut seconds, item: None })?;
        let seconds: f64 = seconds.parse().map_err(XmlError::custom)?;
        self.display(Timestamp::from_secs_f64(seconds))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<Presence, XmlError> {
        unsupported("tagged values")
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Self, XmlError> {
        Ok(self)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self::SerializeTuple, XmlError> {
        unsupported("tuples")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct, XmlError> {
        unsupported("tuples")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, XmlError> {
        unsupported("tuples")
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self, XmlError> {
        Ok(self)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, XmlError> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, XmlError> {
        unsupported("tagged values")
    }
}

impl SerializeSeq for Content<'_> {
    type Ok = Presence;
    type Error = XmlError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), XmlError> {
        element(self.out, self.item.map_or("member", |(item, _)| item), value)
    }

    fn end(self) -> Result<Presence, XmlError> {
        Ok(Presence::Written)
    }
}

impl SerializeMap for Content<'_> {
    type Ok = Presence;
    type Error = XmlError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), XmlError> {
        let (entry, name) = self.item.unwrap_or(("entry", "key"));
        write!(self.out, "<{entry}>")?;
        element(self.out, name, key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), XmlError> {
        let entry = self.item.map_or("entry", |(entry, _)| entry);
        element(self.out, if self.item.is_some() { "Value" } else { "value" }, value)?;
        write!(self.out, "</{entry}>")?;
        Ok(())
    }

    fn end(self) -> Result<Presence, XmlError> {
        Ok(Presence::Written)
    }
}

impl SerializeStruct for Content<'_> {
    type Ok = Presence;
    type Error = XmlError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), XmlError> {
        element(self.out, name, value)
    }

    fn end(self) -> Result<Presence, XmlError> {
        Ok(Presence::Written)
    }
}

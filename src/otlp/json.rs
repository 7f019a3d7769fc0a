//! JSON written straight into one text: documents are made by the hundred thousand.

use std::fmt::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Values deeper than this are left out; the readers of OTLP stop earlier.
const DEPTH_MAX: usize = 32;

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Object<'t> {
    text: &'t mut String,
    is_empty: bool,
}

impl<'t> Object<'t> {
    /// Begins an object at the end of `text`.
    pub(super) fn begin(text: &'t mut String) -> Self {
        text.push('{');
        Self { text, is_empty: true }
    }

    /// Ends it.
    pub(super) fn end(self) {
        self.text.push('}');
    }

    /// Whether it has no member yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        string(self.text, name);
        self.text.push(':');
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        string(self.text, value);
    }

    /// A text, where there is one.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A flag that is set.
    pub(super) fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.raw(name, "true");
        }
    }

    /// A number.
    pub(super) fn integer(&mut self, name: &str, value: i64) {
        self.name(name);
        append(self.text, format_args!("{value}"));
    }

    /// Nanoseconds since the epoch as seconds with microseconds.
    pub(super) fn seconds(&mut self, name: &str, nanos: u64) {
        self.name(name);
        let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1000 % 1_000_000);
        append(self.text, format_args!("{seconds}.{micros:06}"));
    }

    /// What is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.text.push_str(json);
    }

    /// The members of an object that is JSON already.
    pub(super) fn members_of(&mut self, object: &str) {
        let inner = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if let Some(members) = inner.filter(|members| !members.is_empty()) {
            if !self.is_empty {
                self.text.push(',');
            }
            self.is_empty = false;
            self.text.push_str(members);
        }
    }

    /// A value of OTLP.
    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.name(name);
        any(self.text, value, 0);
    }

    /// An object inside.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::begin(self.text);
        fill(&mut inner);
        inner.end();
    }

    /// An object inside, unless it would be empty.
    pub(super) fn filled(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let (length, was_empty) = (self.text.len(), self.is_empty);
        self.name(name);
        let mut inner = Object::begin(self.text);
        fill(&mut inner);
        let stays_empty = inner.is_empty();
        inner.end();
        if stays_empty {
            self.text.truncate(length);
            self.is_empty = was_empty;
        }
    }

    /// A list.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut String, T),
    ) {
        self.name(name);
        self.text.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            write(self.text, item);
        }
        self.text.push(']');
    }

    /// Attributes as members; of two with one key the first stays.
    pub(super) fn attributes(&mut self, attributes: &[KeyValue]) {
        for attribute in attributes {
            if let Some(value) = value_of(attribute) {
                self.value(&attribute.key, value);
            }
        }
    }
}

/// The value of an attribute that has one.
pub(super) fn value_of(attribute: &KeyValue) -> Option<&Value> {
    attribute.value.as_ref().and_then(|value| value.value.as_ref())
}

/// The value of an attribute that is a text.
pub(super) fn text_of(attribute: &KeyValue) -> Option<&str> {
    match value_of(attribute)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Any value of OTLP.
pub(super) fn any(text: &mut String, value: &Value, depth: usize) {
    if depth > DEPTH_MAX {
        return text.push_str("null");
    }
    match value {
        Value::StringValue(value) => string(text, value),
        Value::BoolValue(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::IntValue(value) => append(text, format_args!("{value}")),
        Value::DoubleValue(value) if value.is_finite() => append(text, format_args!("{value}")),
        // JSON has no such numbers.
        Value::DoubleValue(value) => append(text, format_args!("\"{value}\"")),
        Value::ArrayValue(list) => {
            text.push('[');
            for (at, item) in list.values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                optional_any(text, item, depth + 1);
            }
            text.push(']');
        }
        Value::KvlistValue(list) => {
            text.push('{');
            for (at, item) in list.values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                string(text, &item.key);
                text.push(':');
                match &item.value {
                    Some(value) => optional_any(text, value, depth + 1),
                    None => text.push_str("null"),
                }
            }
            text.push('}');
        }
        Value::BytesValue(bytes) => {
            use base64::Engine;
            string(text, &base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        // An index into a table that only profiles have.
        Value::StringValueStrindex(_) => text.push_str("null"),
    }
}

fn optional_any(text: &mut String, value: &AnyValue, depth: usize) {
    match &value.value {
        Some(value) => any(text, value, depth),
        None => text.push_str("null"),
    }
}

/// A JSON string.
pub(super) fn string(text: &mut String, value: &str) {
    text.push('"');
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('"') => text.push_str("\\\""),
            Some('\\') => text.push_str("\\\\"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some('\t') => text.push_str("\\t"),
            Some(control) => append(text, format_args!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_again() {
        let mut text = String::new();
        let mut object = Object::begin(&mut text);
        object.text("a\"b", "line\nquote\" back\\slash \u{1} ünïcode");
        object.filled("nothing", |_| {});
        object.flag("unset", false);
        object.seconds("at", 1_700_000_000_123_456_789);
        object.value("nan", &Value::DoubleValue(f64::NAN));
        object.value("float", &Value::DoubleValue(1e300));
        object.list("list", [1, 2], |text, n: i32| text.push_str(&n.to_string()));
        object.end();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["a\"b"], "line\nquote\" back\\slash \u{1} ünïcode");
        assert_eq!(read["at"].as_f64(), Some(1_700_000_000.123_456));
        assert_eq!(read["nan"], "NaN");
        assert_eq!(read["list"], serde_json::json!([1, 2]));
        assert_eq!(read.as_object().unwrap().len(), 5);
    }
}

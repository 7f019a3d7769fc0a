use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::time::Timestamp;

/// Deeper values are not looked into.
///
/// Source: EventBridge User Guide, "Amazon EventBridge schema discovery": 255 levels.
const DEPTH_MAX: usize = 255;

/// What is known of a JSON value's form.
///
/// Shapes of several samples are merged, and merging only ever widens: so the versions of a schema
/// come to an end however events alternate.
/// Differs: where two samples disagree about a type, anything is allowed from then on; AWS's
/// documentation does not say which one wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// Nothing is known: null, or the items of an empty array.
    Unknown,
    /// A boolean.
    Boolean,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A text.
    Text,
    /// A text that is an instant.
    Instant,
    /// An array.
    List(Box<Shape>),
    /// An object.
    Object {
        /// Its members.
        members: BTreeMap<String, Shape>,
        /// Those that every sample has.
        required: BTreeSet<String>,
    },
    /// Samples disagree.
    Anything,
}

impl Shape {
    /// The shape of one value; none when it is too deep.
    pub fn of(value: &Value) -> Option<Self> {
        Self::at(value, DEPTH_MAX)
    }

    fn at(value: &Value, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        Some(match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(text) if is_instant(text) => Self::Instant,
            Value::String(_) => Self::Text,
            Value::Array(items) => {
                let mut merged = Self::Unknown;
                for item in items {
                    merged = merged.merge(Self::at(item, depth)?);
                }
                Self::List(Box::new(merged))
            }
            Value::Object(members) => {
                let required = members.keys().cloned().collect();
                let shape = |(name, value): (&String, &Value)| {
                    Some((name.clone(), Self::at(value, depth)?))
                };
                Self::Object {
                    members: members.iter().map(shape).collect::<Option<_>>()?,
                    required,
                }
            }
        })
    }

    /// What fits both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (Self::Integer | Self::Number, Self::Integer | Self::Number) => Self::Number,
            (Self::Text | Self::Instant, Self::Text | Self::Instant) => Self::Text,
            (Self::List(one), Self::List(other)) => Self::List(Box::new(one.merge(*other))),
            (
                Self::Object { members, required },
                Self::Object { members: others, required: also },
            ) => {
                let mut merged = members;
                for (name, shape) in others {
                    let before = merged.remove(&name).unwrap_or(Self::Unknown);
                    merged.insert(name, before.merge(shape));
                }
                let required = required.intersection(&also).cloned().collect();
                Self::Object { members: merged, required }
            }
            _ => Self::Anything,
        }
    }
}

/// A date and a time of day with an offset; a mere date is a text.
fn is_instant(text: &str) -> bool {
    text.len() >= "2020-01-01T00:00Z".len()
        && text.as_bytes().get(10) == Some(&b'T')
        && Timestamp::parse(text).is_ok()
}

/// What an event of this source and detail type is called in a registry: `my.app@OrderShipped`.
///
/// Source: EventBridge User Guide, "Amazon EventBridge schemas".
pub(super) fn schema_name(source: &str, detail_type: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let source = source.chars().map(clean).collect::<String>();
    format!("{source}@{}", component_name(detail_type))
}

/// The letters and digits of a text, each word with a capital.
fn component_name(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    if name.is_empty() { "Detail".to_owned() } else { name }
}

/// The OpenAPI 3 document of events of one source and detail type.
///
/// Source: EventBridge User Guide, "Amazon EventBridge schemas", the documents of `aws.events`.
pub fn event_document(source: &str, detail_type: &str, detail: &Shape) -> Value {
    let mut components = Components::default();
    components.taken.insert("AWSEvent".to_owned());
    let title = component_name(detail_type);
    let reference = components.named(&title, detail);
    let text = json!({"type": "string"});
    let event = json!({
        "type": "object",
        "required": [
            "detail-type", "resources", "detail", "id", "source", "time", "region", "version",
            "account",
        ],
        "x-amazon-events-detail-type": detail_type,
        "x-amazon-events-source": source,
        "properties": {
            "detail": reference,
            "account": text,
            "detail-type": text,
            "id": text,
            "region": text,
            "resources": {"type": "array", "items": text},
            "source": text,
            "time": {"type": "string", "format": "date-time"},
            "version": text,
        },
    });
    let mut schemas = Map::new();
    schemas.insert("AWSEvent".to_owned(), event);
    schemas.extend(components.made);
    open_api(&title, schemas)
}

/// The OpenAPI 3 document of values that are no events.
pub fn value_document(shape: &Shape) -> Value {
    let mut components = Components::default();
    components.named("Event", shape);
    open_api("Event", components.made.into_iter().collect())
}

fn open_api(title: &str, schemas: Map<String, Value>) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"version": "1.0.0", "title": title},
        "paths": {},
        "components": {"schemas": schemas},
    })
}

/// The named parts of a document.
#[derive(Debug, Default)]
struct Components {
    made: Vec<(String, Value)>,
    taken: BTreeSet<String>,
}

impl Components {
    /// Makes a part of its own and refers to it.
    fn named(&mut self, wanted: &str, shape: &Shape) -> Value {
        let mut name = wanted.to_owned();
        let mut number = 1_u32;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}{number}");
        }
        let place = self.made.len();
        self.made.push((name.clone(), Value::Null));
        let body = match shape {
            Shape::Object { members, required } => self.object(members, required),
            other => self.inline(wanted, other),
        };
        if let Some((_, made)) = self.made.get_mut(place) {
            *made = body;
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    fn object(&mut self, members: &BTreeMap<String, Shape>, required: &BTreeSet<String>) -> Value {
        let mut properties = Map::new();
        for (name, shape) in members {
            properties.insert(name.clone(), self.inline(&component_name(name), shape));
        }
        let mut body = json!({"type": "object"});
        if let Some(body) = body.as_object_mut() {
            // Draft 4 and OpenAPI 3 both forbid an empty list here.
            if !required.is_empty() {
                body.insert("required".to_owned(), json!(required));
            }
            body.insert("properties".to_owned(), Value::Object(properties));
        }
        body
    }

    fn inline(&mut self, name: &str, shape: &Shape) -> Value {
        match shape {
            Shape::Unknown | Shape::Anything => json!({}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Integer => json!({"type": "integer", "format": "int64"}),
            Shape::Number => json!({"type": "number", "format": "double"}),
            Shape::Text => json!({"type": "string"}),
            Shape::Instant => json!({"type": "string", "format": "date-time"}),
            Shape::List(items) => {
                let items = self.inline(&format!("{name}Item"), items);
                json!({"type": "array", "items": items})
            }
            Shape::Object { .. } => self.named(name, shape),
        }
    }
}

/// An OpenAPI 3 document as JSON Schema, draft 4; none when it has no components.
///
/// Source: Schemas API Reference, ExportSchema. The event itself stands at the root, or the only
/// component of a document that describes no event.
pub fn json_schema(document: &Value) -> Option<Value> {
    let mut schemas = document.pointer("/components/schemas")?.as_object()?.clone();
    let root = match (schemas.contains_key("AWSEvent"), schemas.len()) {
        (true, _) => schemas.remove("AWSEvent"),
        (false, 1) => schemas.values().next().cloned(),
        (false, _) => None,
    };
    let mut out = Map::new();
    out.insert("$schema".to_owned(), "http://json-schema.org/draft-04/schema#".into());
    if let Some(title) = document.pointer("/info/title") {
        out.insert("title".to_owned(), title.clone());
    }
    if let Some(Value::Object(root)) = root {
        out.extend(root);
    }
    out.insert("definitions".to_owned(), Value::Object(schemas));
    let mut out = Value::Object(out);
    point_to_definitions(&mut out);
    Some(out)
}

fn point_to_definitions(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(point_to_definitions),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member.as_str().and_then(|to| to.strip_prefix("#/components/schemas/")) {
                    Some(to) if name == "$ref" => *member = format!("#/definitions/{to}").into(),
                    _ => point_to_definitions(member),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::of(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_schema_is_named_by_its_source_and_the_words_of_its_detail_type() {
        assert_eq!(schema_name("my.app", "Order Shipped"), "my.app@OrderShipped");
        assert_eq!(schema_name("a b", "order-shipped (v2)"), "a_b@OrderShippedV2");
    }

    #[test]
    fn merging_widens_and_keeps_as_required_what_every_sample_has() {
        let merged = shape(r#"{"a": 1, "b": null, "t": "2026-01-01T00:00:00Z"}"#)
            .merge(shape(r#"{"a": 1.5, "b": "x", "c": [1, "x"], "t": "soon"}"#));
        let Shape::Object { members, required } = &merged else { panic!("{merged:?}") };
        let expected = [
            ("a", Shape::Number),
            ("b", Shape::Text),
            ("c", Shape::List(Box::new(Shape::Anything))),
            ("t", Shape::Text),
        ];
        let expected = expected.map(|(name, shape)| (name.to_owned(), shape));
        assert_eq!(*members, BTreeMap::from(expected));
        assert_eq!(*required, BTreeSet::from(["a", "b", "t"].map(str::to_owned)));
        // What fits already changes nothing, so that no version is made of it.
        assert_eq!(merged.clone().merge(shape(r#"{"a": 2, "b": "y", "t": "then"}"#)), merged);
    }

    #[test]
    fn what_is_too_deep_has_no_shape() {
        let mut value = json!(1);
        for _ in 0..DEPTH_MAX {
            value = Value::Array(vec![value]);
        }
        assert_eq!(Shape::of(&value), None);
    }

    #[test]
    fn the_document_of_an_event_names_each_object_and_its_export_stands_at_the_root() {
        let detail = shape(r#"{"order-id": 7, "items": [{"sku": "a"}], "buyer": {"items": {}}}"#);
        let document = event_document("my.app", "Order Shipped", &detail);
        let schemas = document.pointer("/components/schemas").unwrap().as_object().unwrap();
        let names = schemas.keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(names, ["AWSEvent", "OrderShipped", "Buyer", "Items", "ItemsItem"]);
        assert_eq!(
            schemas["OrderShipped"],
            json!({
                "type": "object",
                "required": ["buyer", "items", "order-id"],
                "properties": {
                    "buyer": {"$ref": "#/components/schemas/Buyer"},
                    "items": {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/ItemsItem"},
                    },
                    "order-id": {"type": "integer", "format": "int64"},
                },
            })
        );
        let exported = json_schema(&document).unwrap();
        assert_eq!(exported["properties"]["detail"]["$ref"], "#/definitions/OrderShipped");
        assert_eq!(exported["x-amazon-events-source"], "my.app");
        assert!(exported["definitions"].get("AWSEvent").is_none());
        // Every event of that form is valid by the export, and another is not.
        let validator = jsonschema::validator_for(&exported).unwrap();
        let mut event = json!({
            "version": "0", "id": "i", "detail-type": "Order Shipped", "source": "my.app",
            "account": "1", "time": "2026-01-01T00:00:00Z", "region": "r", "resources": [],
            "detail": {"order-id": 8, "items": [], "buyer": {"items": {}}},
        });
        assert!(validator.is_valid(&event));
        event["detail"]["order-id"] = json!("eight");
        assert!(!validator.is_valid(&event));
    }
}

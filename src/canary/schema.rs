//! The JSON Schema of canary files, for editors; made from the tables that validation reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::validate::{CANARY, FRAGMENT, Key, Kind, Shape};

/// The two kinds of files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// A canary.
    Canary,
    /// A file that canaries `use`.
    Fragment,
}

/// The JSON Schema (draft 2020-12) of canary files.
///
/// It knows keys, types and words. What it cannot know, such as names that are defined elsewhere
/// or regexes that do not compile, `load` says.
pub fn schema(kind: SchemaKind) -> Value {
    let (root, title) = match kind {
        SchemaKind::Canary => (&CANARY, "Coalmine canary"),
        SchemaKind::Fragment => (&FRAGMENT, "Coalmine shared steps"),
    };
    let mut definitions = Definitions::default();
    let Value::Object(object) = definitions.object(root) else { return Value::Null };
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!(title));
    schema.extend(object);
    schema.insert("$defs".into(), definitions.0.into_iter().collect());
    Value::Object(schema)
}

/// Shapes by their name; `Null` while one is being made, since predicates nest.
#[derive(Default)]
struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    fn object(&mut self, shape: &'static Shape) -> Value {
        let mut properties = Map::new();
        for Key { name, kind, doc, .. } in shape.keys {
            let mut property = self.kind(kind);
            if let Some(property) = property.as_object_mut() {
                property.insert("description".into(), json!(doc));
            }
            properties.insert((*name).into(), property);
        }
        let required: Vec<_> =
            shape.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
        let mut object = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if let Some(object) = object.as_object_mut() {
            if !required.is_empty() {
                object.insert("required".into(), json!(required));
            }
            if !shape.one_of.is_empty() {
                let one = |key: &&str| json!({"required": [key]});
                object.insert("oneOf".into(), shape.one_of.iter().map(one).collect());
            }
        }
        object
    }

    fn reference(&mut self, shape: &'static Shape) -> Value {
        let name = shape.name.split_once(' ').map_or(shape.name, |(_article, name)| name);
        let name = name.to_lowercase().replace([' ', '.'], "-");
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), Value::Null);
            let object = self.object(shape);
            self.0.insert(name.clone(), object);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn kind(&mut self, kind: &'static Kind) -> Value {
        match kind {
            Kind::Text | Kind::Template => json!({"type": ["string", "number", "boolean"]}),
            Kind::Duration => json!({
                "type": "string",
                "pattern": r"^\s*([0-9]+(\.[0-9]*)?\s*(ms|s|m|min|h|d|w)\s*)+$",
            }),
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::Integer(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Kind::Number => json!({"type": "number"}),
            Kind::Choice(words) => {
                // `version: 2` is a number to YAML.
                let numbers = words.iter().filter_map(|word| word.parse::<f64>().ok());
                let words = words.iter().map(|word| json!(word));
                let words: Vec<_> = words.chain(numbers.map(|number| json!(number))).collect();
                json!({ "enum": words })
            }
            Kind::Value => json!({}),
            Kind::MapOf(inner) => {
                json!({"type": "object", "additionalProperties": self.kind(inner)})
            }
            Kind::ListOf(inner) => json!({"type": "array", "items": self.kind(inner)}),
            Kind::OneOrMany(inner) => {
                let one = self.kind(inner);
                json!({"anyOf": [one, {"type": "array", "items": one}]})
            }
            Kind::Shape(shape) => self.reference(shape),
            Kind::Either(kinds) => {
                let forms: Vec<_> = kinds.iter().map(|kind| self.kind(kind)).collect();
                json!({"anyOf": forms})
            }
            Kind::Predicate => {
                let long = self.reference(&super::validate::PREDICATE);
                let short = json!({"type": ["string", "number", "boolean", "null", "array"]});
                json!({"anyOf": [short, long]})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemas_compile() {
        for kind in [SchemaKind::Canary, SchemaKind::Fragment] {
            let schema = schema(kind);
            assert!(jsonschema::validator_for(&schema).is_ok(), "{schema}");
        }
    }
}

//! The references in docs/, made from the schema and from the tables, so that they cannot lie.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coalmine::canary::schema::{SchemaKind, schema};
use coalmine::canary::template::{FILTERS, FUNCTIONS};
use serde_json::{Map, Value};

use crate::golden;

const HEAD: &str = "\
# Canary files

Every key of a canary file, by where it stands. Made from the tables that `coalmine check` reads
with; `coalmine schema` prints the same for editors. Keys in bold must be there.

Durations are written `250ms`, `30s`, `5m`, `1h`. A *text* may hold templates, `{{ name }}`: \
variables,
captures, `env.NAME`, `secret.NAME`, [functions](#functions) and [filters](#filters).

A *predicate* is a map, or a text in its short form:

| short form | what must hold |
|---|---|
| `ok`, `200`, `true` | it is this value |
| `2xx` | a status of this class |
| `contains lamp`, `starts with /a`, `ends with .png` | a text holds, begins or ends with this; \
a list holds this item |
| `matches /lam+p/i` | a text matches this regex |
| `under 300ms`, `over 30d`, `between 1 KiB and 64 KiB` | a number, duration, size or share \
(`0.5%`) |
| `one of eur, usd` | it is one of these |
| `exists`, `is number`, `length over 3`, `count 6` | it is there; its type; its length; \
how many were selected |
| `not contains error` | the opposite of any of them |
";

fn names(text: &mut String, title: &str, names: &[(&str, &str)]) {
    writeln!(text, "\n## {title}\n\n| name | gives |\n|---|---|").unwrap();
    for (name, about) in names {
        writeln!(text, "| `{name}` | {} |", cell(about)).unwrap();
    }
}

#[test]
fn the_reference_is_what_the_schema_says() {
    let canary = schema(SchemaKind::Canary);
    let mut text = HEAD.to_owned();
    section(&mut text, "A canary", &canary);
    let definitions = canary.get("$defs").and_then(Value::as_object);
    for (name, definition) in definitions.into_iter().flatten() {
        section(&mut text, &title(name), definition);
    }
    section(&mut text, "A shared file", &schema(SchemaKind::Fragment));
    names(&mut text, "Functions", FUNCTIONS);
    names(&mut text, "Filters", FILTERS);
    golden::check("docs/canary-files.md", &text);
}

/// Source of what README says about AWS clients.
#[test]
fn the_list_of_operations_is_what_is_answered() {
    let mut text =
        "# AWS operations\n\nWhat `coalmine serve` answers to AWS clients, made from the \
        table that requests are\nanswered by. Any other operation is refused, naming it.\n"
            .to_owned();
    for (service, operations) in coalmine::api::operations() {
        writeln!(text, "\n## {service}\n").unwrap();
        for operation in operations {
            writeln!(text, "- {operation}").unwrap();
        }
    }
    golden::check("docs/aws-operations.md", &text);
}

fn section(text: &mut String, title: &str, definition: &Value) {
    let empty = Map::new();
    let keys = definition.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    if keys.is_empty() {
        return;
    }
    let required: BTreeSet<&str> = definition
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    writeln!(text, "\n## {title}\n\n| key | value | |\n|---|---|---|").unwrap();
    for (key, value) in keys {
        let key = if required.contains(key.as_str()) {
            format!("**`{key}`**")
        } else {
            format!("`{key}`")
        };
        let about = value.get("description").and_then(Value::as_str).unwrap_or("");
        writeln!(text, "| {key} | {} | {} |", kind(value), cell(about)).unwrap();
    }
}

fn title(name: &str) -> String {
    let words = name.replace('-', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// What a value may be, in a few words.
fn kind(value: &Value) -> String {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return format!("[{}](#{name})", title(name).to_lowercase());
    }
    if let Some(words) = value.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(choices) = value.get("anyOf").and_then(Value::as_array) {
        let mut kinds: Vec<String> = Vec::new();
        for choice in choices.iter().map(kind) {
            if !kinds.contains(&choice) {
                kinds.push(choice);
            }
        }
        return kinds.join(" or ");
    }
    if value.get("pattern").is_some() {
        return "duration".to_owned();
    }
    match value.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("list of {}", value.get("items").map_or("values".to_owned(), kind))
        }
        Some(Value::String(name)) if name == "object" => {
            match value.get("additionalProperties").filter(|each| each.is_object()) {
                Some(each) => format!("map of {}", kind(each)),
                None => "map".to_owned(),
            }
        }
        Some(Value::String(name)) => name.clone(),
        Some(_) => "text".to_owned(),
        None => "any value".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

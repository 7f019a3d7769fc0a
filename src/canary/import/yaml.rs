//! Values as the YAML that a person would write: short maps on one line, long ones below.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Lines are kept below this where they can be.
const WIDTH: usize = 96;

/// The lines of `key: value`, indented by `indent` spaces.
pub(super) fn entry(key: &str, value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let key = scalar_text(key);
    let flow = flow(value);
    let is_scalar = !matches!(value, Value::Object(_) | Value::Array(_));
    if is_scalar || is_empty(value) || fits(&flow, indent + key.len() + 2, value) {
        return format!("{pad}{key}: {flow}\n");
    }
    match value {
        Value::Object(members) => format!("{pad}{key}:\n{}", map(members, indent + 2)),
        Value::Array(items) => format!("{pad}{key}:\n{}", list(items, indent + 2)),
        _ => format!("{pad}{key}: {flow}\n"),
    }
}

fn map(members: &Map<String, Value>, indent: usize) -> String {
    members.iter().map(|(key, value)| entry(key, value, indent)).collect()
}

fn list(items: &[Value], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let item = |item: &Value| {
        let flow = flow(item);
        match item {
            Value::Object(members) if !members.is_empty() && !fits(&flow, indent + 2, item) => {
                let block = map(members, indent + 2);
                let first = block.get(indent + 2..).unwrap_or(&block);
                format!("{pad}- {first}")
            }
            _ => format!("{pad}- {flow}\n"),
        }
    };
    items.iter().map(item).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Whether a value reads well on one line: short, and not deep.
fn fits(flow: &str, before: usize, value: &Value) -> bool {
    before + flow.len() <= WIDTH && depth(value) <= 2
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(members) => members.values().map(depth).max(),
        Value::Array(items) => items.iter().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => scalar_text(text),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = members.iter();
            let members: Vec<String> = members
                .map(|(key, value)| format!("{}: {}", scalar_text(key), flow(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// A text as a scalar: plain where no reader of YAML, old or new, could take it for anything else.
pub(super) fn scalar_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] =
        &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    let inner = |c: char| c.is_alphanumeric() || "-_./+=@ $()<>;".contains(c);
    let first = |c: char| c.is_alphabetic() || matches!(c, '/' | '$');
    let is_class =
        text.len() == 3 && text.starts_with(['1', '2', '3', '4', '5']) && text.ends_with("xx");
    is_class
        || text.chars().next().is_some_and(first)
            && text.chars().all(inner)
            && !text.ends_with(' ')
            && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// In double quotes. The escapes of JSON are among those of YAML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line ends of other scripts, byte order marks and whatever does not print.
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a String cannot fail.
                let _ok = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn short_maps_stay_on_a_line_and_long_ones_go_below() {
        let value = json!({
            "post": "{{ base }}/x", "headers": {"accept": "a/b"},
            "json": {"text": "y".repeat(90), "list": [{"a": 1, "b": "no"}]},
        });
        let expected = format!(
            "  http:\n    post: \"{{{{ base }}}}/x\"\n    headers: {{ accept: a/b }}\n    json:\n\
             \x20     text: {}\n      list: [{{ a: 1, b: \"no\" }}]\n",
            "y".repeat(90)
        );
        assert_eq!(entry("http", &value, 2), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[-:#{}\\[\\],&*!|>'\"%@`a-f0-9 ~.\\n\\t]{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z:# -]{1,6}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let file = crate::diagnostic::SourceFile::new("f", entry("k", &value, 0));
            let read = crate::canary::document::value(file.text()).unwrap();
            prop_assert_eq!(&read["k"], &value, "{}", file.text());
        }
    }
}

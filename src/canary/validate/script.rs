//! The same vocabulary for values that a script built, in place of nodes of a file.

use std::path::Path;

use serde_json::Value;

use super::fields::Fields;
use super::reader::Reader;
use super::{browser, predicate as predicates, root, shapes, step};
use crate::canary::action::Action;
use crate::canary::assertion::Predicate;
use crate::canary::definition::{Canary, CanaryBody};
use crate::canary::document::{Entry, Node, NodeValue};
use crate::canary::load::{Fault, Loaded, NoImports};
use crate::canary::page::BrowserStep;
use crate::canary::template::Taint;
use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// Finds the secrets in a text that a script built.
pub type ScriptSecrets<'s> = dyn Fn(&str) -> Taint + 's;

/// The action that stands at `key` of a step: `http`, `tcp`, ..
///
/// Errors: what is wrong with the value, without places.
pub fn action(
    key: &str,
    value: &Value,
    secrets: &ScriptSecrets<'_>,
) -> Result<Action, Vec<Diagnostic>> {
    read(secrets, |reader| step::action_of(&entry(key, value), reader))
}

/// The page actions that stand at `key` of an entry of a browser step: `fill`, `wait`, ..
///
/// Errors: what is wrong with the value, without places.
pub fn page_action(
    key: &str,
    value: &Value,
    secrets: &ScriptSecrets<'_>,
) -> Result<Vec<BrowserStep>, Vec<Diagnostic>> {
    read(secrets, |reader| {
        let action = match key {
            "back" | "forward" | "reload" => node(&Value::from(key), Span::default()),
            _ => {
                let entries = vec![entry(key, value)];
                Node { value: NodeValue::Map(entries), span: Span::default() }
            }
        };
        let list = Node { value: NodeValue::List(vec![action]), span: Span::default() };
        browser::actions(&list, reader)
    })
}

/// A predicate in its long form: `{"under": "300ms"}`.
///
/// Errors: what is wrong with the value, without places.
pub fn predicate(value: &Value, secrets: &ScriptSecrets<'_>) -> Result<Predicate, Vec<Diagnostic>> {
    read(secrets, |reader| predicates::predicate(&node(value, Span::default()), reader))
}

fn read<T>(
    secrets: &ScriptSecrets<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let file = SourceFile::new("script", "");
    let mut reader = Reader::of_script(&file, &NoImports, secrets);
    let found = read(&mut reader);
    let faults = reader.into_faults(&file);
    let errors: Vec<Diagnostic> =
        faults.into_iter().map(|fault| fault.diagnostic).filter(Diagnostic::is_error).collect();
    match found {
        Some(found) if errors.is_empty() => Ok(found),
        _ => Err(errors),
    }
}

/// A canary whose body is a script, from what the script says about itself: the keys of a canary
/// file but its steps. `span_of` tells where the script speaks of a key.
///
/// Errors: every fault of what the script says.
pub fn canary_of_script(
    said: &[(String, Value)],
    span_of: &dyn Fn(&str) -> Span,
    file: &SourceFile,
    folder: &Path,
) -> Result<Loaded, Vec<Fault>> {
    let no_secrets = |_: &str| Taint::default();
    let mut reader = Reader::of_script(file, &NoImports, &no_secrets);
    let entries = said.iter().map(|(key, value)| {
        let span = span_of(key);
        Entry { key: key.clone(), key_span: span, value: node(value, span) }
    });
    let root = Node { value: NodeValue::Map(entries.collect()), span: Span::point(0) };
    let canary = Fields::of(&root, Span::point(0), &shapes::CANARY, &mut reader)
        .and_then(|fields| root::read_head(&fields, folder, &mut reader));
    let faults = reader.into_faults(file);
    match canary {
        Some(canary) if !faults.iter().any(|fault| fault.diagnostic.is_error()) => {
            let canary = Canary { body: CanaryBody::Script, ..canary };
            Ok(Loaded { canary, warnings: faults })
        }
        _ => Err(faults),
    }
}

fn entry(key: &str, value: &Value) -> Entry {
    let span = Span::default();
    Entry { key: key.to_owned(), key_span: span, value: node(value, span) }
}

fn node(value: &Value, span: Span) -> Node {
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(value) => NodeValue::Bool(*value),
        Value::Number(number) => NodeValue::Number(number.clone()),
        Value::String(text) => NodeValue::Text(text.clone()),
        Value::Array(items) => NodeValue::List(items.iter().map(|item| node(item, span)).collect()),
        Value::Object(members) => {
            let entries = members.iter().map(|(key, value)| Entry {
                key: key.clone(),
                key_span: span,
                value: node(value, span),
            });
            NodeValue::Map(entries.collect())
        }
    };
    Node { value, span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::secret::SecretText;
    use crate::canary::template::{Position, TemplateValue};
    use serde_json::json;

    fn secrets(text: &str) -> Taint {
        let mut taint = Taint::default();
        if text.contains("hunter2") {
            taint.names.insert("KEY".into());
            taint.pieces.push(SecretText::new("hunter2"));
        }
        taint
    }

    #[test]
    fn braces_of_scripts_are_only_braces_and_secrets_are_found() {
        let value = json!({"post": "http://h/{{ x }}", "headers": {"a": "hunter2 {{"}});
        let Ok(Action::Http(http)) = action("http", &value, &secrets) else { panic!("http") };
        assert_eq!(http.url.as_plain(), Some("http://h/{{ x }}"));
        let context = crate::canary::template::NoContext;
        let rendered = http.headers[0].1.render(&context, Position::Header).unwrap();
        assert!(rendered.taint.names.contains("KEY"));
        let value = json!({"equals": "is hunter2"});
        let Ok(Predicate::Equals(TemplateValue::Text(_))) = predicate(&value, &secrets) else {
            panic!("tainted")
        };
    }

    #[test]
    fn faults_are_those_of_files() {
        let faults = action("http", &json!({"get": "http://h/", "bdy": ""}), &secrets).unwrap_err();
        assert_eq!(faults[0].message, "`bdy` is not a key of an HTTP request");
        let faults = page_action("clik", &json!("#a"), &secrets).unwrap_err();
        assert_eq!(faults[0].labels[0].message, "did you mean `click`?");
        assert!(predicate(&json!({"under": "x"}), &secrets).is_err());
    }
}

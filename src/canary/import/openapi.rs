//! OpenAPI descriptions, versions 3.0 and 3.1, in JSON or YAML.
//!
//! Main function: [`draft`]. A description says what could be asked, not what should: only
//! operations that change nothing are taken, unless everything is asked for; and of those only the
//! ones whose required parameters have an example. What is left out is said.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use url::Url;

use super::assemble::{STEPS_MAX, telling_kind};
use super::draft::{Draft, DraftStep, base_variable, canary_name, escaped, variable_name};
use super::recorded::media_type;
use super::{ImportError, ImportExtent, ImportOptions};
use crate::canary::document;

/// BOUND: of references that lead to references.
const REFERENCES_MAX: usize = 16;

/// BOUND: of schemas inside of schemas.
const DEPTH_MAX: usize = 8;

/// What a part of a path may hold as it is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Methods that may change something are only taken when everything is asked for.
const METHODS: &[&str] = &["get", "head", "post", "put", "patch", "delete", "options"];

/// Makes a draft of a description: a step for each operation that can be asked.
///
/// Errors: it is no description, or of another version; nothing of it can be asked.
/// Source: OpenAPI Specification 3.1.
pub fn draft(text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
    let not_a = |reason: String| ImportError::NotA { what: "OpenAPI description", reason };
    let root = document::value(text).map_err(|fault| not_a(fault.to_string()))?;
    if let Some(version) = root.get("swagger") {
        let what = format!("version {version} of Swagger (convert it to OpenAPI 3)");
        return Err(ImportError::Unsupported { what });
    }
    let version = root.get("openapi").and_then(Value::as_str);
    match version {
        Some(version) if version.starts_with("3.") => {}
        Some(version) => {
            return Err(ImportError::Unsupported { what: format!("OpenAPI {version}") });
        }
        None => return Err(not_a("it has no `openapi`".to_owned())),
    }
    let description = Description { root: &root, extent: options.extent };
    let base = description.base(options)?;
    let mut making = Making { steps: Vec::new(), secrets: BTreeSet::new(), left_out: Vec::new() };
    let paths = root.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let item = description.resolved(item);
        for method in METHODS {
            if let Some(operation) = item.get(*method) {
                let place = Place { path, method, item };
                description.operation(place, operation, &mut making);
            }
        }
    }
    making.finish(&description, base, options)
}

struct Description<'d> {
    root: &'d Value,
    extent: ImportExtent,
}

#[derive(Clone, Copy)]
struct Place<'d> {
    path: &'d str,
    method: &'d str,
    item: &'d Value,
}

struct Making {
    steps: Vec<DraftStep>,
    secrets: BTreeSet<String>,
    left_out: Vec<String>,
}

impl Making {
    fn finish(
        self,
        description: &Description<'_>,
        base: String,
        options: &ImportOptions,
    ) -> Result<Draft, ImportError> {
        let count = self.left_out.len();
        if self.steps.is_empty() {
            let reason = match self.left_out.first() {
                None => "it has no operations".to_owned(),
                Some(first) => format!("{count} operations were left out, the first: {first}"),
            };
            return Err(ImportError::Nothing { reason });
        }
        let title = description.text("/info/title").unwrap_or("api");
        let mut notes = vec![format!("From the OpenAPI description of {title}.")];
        let shown = self.left_out.iter().take(20).cloned();
        if count > 0 {
            notes.push(format!("Left out, {count}:"));
            notes.extend(shown.map(|line| format!("  {line}")));
        }
        if count > 20 {
            notes.push("  ..".to_owned());
        }
        Ok(Draft {
            name: options.name.clone().unwrap_or_else(|| canary_name(title)),
            notes,
            variables: vec![("base".to_owned(), base_variable(&base))],
            secrets: self.secrets.into_iter().collect(),
            steps: self.steps,
            ..Draft::default()
        })
    }
}

impl<'d> Description<'d> {
    fn text(&self, pointer: &str) -> Option<&'d str> {
        self.root.pointer(pointer)?.as_str()
    }

    /// What a `$ref` leads to.
    fn resolved(&self, value: &'d Value) -> &'d Value {
        let mut value = value;
        for _ in 0..REFERENCES_MAX {
            let reference = value.get("$ref").and_then(Value::as_str);
            let Some(pointer) = reference.and_then(|text| text.strip_prefix('#')) else {
                return value;
            };
            match self.root.pointer(pointer) {
                Some(target) => value = target,
                None => return value,
            }
        }
        value
    }

    /// The first server's URL with the defaults of its variables.
    fn base(&self, options: &ImportOptions) -> Result<String, ImportError> {
        if let Some(base) = &options.base_url {
            return Ok(base.trim_end_matches('/').to_owned());
        }
        let server = self.root.pointer("/servers/0");
        let mut url =
            server.and_then(|server| server.get("url")?.as_str()).unwrap_or("").to_owned();
        let variables = server.and_then(|server| server.get("variables")?.as_object());
        for (name, variable) in variables.into_iter().flatten() {
            if let Some(default) = variable.get("default").and_then(Value::as_str) {
                url = url.replace(&format!("{{{name}}}"), default);
            }
        }
        match Url::parse(&url) {
            Ok(_) => Ok(url.trim_end_matches('/').to_owned()),
            Err(_relative) => {
                let what = format!("a description without the URL of its server (`{url}`)");
                Err(ImportError::Unsupported { what: format!("{what} or --base-url") })
            }
        }
    }

    fn operation(&self, place: Place<'d>, operation: &'d Value, making: &mut Making) {
        let Place { path, method, .. } = place;
        let called = format!("{} {path}", method.to_ascii_uppercase());
        let is_safe = matches!(method, "get" | "head" | "options");
        if self.extent == ImportExtent::Careful && !is_safe {
            return making.left_out.push(format!("{called}: it may change something"));
        }
        if operation.get("deprecated").and_then(Value::as_bool) == Some(true) {
            return making.left_out.push(format!("{called}: it is deprecated"));
        }
        if making.steps.len() >= STEPS_MAX {
            return making.left_out.push(format!("{called}: the canary is full"));
        }
        match self.request(place, operation, &mut making.secrets) {
            Err(missing) => making.left_out.push(format!("{called}: {missing}")),
            Ok(http) => {
                let text = |key: &str| operation.get(key).and_then(Value::as_str);
                let name = text("summary").or(text("operationId")).map(str::trim);
                let name = name.filter(|name| !name.is_empty()).unwrap_or(&called);
                making.steps.push(DraftStep {
                    name: escaped(&name.replace('\n', " ")),
                    action: ("http", Value::Object(http)),
                    expect: self.expectation(operation),
                    capture: Map::new(),
                });
            }
        }
    }

    /// Errors: what has no example.
    fn request(
        &self,
        place: Place<'d>,
        operation: &'d Value,
        secrets: &mut BTreeSet<String>,
    ) -> Result<Map<String, Value>, String> {
        let mut url = escaped(place.path);
        let (mut query, mut headers) = (Map::new(), Map::new());
        for parameter in self.parameters(place.item, operation) {
            let name = parameter.get("name").and_then(Value::as_str).unwrap_or("");
            let place_of = parameter.get("in").and_then(Value::as_str).unwrap_or("");
            let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
            if !required && place_of != "path" {
                continue;
            }
            let example = self.example_of(parameter).as_ref().and_then(plain);
            let Some(example) = example else {
                return Err(format!("its {place_of} parameter `{name}` has no example"));
            };
            match place_of {
                "path" => {
                    let text = utf8_percent_encode(&example, SEGMENT).to_string();
                    url = url.replace(&format!("{{{name}}}"), &text);
                }
                "query" => drop(query.insert(name.to_owned(), escaped(&example).into())),
                "header" => drop(headers.insert(name.to_owned(), escaped(&example).into())),
                other => return Err(format!("its {other} parameter `{name}` is not supported")),
            }
        }
        let mut http = Map::new();
        http.insert(place.method.to_owned(), format!("{{{{ base }}}}{url}").into());
        let auth = self.security(operation, (&mut query, &mut headers), secrets)?;
        for (key, members) in [("query", query), ("headers", headers)] {
            if !members.is_empty() {
                http.insert(key.to_owned(), Value::Object(members));
            }
        }
        self.body(operation, &mut http)?;
        if let Some(auth) = auth {
            http.insert("auth".to_owned(), auth);
        }
        Ok(http)
    }

    /// Parameters of the operation, and those of its path that it does not say anew.
    fn parameters(&self, item: &'d Value, operation: &'d Value) -> Vec<&'d Value> {
        let list = |value: &'d Value| {
            let list = value.get("parameters").and_then(Value::as_array);
            list.into_iter().flatten().map(|parameter| self.resolved(parameter))
        };
        let id = |parameter: &'d Value| (parameter.get("name"), parameter.get("in"));
        let own: Vec<&Value> = list(operation).collect();
        let inherited = list(item).filter(|one| own.iter().all(|other| id(other) != id(one)));
        let inherited: Vec<&Value> = inherited.collect();
        own.into_iter().chain(inherited).collect()
    }

    fn body(&self, operation: &'d Value, http: &mut Map<String, Value>) -> Result<(), String> {
        let Some(body) = operation.get("requestBody") else { return Ok(()) };
        let body = self.resolved(body);
        let content = body.get("content").and_then(Value::as_object);
        let json =
            content.into_iter().flatten().find(|(kind, _)| media_type(kind).ends_with("json"));
        let example = json.and_then(|(_, content)| self.example_of(content));
        match example {
            Some(example) => {
                http.insert("json".to_owned(), escaped_value(&example));
                Ok(())
            }
            None if body.get("required").and_then(Value::as_bool) == Some(true) => {
                Err("its body has no example in JSON".to_owned())
            }
            None => Ok(()),
        }
    }

    /// An example of a parameter or content: its own, or one of its schema.
    fn example_of(&self, value: &'d Value) -> Option<Value> {
        let first = value.get("examples").and_then(Value::as_object);
        let first = first.and_then(|examples| examples.values().next());
        let first = first.and_then(|example| self.resolved(example).get("value"));
        let own = value.get("example").or(first);
        own.cloned().or_else(|| self.example_of_schema(value.get("schema")?, 0))
    }

    fn example_of_schema(&self, schema: &'d Value, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        let schema = self.resolved(schema);
        let list_first = |key: &str| schema.get(key).and_then(|list| list.get(0));
        let said = schema.get("example").or(schema.get("const")).or(schema.get("default"));
        let said = said.or(list_first("examples")).or(list_first("enum"));
        if let Some(said) = said.filter(|said| !said.is_null()) {
            return Some(said.clone());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => {
                let required = schema.get("required").and_then(Value::as_array)?;
                let properties = schema.get("properties")?;
                let mut members = Map::new();
                for name in required.iter().filter_map(Value::as_str) {
                    let member = self.example_of_schema(properties.get(name)?, depth + 1)?;
                    members.insert(name.to_owned(), member);
                }
                Some(Value::Object(members))
            }
            Some("array") => {
                let item = self.example_of_schema(schema.get("items")?, depth + 1)?;
                Some(json!([item]))
            }
            Some("boolean") => Some(true.into()),
            _ => None,
        }
    }

    /// How the operation signs in, by its first way that is supported.
    fn security(
        &self,
        operation: &'d Value,
        (query, headers): (&mut Map<String, Value>, &mut Map<String, Value>),
        secrets: &mut BTreeSet<String>,
    ) -> Result<Option<Value>, String> {
        let required = operation.get("security").or(self.root.get("security"));
        let ways = required.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_open = |way: &Value| way.as_object().is_some_and(Map::is_empty);
        if ways.is_empty() || ways.iter().any(is_open) {
            return Ok(None);
        }
        let names = ways.iter().filter_map(|way| way.as_object()?.keys().next());
        for name in names {
            let scheme = self.root.pointer("/components/securitySchemes");
            let Some(scheme) = scheme.and_then(|all| all.get(name)) else { continue };
            let scheme = self.resolved(scheme);
            let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or("");
            let mut secret = |suffix: &str| {
                let name = format!("{}{suffix}", variable_name(name).to_ascii_uppercase());
                secrets.insert(name.clone());
                format!("{{{{ secret.{name} }}}}")
            };
            let key = text("name").to_owned();
            match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
                ("http", "bearer", _) => return Ok(Some(json!({ "bearer": secret("") }))),
                ("http", kind @ ("basic" | "digest"), _) => {
                    let login = json!({ "user": secret("_USER"), "password": secret("_PASSWORD") });
                    return Ok(Some(json!({ kind: login })));
                }
                ("apiKey", _, "header") => {
                    return Ok(Some(json!({ "api_key": { "header": key, "key": secret("") } })));
                }
                ("apiKey", _, "query") => {
                    query.insert(key, secret("").into());
                    return Ok(None);
                }
                ("apiKey", _, "cookie") => {
                    let cookie = format!("{key}={}", secret(""));
                    headers.insert("cookie".to_owned(), cookie.into());
                    return Ok(None);
                }
                ("oauth2", _, _) => {
                    let url = scheme.pointer("/flows/clientCredentials/tokenUrl");
                    if let Some(url) = url.and_then(Value::as_str) {
                        let login = json!({
                            "token_url": escaped(url), "client_id": secret("_CLIENT_ID"),
                            "client_secret": secret("_CLIENT_SECRET"),
                        });
                        return Ok(Some(json!({ "oauth2": login })));
                    }
                    return Ok(Some(json!({ "bearer": secret("_TOKEN") })));
                }
                _ => {}
            }
        }
        Err("no way to sign in is supported".to_owned())
    }

    /// The first good answer that is described.
    fn expectation(&self, operation: &'d Value) -> Map<String, Value> {
        let responses = operation.get("responses").and_then(Value::as_object);
        let good = responses.into_iter().flatten().find(|(status, _)| {
            status.len() == 3 && (status.starts_with('2') || status.starts_with('3'))
        });
        let mut expect = Map::new();
        let Some((status, response)) = good else {
            expect.insert("status".to_owned(), "2xx".into());
            return expect;
        };
        let status = match status.parse::<u16>() {
            Ok(number) => Value::from(number),
            Err(_class) => Value::from(status.to_ascii_lowercase()),
        };
        expect.insert("status".to_owned(), status);
        let content = self.resolved(response).get("content").and_then(Value::as_object);
        let kinds: Vec<String> =
            content.into_iter().flatten().map(|(kind, _)| media_type(kind)).collect();
        if let [kind] = kinds.as_slice()
            && let Some(kind) = telling_kind(kind)
        {
            let contains = format!("contains {kind}");
            expect.insert("header".to_owned(), json!({ "content-type": contains }));
        }
        expect
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn escaped_value(value: &Value) -> Value {
    match value {
        Value::String(text) => escaped(text).into(),
        Value::Array(items) => items.iter().map(escaped_value).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members.map(|(key, member)| (key.clone(), escaped_value(member))).collect(),
            )
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(paths: Value) -> Result<Draft, ImportError> {
        let root = json!({
            "openapi": "3.0.3", "info": { "title": "Shop API" },
            "servers": [{
                "url": "https://{h}/v1/", "variables": { "h": { "default": "x.test" } },
            }],
            "components": { "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": "x-key" },
                "user": { "type": "http", "scheme": "bearer" },
            } },
            "security": [{ "apiKey": [] }],
            "paths": paths,
        });
        draft(&root.to_string(), &ImportOptions::default())
    }

    #[test]
    fn what_changes_nothing_and_has_examples_becomes_a_step() {
        let draft = described(json!({
            "/lamps/{id}": {
                "parameters": [{
                    "name": "id", "in": "path", "required": true, "schema": { "default": 7 },
                }],
                "get": {
                    "summary": "one lamp",
                    "responses": { "200": { "content": { "application/json": {} } } },
                },
                "delete": { "responses": {} },
            },
            "/find": { "get": {
                "parameters": [{ "name": "q", "in": "query", "required": true }],
                "responses": {},
            } },
            "/health": { "get": { "security": [], "responses": { "2XX": {} } } },
        }))
        .unwrap();
        assert_eq!(draft.name, "shop-api");
        assert_eq!(draft.secrets, ["API_KEY"]);
        let steps: Vec<_> = draft.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(steps, ["one lamp", "GET /health"]);
        let api_key = json!({ "header": "x-key", "key": "{{ secret.API_KEY }}" });
        let lamp = json!({ "get": "{{ base }}/lamps/7", "auth": { "api_key": api_key } });
        assert_eq!(draft.steps[0].action.1, lamp);
        let expect = json!({ "status": 200, "header": { "content-type": "contains json" } });
        assert_eq!(Value::Object(draft.steps[0].expect.clone()), expect);
        assert_eq!(draft.steps[1].expect["status"], "2xx");
        assert_eq!(
            draft.notes[1..],
            [
                "Left out, 2:",
                "  DELETE /lamps/{id}: it may change something",
                "  GET /find: its query parameter `q` has no example",
            ]
        );
    }

    #[test]
    fn what_is_no_description_of_version_3_is_refused_by_name() {
        for (text, said) in [
            (
                "{\"swagger\": \"2.0\"}",
                "version \"2.0\" of Swagger (convert it to OpenAPI 3) is not supported",
            ),
            ("openapi: 4.0.0", "OpenAPI 4.0.0 is not supported"),
            ("a: 1", "this is no OpenAPI description: it has no `openapi`"),
        ] {
            let error = draft(text, &ImportOptions::default()).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        let error = described(json!({})).unwrap_err();
        assert_eq!(error.to_string(), "nothing is left to ask: it has no operations");
        let mut loops = json!({ "get": { "responses": {} } });
        loops["$ref"] = "#/paths/~1x".into();
        assert!(described(json!({ "/x": loops })).is_ok(), "a reference to itself ends");
    }
}

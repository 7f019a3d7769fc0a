//! Postman collections, version 2.1.
//!
//! Main function: [`draft`]. Variables become variables of the canary, and those that a collection
//! does not define come from the environment. Scripts are not taken over, and this is said.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::assemble::STEPS_MAX;
use super::draft::{Draft, DraftStep, canary_name, escaped, variable_name};
use super::{ImportError, ImportOptions};
use crate::canary::secret::is_sensitive_name;

/// BOUND: of folders inside of folders.
const DEPTH_MAX: usize = 32;

/// Makes a draft of a collection: a step for each request, in order.
///
/// Errors: it is no collection, or of another version; a request holds what is not supported.
/// Source: Postman Collection Format 2.1.0.
pub fn draft(text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
    let not_a = |reason: String| ImportError::NotA { what: "Postman collection", reason };
    let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| not_a(error.to_string()))?;
    let schema = root.pointer("/info/schema").and_then(Value::as_str);
    let schema = schema.ok_or_else(|| not_a("it has no `info.schema`".to_owned()))?;
    if !schema.contains("v2.1") && !schema.contains("v2.0") {
        return Err(ImportError::Unsupported { what: format!("the format {schema}") });
    }
    let mut reading = Reading::default();
    for variable in list(&root, "variable") {
        let name = variable_name(text_of(variable, "key"));
        let value = match variable.get("value") {
            Some(Value::String(value)) => Value::from(reading.template(value)?),
            Some(value) => value.clone(),
            None => Value::from(""),
        };
        reading.defined.push((name, value));
    }
    reading.items(&root, root.get("auth"), 0)?;
    let title = root.pointer("/info/name").and_then(Value::as_str).unwrap_or("postman");
    reading.finish(title, options)
}

#[derive(Debug, Default)]
struct Reading {
    defined: Vec<(String, Value)>,
    used: BTreeSet<String>,
    secrets: BTreeSet<String>,
    steps: Vec<DraftStep>,
    scripts: usize,
}

impl Reading {
    fn finish(self, title: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
        if self.steps.is_empty() {
            return Err(ImportError::Nothing { reason: "it has no requests".to_owned() });
        }
        let mut notes = vec![format!("From the Postman collection {title}.")];
        if self.scripts > 0 {
            notes.push(format!(
                "Scripts (tests and preparations) that are not taken over: {}.",
                self.scripts
            ));
        }
        let is_defined = |name: &&String| self.defined.iter().any(|(own, _)| own == *name);
        let undefined: Vec<&String> = self.used.iter().filter(|name| !is_defined(name)).collect();
        let from_environment = undefined.iter().map(|name| {
            let value = format!("{{{{ env.{} }}}}", name.to_ascii_uppercase());
            ((*name).clone(), Value::from(value))
        });
        let variables = from_environment.chain(self.defined.clone()).collect();
        Ok(Draft {
            name: options.name.clone().unwrap_or_else(|| canary_name(title)),
            notes,
            variables,
            secrets: self.secrets.into_iter().collect(),
            steps: self.steps,
            ..Draft::default()
        })
    }

    fn items(
        &mut self,
        folder: &Value,
        auth: Option<&Value>,
        depth: usize,
    ) -> Result<(), ImportError> {
        if depth > DEPTH_MAX || self.steps.len() >= STEPS_MAX {
            let what =
                format!("a collection of more than {STEPS_MAX} requests or {DEPTH_MAX} folders");
            return Err(ImportError::Unsupported { what });
        }
        self.scripts += list(folder, "event").filter(|event| has_script(event)).count();
        for item in list(folder, "item") {
            let auth = item.get("auth").or(auth);
            match item.get("request") {
                Some(request) => {
                    self.scripts += list(item, "event").filter(|event| has_script(event)).count();
                    let step = self.step(text_of(item, "name"), request, auth)?;
                    self.steps.push(step);
                }
                None => self.items(item, auth, depth + 1)?,
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        name: &str,
        request: &Value,
        auth: Option<&Value>,
    ) -> Result<DraftStep, ImportError> {
        let mut http = Map::new();
        let url = match request.get("url").unwrap_or(request) {
            Value::String(url) => url.as_str(),
            url => text_of(url, "raw"),
        };
        let url = self.template(&with_path_variables(url, request))?;
        let method = request.get("method").and_then(Value::as_str).unwrap_or("GET");
        let key = method.to_ascii_lowercase();
        if ["get", "post", "put", "patch", "delete", "head", "options"].contains(&key.as_str()) {
            http.insert(key, url.into());
        } else {
            http.insert("method".to_owned(), method.to_ascii_uppercase().into());
            http.insert("url".to_owned(), url.into());
        }
        let mut headers = Map::new();
        for header in list(request, "header").filter(|header| is_enabled(header)) {
            let name = text_of(header, "key").to_ascii_lowercase();
            headers.insert(name, self.template(text_of(header, "value"))?.into());
        }
        self.body(request.get("body"), &mut headers, &mut http)?;
        self.auth(request.get("auth").or(auth), (&mut headers, &mut http))?;
        if !headers.is_empty() {
            http.insert("headers".to_owned(), Value::Object(headers));
        }
        let name = if name.is_empty() { method } else { name };
        let mut expect = Map::new();
        expect.insert("status".to_owned(), "2xx".into());
        Ok(DraftStep {
            name: escaped(name),
            action: ("http", Value::Object(http)),
            expect,
            capture: Map::new(),
        })
    }

    fn body(
        &mut self,
        body: Option<&Value>,
        headers: &mut Map<String, Value>,
        http: &mut Map<String, Value>,
    ) -> Result<(), ImportError> {
        let Some(body) = body.filter(|body| !body.is_null()) else { return Ok(()) };
        match text_of(body, "mode") {
            "" => {}
            "raw" => {
                let text = text_of(body, "raw");
                let is_json =
                    body.pointer("/options/raw/language").and_then(Value::as_str) == Some("json");
                match serde_json::from_str::<Value>(text) {
                    Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                        http.insert("json".to_owned(), self.json(&value)?);
                        if headers
                            .get("content-type")
                            .is_some_and(|kind| kind == "application/json")
                        {
                            headers.remove("content-type");
                        }
                    }
                    _ if text.is_empty() => {}
                    _ => {
                        http.insert("body".to_owned(), self.template(text)?.into());
                        if is_json && !headers.contains_key("content-type") {
                            headers.insert("content-type".to_owned(), "application/json".into());
                        }
                    }
                }
            }
            "urlencoded" => {
                let mut form = Map::new();
                for field in list(body, "urlencoded").filter(|field| is_enabled(field)) {
                    let value = self.template(text_of(field, "value"))?;
                    form.insert(text_of(field, "key").to_owned(), value.into());
                }
                http.insert("form".to_owned(), Value::Object(form));
            }
            "formdata" => {
                let mut form = Map::new();
                for field in list(body, "formdata").filter(|field| is_enabled(field)) {
                    let value = match text_of(field, "type") {
                        "file" => json!({ "file": self.template(text_of(field, "src"))? }),
                        _ => self.template(text_of(field, "value"))?.into(),
                    };
                    form.insert(text_of(field, "key").to_owned(), value);
                }
                http.insert("multipart".to_owned(), Value::Object(form));
            }
            "graphql" => {
                let graphql = body.get("graphql").unwrap_or(&Value::Null);
                let query = self.template(text_of(graphql, "query"))?;
                let variables = serde_json::from_str(text_of(graphql, "variables"));
                let variables = self.json(&variables.unwrap_or(json!({})))?;
                http.insert("json".to_owned(), json!({ "query": query, "variables": variables }));
            }
            mode => {
                return Err(ImportError::Unsupported {
                    what: format!("a body of the mode `{mode}`"),
                });
            }
        }
        Ok(())
    }

    fn auth(
        &mut self,
        auth: Option<&Value>,
        (headers, http): (&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<(), ImportError> {
        let Some(auth) = auth.filter(|auth| !auth.is_null()) else { return Ok(()) };
        let kind = text_of(auth, "type");
        let value = |key: &str| {
            let pairs = list(auth, kind);
            let found = pairs.into_iter().find(|pair| text_of(pair, "key") == key);
            found.map_or("", |pair| text_of(pair, "value")).to_owned()
        };
        let login = match kind {
            "noauth" | "" => return Ok(()),
            "bearer" => json!({ "bearer": self.secret("API_TOKEN", &value("token"))? }),
            "basic" | "digest" => {
                let user = self.template(&value("username"))?;
                let password = self.secret("PASSWORD", &value("password"))?;
                json!({ kind: { "user": user, "password": password } })
            }
            "apikey" if value("in") != "query" => {
                let key = self.secret("API_KEY", &value("value"))?;
                json!({ "api_key": { "header": value("key"), "key": key } })
            }
            "apikey" => {
                let key = self.secret("API_KEY", &value("value"))?;
                http.insert("query".to_owned(), json!({ value("key"): key }));
                return Ok(());
            }
            _ => {
                return Err(ImportError::Unsupported { what: format!("signing in by `{kind}`") });
            }
        };
        headers.remove("authorization");
        http.insert("auth".to_owned(), login);
        Ok(())
    }

    /// A credential: a variable stays one, a value written out becomes a secret.
    fn secret(&mut self, name: &str, value: &str) -> Result<String, ImportError> {
        if value.contains("{{") || value.is_empty() {
            return self.template(value);
        }
        self.secrets.insert(name.to_owned());
        Ok(format!("{{{{ secret.{name} }}}}"))
    }

    fn json(&mut self, value: &Value) -> Result<Value, ImportError> {
        Ok(match value {
            Value::String(text) => self.template(text)?.into(),
            Value::Array(items) => {
                items.iter().map(|item| self.json(item)).collect::<Result<Value, _>>()?
            }
            Value::Object(members) => {
                let members = members.iter();
                let members: Result<Map<String, Value>, ImportError> =
                    members.map(|(key, member)| Ok((key.clone(), self.json(member)?))).collect();
                Value::Object(members?)
            }
            other => other.clone(),
        })
    }

    /// `{{name}}` of Postman as a template of ours.
    fn template(&mut self, text: &str) -> Result<String, ImportError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            out.push_str(before);
            let expression = match name.trim() {
                "$guid" | "$randomUUID" => "uuid()".to_owned(),
                "$timestamp" => "now() | epoch".to_owned(),
                "$isoTimestamp" => "now() | date".to_owned(),
                "$randomInt" => "random(0, 1000)".to_owned(),
                dynamic if dynamic.starts_with('$') => {
                    let what = format!("the variable `{dynamic}` of Postman");
                    return Err(ImportError::Unsupported { what });
                }
                name => {
                    let variable = variable_name(name);
                    let is_defined = self.defined.iter().any(|(own, _)| *own == variable);
                    if !is_defined && is_sensitive_name(name) {
                        let secret = variable.to_ascii_uppercase();
                        let expression = format!("secret.{secret}");
                        self.secrets.insert(secret);
                        expression
                    } else {
                        self.used.insert(variable.clone());
                        variable
                    }
                }
            };
            out.push_str("{{ ");
            out.push_str(&expression);
            out.push_str(" }}");
            rest = after;
        }
        out.push_str(&escaped(rest));
        Ok(out)
    }
}

/// `/users/:id` with what `url.variable` says of `id`.
fn with_path_variables(url: &str, request: &Value) -> String {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let variables = request.get("url").map(|url| list(url, "variable").collect::<Vec<_>>());
    let variables = variables.unwrap_or_default();
    let part = |part: &str| {
        let named = part
            .strip_prefix(':')
            .and_then(|name| variables.iter().find(|variable| text_of(variable, "key") == name));
        named.map_or(part, |variable| text_of(variable, "value")).to_owned()
    };
    let path: Vec<String> = path.split('/').map(part).collect();
    match query {
        Some(query) => format!("{}?{query}", path.join("/")),
        None => path.join("/"),
    }
}

fn has_script(event: &Value) -> bool {
    let lines = event.pointer("/script/exec").and_then(Value::as_array);
    lines.is_some_and(|lines| {
        lines.iter().any(|line| line.as_str().is_some_and(|l| !l.trim().is_empty()))
    })
}

fn is_enabled(value: &Value) -> bool {
    value.get("disabled").and_then(Value::as_bool) != Some(true)
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_becomes_steps_with_its_variables_and_no_credential() {
        let text = json!({
            "info": { "name": "Shop", "schema": "https://schema.getpostman.com/v2.1.0/" },
            "variable": [{ "key": "baseUrl", "value": "http://h" }],
            "auth": { "type": "bearer", "bearer": [{ "key": "token", "value": "abc" }] },
            "item": [{ "name": "users", "item": [{
                "name": "one user",
                "event": [{ "script": { "exec": ["pm.test()"] } }],
                "request": {
                    "method": "POST", "header": [{ "key": "X-A", "value": "{{trace-id}}" }],
                    "url": {
                        "raw": "{{baseUrl}}/users/:id?x=1",
                        "variable": [{ "key": "id", "value": "7" }],
                    },
                    "body": { "mode": "raw", "raw": "{\"at\": \"{{$timestamp}}\"}" },
                },
            }] }],
        });
        let draft = draft(&text.to_string(), &ImportOptions::default()).unwrap();
        assert_eq!(
            draft.steps[0].action.1,
            json!({
                "post": "{{ base_url }}/users/7?x=1",
                "json": { "at": "{{ now() | epoch }}" },
                "auth": { "bearer": "{{ secret.API_TOKEN }}" },
                "headers": { "x-a": "{{ trace_id }}" },
            })
        );
        assert_eq!(draft.secrets, ["API_TOKEN"]);
        assert_eq!(draft.variables[0], ("trace_id".into(), "{{ env.TRACE_ID }}".into()));
        assert_eq!(draft.variables[1], ("base_url".into(), "http://h".into()));
        assert!(draft.notes[1].ends_with("over: 1."), "{:?}", draft.notes);
    }
}

//! Recorded requests to a draft.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::Url;

use super::ImportOptions;
use super::draft::{Draft, DraftStep, base_variable, canary_name, escaped};
use super::recorded::media_type;
use super::recorded::{Recorded, RecordedAnswer, RecordedBody, RecordedPart, RecordedSignIn};
use super::scheme::Scheme;

/// BOUND: a canary has no more steps.
pub(super) const STEPS_MAX: usize = 1000;

/// Headers that a browser or a tool adds by itself, or that the runner makes.
const NOISE: &[&str] = &[
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "dnt",
    "expect",
    "host",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "referer",
    "te",
    "traceparent",
    "upgrade-insecure-requests",
    "user-agent",
    "x-amzn-trace-id",
];

/// Makes a draft of requests to the site of `base`; `name` is for who chose none.
pub(super) fn assemble(
    recorded: &[Recorded],
    base: &Url,
    name: &str,
    options: &ImportOptions,
) -> Draft {
    let origin = base.origin().ascii_serialization();
    let mut assembly = Assembly { scheme: Scheme::default(), origin: origin.clone() };
    let mut steps: Vec<DraftStep> = Vec::new();
    for (index, request) in recorded.iter().take(STEPS_MAX).enumerate() {
        steps.push(assembly.step(request));
        if let Some(answer) = request.answer.as_ref().and_then(|answer| answer.json.as_ref()) {
            assembly.scheme.learn(index, answer);
        }
    }
    for captured in &assembly.scheme.captures {
        let source = match captured.is_secret {
            true => json!({ "json": captured.path, "secret": true }),
            false => json!({ "json": captured.path }),
        };
        if let Some(step) = steps.get_mut(captured.step) {
            step.capture.insert(captured.variable.clone(), source);
        }
    }
    let target = options.base_url.as_deref().map_or(origin, |url| url.trim_end_matches('/').into());
    Draft {
        name: options.name.clone().unwrap_or_else(|| canary_name(name)),
        variables: vec![("base".to_owned(), base_variable(&target))],
        secrets: assembly.scheme.secrets(),
        steps,
        ..Draft::default()
    }
}

struct Assembly {
    scheme: Scheme,
    origin: String,
}

impl Assembly {
    fn step(&mut self, request: &Recorded) -> DraftStep {
        let mut http = Map::new();
        let url = self.url(&request.url);
        let method = request.method.to_ascii_uppercase();
        match method.as_str() {
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" => {
                http.insert(method.to_ascii_lowercase(), url.into());
            }
            other => {
                http.insert("method".to_owned(), other.into());
                http.insert("url".to_owned(), url.into());
            }
        }
        self.headers(request, &mut http);
        self.body(&request.body, &mut http);
        if let Some(sign_in) = &request.sign_in {
            self.sign_in(sign_in, &mut http);
        }
        if request.insecure {
            http.insert("insecure".to_owned(), true.into());
        }
        let name = request.name.clone().unwrap_or_else(|| self.name_of(&method, &request.url));
        DraftStep {
            name,
            action: ("http", Value::Object(http)),
            expect: expectation(request.answer.as_ref()),
            capture: Map::new(),
        }
    }

    /// `GET /api/products`: what a person would call a request.
    fn name_of(&self, method: &str, url: &str) -> String {
        const LENGTH_MAX: usize = 80;
        let Ok(url) = Url::parse(url) else { return method.to_owned() };
        let host = match url.host_str() {
            Some(host) if url.origin().ascii_serialization() != self.origin => host.to_owned(),
            _ => String::new(),
        };
        let name = format!("{method} {host}{}", url.path());
        name.chars().take(LENGTH_MAX).filter(|c| !c.is_control()).collect()
    }

    fn url(&mut self, text: &str) -> String {
        let Ok(url) = Url::parse(text) else { return escaped(text) };
        let origin = url.origin().ascii_serialization();
        let mut out = if origin == self.origin { "{{ base }}".to_owned() } else { origin };
        let parts: Vec<String> = url
            .path()
            .split('/')
            .map(|part| self.scheme.captured("", part).unwrap_or_else(|| escaped(part)))
            .collect();
        out.push_str(&parts.join("/"));
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            let pairs: Vec<String> = query.split('&').map(|pair| self.pair(pair)).collect();
            out.push('?');
            out.push_str(&pairs.join("&"));
        }
        out
    }

    /// A pair of a query as it was written, but for what is captured or secret.
    fn pair(&mut self, pair: &str) -> String {
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        let Some((name, value)) = decoded else { return escaped(pair) };
        let text = self.scheme.text(&name, &value);
        match pair.split_once('=') {
            Some((written, _)) if text != escaped(&value) => format!("{written}={text}"),
            _ => escaped(pair),
        }
    }

    fn headers(&mut self, request: &Recorded, http: &mut Map<String, Value>) {
        let mut kept = Map::new();
        for (name, value) in &request.headers {
            let name = name.to_ascii_lowercase();
            let is_noise = name.starts_with(':')
                || name.starts_with("sec-")
                || NOISE.contains(&name.as_str())
                || (name == "accept" && matches!(value.as_str(), "*/*" | ""))
                || (name == "accept" && value.starts_with("text/html,"));
            if is_noise || (name == "content-type" && says_itself(&request.body, value)) {
                continue;
            }
            if name == "authorization" {
                self.authorization(value, http, &mut kept);
                continue;
            }
            let text = self.scheme.text(&name, value);
            kept.insert(name, text.into());
        }
        if !kept.is_empty() {
            http.insert("headers".to_owned(), Value::Object(kept));
        }
    }

    fn authorization(
        &mut self,
        value: &str,
        http: &mut Map<String, Value>,
        kept: &mut Map<String, Value>,
    ) {
        let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
        if scheme.eq_ignore_ascii_case("bearer") {
            let token = self.scheme.captured("authorization", rest);
            let token = token.unwrap_or_else(|| self.scheme.secret("api_token", rest));
            http.insert("auth".to_owned(), json!({ "bearer": token }));
        } else if scheme.eq_ignore_ascii_case("basic")
            && let Some((user, password)) = decoded_basic(rest)
        {
            self.sign_in(&RecordedSignIn::Basic { user, password }, http);
        } else {
            let text = self.scheme.secret("authorization", value);
            kept.insert("authorization".to_owned(), text.into());
        }
    }

    fn sign_in(&mut self, sign_in: &RecordedSignIn, http: &mut Map<String, Value>) {
        let (kind, user, password) = match sign_in {
            RecordedSignIn::Basic { user, password } => ("basic", user, password),
            RecordedSignIn::Digest { user, password } => ("digest", user, password),
        };
        let password = match password.as_str() {
            "" => String::new(),
            password => self.scheme.secret("password", password),
        };
        let login = json!({ "user": escaped(user), "password": password });
        http.insert("auth".to_owned(), json!({ kind: login }));
    }

    fn body(&mut self, body: &RecordedBody, http: &mut Map<String, Value>) {
        let (key, value) = match body {
            RecordedBody::Empty => return,
            RecordedBody::Text(text) => ("body", self.scheme.text("", text).into()),
            RecordedBody::Json(value) => ("json", self.scheme.json("", value)),
            RecordedBody::Form(fields) => {
                let field = |(name, value): &(String, String)| {
                    (name.clone(), self.scheme.text(name, value).into())
                };
                ("form", Value::Object(fields.iter().map(field).collect()))
            }
            RecordedBody::Multipart(parts) => {
                let part = |(name, part): &(String, RecordedPart)| match part {
                    RecordedPart::Text(text) => (name.clone(), self.scheme.text(name, text).into()),
                    RecordedPart::File(path) => (name.clone(), json!({ "file": escaped(path) })),
                };
                ("multipart", Value::Object(parts.iter().map(part).collect()))
            }
            RecordedBody::File(path) => ("file", escaped(path).into()),
        };
        http.insert(key.to_owned(), value);
    }
}

/// What was seen must be seen again; where nothing was, that it went well.
fn expectation(answer: Option<&RecordedAnswer>) -> Map<String, Value> {
    let mut expect = Map::new();
    let Some(answer) = answer else {
        expect.insert("status".to_owned(), "2xx".into());
        return expect;
    };
    expect.insert("status".to_owned(), answer.status.into());
    if let Some(kind) = telling_kind(&answer.media_type) {
        let contains = format!("contains {kind}");
        expect.insert("header".to_owned(), json!({ "content-type": contains }));
    }
    expect
}

/// What of a media type stays the same when a server is changed a little.
pub(super) fn telling_kind(media_type: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '+' | '-');
    match media_type {
        "" => None,
        json if json.ends_with("json") => Some("json"),
        other if other.chars().all(is_plain) => Some(other),
        _ => None,
    }
}

/// Whether the runner sets this content type for such a body by itself.
fn says_itself(body: &RecordedBody, content_type: &str) -> bool {
    let media_type = media_type(content_type);
    match body {
        RecordedBody::Empty | RecordedBody::Multipart(_) => true,
        RecordedBody::Json(_) => media_type == "application/json",
        RecordedBody::Form(_) => media_type == "application/x-www-form-urlencoded",
        RecordedBody::Text(_) => media_type == "text/plain",
        RecordedBody::File(_) => media_type == "application/octet-stream",
    }
}

fn decoded_basic(text: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

use std::sync::Arc;

use url::Url;

use super::fields::Fields;
use super::reader::Reader;
use super::shapes;
use crate::canary::action::{
    HttpAction, HttpAuth, HttpBody, HttpVersion, MultipartContent, MultipartField, RedirectPolicy,
};
use crate::canary::document::{Entry, Node, NodeValue};
use crate::canary::template::Text;
use crate::diagnostic::{Diagnostic, Span};

/// Reads an HTTP request: a URL to GET, or a map.
pub(super) fn http(entry: &Entry, reader: &mut Reader<'_>) -> Option<HttpAction> {
    let node = &entry.value;
    if node.as_map().is_none() {
        return Some(plain("GET".into(), url(node, &["http", "https"], reader)?));
    }
    let fields = Fields::of(node, entry.key_span, &shapes::HTTP, reader)?;
    let target = method_and_url(&fields, reader);
    let body = body(&fields, reader);
    let auth = fields.node("auth").and_then(|node| auth(node, reader));
    let redirects = fields.node("redirects").and_then(|node| redirects(node, reader));
    let insecure = fields.node("insecure").and_then(|node| reader.boolean(node));
    let certificate = fields.node("certificate").and_then(|node| certificate(node, reader));
    let versions = [("1.1", HttpVersion::Http11), ("2", HttpVersion::Http2)];
    let version = fields.node("version").and_then(|node| reader.choice(node, &versions));
    let proxy = fields.node("proxy").and_then(|node| url(node, &["http", "https"], reader));
    let query = fields.node("query").map(|node| reader.named_templates(node, "a map of texts"));
    let headers = fields.node("headers").map(|node| headers(node, reader)).unwrap_or_default();
    let (method, url) = target?;
    Some(HttpAction {
        query: query.unwrap_or_default(),
        headers,
        body,
        auth,
        redirects: redirects.unwrap_or_default(),
        insecure: insecure.unwrap_or(false),
        client_certificate: certificate,
        version,
        proxy,
        ..plain(method, url)
    })
}

fn plain(method: Arc<str>, url: Text) -> HttpAction {
    HttpAction {
        method,
        url,
        query: Vec::new(),
        headers: Vec::new(),
        body: HttpBody::Empty,
        auth: None,
        redirects: RedirectPolicy::default(),
        insecure: false,
        client_certificate: None,
        version: None,
        proxy: None,
    }
}

fn method_and_url(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<(Arc<str>, Text)> {
    let schemes = ["http", "https"];
    if let Some(entry) = shapes::METHODS.iter().find_map(|method| fields.entry(method)) {
        if let Some(method) = fields.entry("method") {
            let message = format!("`{}` already says the method", entry.key);
            let fault = Diagnostic::error("conflicting-keys", message, method.key_span);
            reader.push(fault.also(entry.key_span, "here"));
        }
        let method = entry.key.to_uppercase().into();
        return Some((method, url(&entry.value, &schemes, reader)?));
    }
    let mut method: Arc<str> = "GET".into();
    if let Some(node) = fields.node("method") {
        let text = reader.text(node)?;
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if text.is_empty() || !text.chars().all(is_token) {
            let message = format!("`{text}` cannot be an HTTP method");
            reader.error("http-method", message, node.span);
        }
        method = text;
    }
    fields.node("url").and_then(|node| url(node, &schemes, reader)).map(|url| (method, url))
}

/// Reads a URL; one without templates must parse.
pub(super) fn url(node: &Node, schemes: &[&str], reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.template(node)?;
    let Some(plain) = text.as_plain() else { return Some(text) };
    let problem = match Url::parse(plain) {
        Ok(url) if !schemes.contains(&url.scheme()) => {
            format!("the scheme `{}` is not one of: {}", url.scheme(), schemes.join(", "))
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "it has no host".to_owned(),
        Ok(_) => return Some(text),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            "it does not begin with a scheme".to_owned()
        }
        Err(error) => error.to_string(),
    };
    let message = format!("`{plain}` is no URL: {problem}");
    let fault = Diagnostic::error("url", message, node.span);
    reader
        .push(fault.help(format!("write {}://host:port/path", schemes.first().unwrap_or(&"http"))));
    None
}

/// Reads headers; names and fixed values must be such that they can be sent.
pub(super) fn headers(node: &Node, reader: &mut Reader<'_>) -> Vec<(Arc<str>, Text)> {
    for entry in node.as_map().unwrap_or(&[]) {
        check_header_name(&entry.key, entry.key_span, reader);
        let broken = entry
            .value
            .as_text()
            .is_some_and(|text| http::HeaderValue::from_str(text).is_err() && !text.contains("{{"));
        if broken {
            let message = "a header's value has no line breaks and no control characters";
            reader.error("header", message, entry.value.span);
        }
    }
    reader.named_templates(node, "a map of headers")
}

fn check_header_name(name: &str, span: Span, reader: &mut Reader<'_>) {
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        reader.error("header", format!("`{name}` cannot be the name of a header"), span);
    }
}

fn body(fields: &Fields<'_>, reader: &mut Reader<'_>) -> HttpBody {
    let mut given = shapes::BODIES.iter().filter_map(|key| fields.entry(key));
    let Some(first) = given.next() else { return HttpBody::Empty };
    if let Some(second) = given.next() {
        let message = format!("a request has one body: `{}` or `{}`", first.key, second.key);
        let fault = Diagnostic::error("conflicting-keys", message, second.key_span);
        reader.push(fault.also(first.key_span, "the other one is here"));
    }
    let node = &first.value;
    let body = match first.key.as_str() {
        "body" => reader.template(node).map(HttpBody::Text),
        "json" => reader.value(node).map(HttpBody::Json),
        "form" => Some(HttpBody::Form(reader.named_templates(node, "a map of texts"))),
        "file" => reader.path(node).map(HttpBody::File),
        _ => Some(HttpBody::Multipart(multipart(node, reader))),
    };
    body.unwrap_or(HttpBody::Empty)
}

fn multipart(node: &Node, reader: &mut Reader<'_>) -> Vec<MultipartField> {
    let mut fields = Vec::new();
    for entry in reader.map(node, "a map of fields").unwrap_or(&[]) {
        let content = if entry.value.as_map().is_some() {
            let shape = &shapes::MULTIPART_FILE;
            let file = Fields::of(&entry.value, entry.key_span, shape, reader);
            let file = file.and_then(|fields| fields.node("file"));
            file.and_then(|node| reader.path(node)).map(MultipartContent::File)
        } else {
            reader.template(&entry.value).map(MultipartContent::Text)
        };
        let name = entry.key.as_str().into();
        fields.extend(content.map(|content| MultipartField { name, content }));
    }
    fields
}

fn redirects(node: &Node, reader: &mut Reader<'_>) -> Option<RedirectPolicy> {
    match &node.value {
        NodeValue::Bool(true) => Some(RedirectPolicy::default()),
        NodeValue::Bool(false) => Some(RedirectPolicy::Stop),
        _ => reader.integer(node, 0..=20).map(|most| match most {
            0 => RedirectPolicy::Stop,
            most => RedirectPolicy::Follow(most),
        }),
    }
}

fn certificate(node: &Node, reader: &mut Reader<'_>) -> Option<(Text, Text)> {
    let fields = Fields::of(node, node.span, &shapes::CLIENT_CERTIFICATE, reader)?;
    let chain = fields.node("cert").and_then(|node| reader.path(node));
    let key = fields.node("key").and_then(|node| reader.path(node));
    Some((chain?, key?))
}

fn auth(node: &Node, reader: &mut Reader<'_>) -> Option<HttpAuth> {
    let fields = Fields::of(node, node.span, &shapes::AUTH, reader)?;
    let entry = shapes::AUTH.one_of.iter().find_map(|key| fields.entry(key))?;
    if entry.key == "bearer" {
        return reader.template(&entry.value).map(HttpAuth::Bearer);
    }
    let shape = match entry.key.as_str() {
        "basic" | "digest" => &shapes::USER_PASSWORD,
        "api_key" => &shapes::API_KEY,
        "oauth2" => &shapes::OAUTH2,
        _ => &shapes::SIGV4,
    };
    let fields = Fields::of(&entry.value, entry.key_span, shape, reader)?;
    let mut text = |key: &str| fields.node(key).map(|node| reader.template(node));
    Some(match entry.key.as_str() {
        "basic" | "digest" => {
            let (user, password) = (text("user"), text("password"));
            let (user, password) = (user??, password??);
            match entry.key.as_str() {
                "basic" => HttpAuth::Basic { user, password },
                _ => HttpAuth::Digest { user, password },
            }
        }
        "api_key" => {
            let key = text("key");
            let node = fields.node("header")?;
            let header = reader.text(node)?;
            check_header_name(&header, node.span, reader);
            HttpAuth::ApiKey { header, key: key?? }
        }
        "oauth2" => {
            let (id, secret) = (text("client_id"), text("client_secret"));
            let (scope, audience) = (text("scope").flatten(), text("audience").flatten());
            let token_url = fields.node("token_url");
            let token_url = token_url.and_then(|node| url(node, &["http", "https"], reader));
            HttpAuth::OAuth2 {
                token_url: token_url?,
                client_id: id??,
                client_secret: secret??,
                scope,
                audience,
            }
        }
        _ => {
            let (id, secret) = (text("access_key_id"), text("secret_access_key"));
            let (region, service) = (text("region"), text("service"));
            HttpAuth::SigV4 {
                session_token: text("session_token").flatten(),
                access_key_id: id??,
                secret_access_key: secret??,
                region: region??,
                service: service??,
            }
        }
    })
}

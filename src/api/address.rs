use http::HeaderMap;
use http::header;
use http::request::Parts;

use super::error::ApiError;
use super::fault;
use super::service::{Operation, Ready, Service};
use super::wire::{Form, JsonVersion, Manner, Node, Protocol};

/// What a request asks for, as far as its headers and path tell.
///
/// Tried in this order: an RPC v2 path, `X-Amz-Target`, a form or query string with `Action`, a
/// REST path. The Query protocol names its operation in the body, so it is known only later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    protocol: Protocol,
    service: Option<&'a Service>,
    /// The operation's name as the request gives it.
    name: &'a str,
}

/// An operation found, with its input still untyped.
pub(super) struct Found<'a> {
    /// The service.
    pub(super) service: &'a Service,
    /// The operation.
    pub(super) operation: &'a Operation,
    /// The input.
    pub(super) input: Node<'a>,
    /// The call, where the input was read without a tree.
    pub(super) ready: Option<Ready>,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl<'a> Address<'a> {
    /// Reads the headers and the path; `scoped` is the service that the signature is for.
    pub(super) fn of(services: &'a [Service], parts: &'a Parts, scoped: Option<&str>) -> Self {
        let scoped = services.iter().find(|service| Some(service.signing_name) == scoped);
        if let Some((service, name)) = rpc_path(parts.uri.path()) {
            let service = with_prefix(services, service);
            return Self { protocol: Protocol::Cbor, service, name };
        }
        if let Some(target) = parts.headers.get("x-amz-target") {
            let target = target.to_str().unwrap_or_default();
            let (prefix, name) = target.rsplit_once('.').unwrap_or(("", target));
            let service = with_prefix(services, prefix);
            let version = json_version(&parts.headers, service);
            return Self { protocol: Protocol::Json(version), service, name };
        }
        let is_form = content_type(&parts.headers).is_some_and(|kind| kind == FORM);
        if is_form || query_action(parts).is_some() {
            let service = scoped.filter(|service| service.dialects.query.is_some());
            return Self { protocol: Protocol::Query, service, name: "" };
        }
        let service = scoped.or_else(|| services.iter().find(|s| rest(s, parts).is_some()));
        Self { protocol: Protocol::RestJson, service, name: "" }
    }

    /// How an answer is written.
    pub(super) fn manner(&self, operation: &'a str, request_id: &'a str) -> Manner<'a> {
        Manner {
            protocol: self.protocol,
            operation,
            xml_namespace: self.service.map_or("", Service::xml_namespace),
            error_namespace: self.service.map_or("", |service| service.error_namespace),
            query_compatible: self.service.is_some_and(|s| s.dialects.query_compatible),
            request_id,
        }
    }

    /// Finds the operation and reads the body.
    pub(super) fn find(
        &mut self,
        services: &'a [Service],
        parts: &'a Parts,
        body: &'a [u8],
    ) -> Result<Found<'a>, ApiError> {
        self.check_content_type(&parts.headers, body)?;
        match self.protocol {
            Protocol::Query => self.find_query(services, parts, body),
            Protocol::RestJson => self.find_rest(parts, body),
            Protocol::Json(_) | Protocol::Cbor => {
                let (service, operation) = self.named(self.name)?;
                if let Some(ready) = operation.read_directly(self.protocol, body) {
                    let (input, ready) = (Node::Null, Some(ready));
                    return Ok(Found { service, operation, input, ready });
                }
                Ok(Found { service, operation, input: self.read(body)?, ready: None })
            }
        }
    }

    fn named(&self, name: &str) -> Result<(&'a Service, &'a Operation), ApiError> {
        let Some(service) = self.service else {
            return Err(fault::UNKNOWN_OPERATION
                .because(format!("operation {name:?} is of no service that is supported here")));
        };
        match service.operation(name) {
            Some(operation) => Ok((service, operation)),
            None => {
                let title = service.title;
                Err(fault::UNKNOWN_OPERATION
                    .because(format!("{title} operation {name:?} is not supported here")))
            }
        }
    }

    fn find_query(
        &mut self,
        services: &'a [Service],
        parts: &'a Parts,
        body: &'a [u8],
    ) -> Result<Found<'a>, ApiError> {
        let raw = match (body, parts.uri.query()) {
            ([], Some(query)) => query.as_bytes(),
            _ => body,
        };
        let form = Form::read(raw).map_err(malformed)?;
        let version = form.get("Version");
        let speaks = |service: &&Service| {
            version.is_some() && service.dialects.query.map(|(version, _)| version) == version
        };
        self.service = services.iter().find(speaks).or(self.service);
        let name = form.get("Action").unwrap_or_default().to_owned();
        let (service, operation) = self.named(&name)?;
        Ok(Found { service, operation, input: self.read(raw)?, ready: None })
    }

    fn find_rest(&self, parts: &'a Parts, body: &'a [u8]) -> Result<Found<'a>, ApiError> {
        let found = self.service.and_then(|service| Some((service, rest(service, parts)?)));
        let Some((service, (operation, labels))) = found else {
            let (method, path) = (&parts.method, parts.uri.path());
            let title = self.service.map_or("any service", |service| service.title);
            return Err(fault::UNKNOWN_OPERATION
                .because(format!("{method} {path} is no operation of {title} supported here"))
                .with_status(404));
        };
        let mut input = self.read(body)?;
        for (name, value) in query_members(parts.uri.query().unwrap_or_default()) {
            input.set(&name, value);
        }
        for (name, value) in labels {
            input.set(name, Node::Untyped(value.into()));
        }
        Ok(Found { service, operation, input, ready: None })
    }

    fn read(&self, body: &'a [u8]) -> Result<Node<'a>, ApiError> {
        self.protocol.read(body).map_err(malformed)
    }

    /// A content type that is not the protocol's could come from a plain HTML form.
    fn check_content_type(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
        let kind = content_type(headers).unwrap_or_default();
        let fits = match self.protocol {
            Protocol::Query => body.is_empty() || kind == FORM,
            Protocol::Cbor => body.is_empty() || kind == "application/cbor",
            Protocol::RestJson => body.is_empty() || kind == "application/json",
            Protocol::Json(_) => {
                kind == "application/json" || kind.starts_with("application/x-amz-json-")
            }
        };
        if fits {
            return Ok(());
        }
        let expected = self.protocol.content_type();
        Err(fault::SERIALIZATION
            .because(format!("content type {kind:?} is not that of the protocol, {expected}"))
            .with_status(415))
    }
}

fn malformed(fault: super::wire::BadBody) -> ApiError {
    fault::SERIALIZATION.because(fault.to_string())
}

fn with_prefix<'a>(services: &'a [Service], prefix: &str) -> Option<&'a Service> {
    services.iter().find(|service| service.dialects.json.is_some_and(|(own, _)| own == prefix))
}

/// COMPAT: matched at the end of the path, so that an endpoint URL may have a base path.
fn rpc_path(path: &str) -> Option<(&str, &str)> {
    let (_base, rest) = path.rsplit_once("/service/")?;
    rest.split_once("/operation/").filter(|(_, operation)| !operation.contains('/'))
}

fn rest<'a>(
    service: &'a Service,
    parts: &Parts,
) -> Option<(&'a Operation, Vec<(&'a str, String)>)> {
    service.operations.iter().find_map(|operation| {
        let labels = operation.route.as_ref()?.matches(&parts.method, parts.uri.path())?;
        Some((operation, labels))
    })
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn json_version(headers: &HeaderMap, service: Option<&Service>) -> JsonVersion {
    match content_type(headers).as_deref() {
        Some("application/x-amz-json-1.0") => JsonVersion::V1_0,
        Some("application/x-amz-json-1.1") => JsonVersion::V1_1,
        _ => service.and_then(|service| service.dialects.json).map_or(JsonVersion::V1_1, |j| j.1),
    }
}

fn query_action(parts: &Parts) -> Option<()> {
    let query = parts.uri.query()?;
    query.split('&').any(|pair| pair.starts_with("Action=")).then_some(())
}

/// The members in a REST query string; a repeated name is a list.
fn query_members(query: &str) -> Vec<(String, Node<'_>)> {
    let mut members: Vec<(String, Node<'_>)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = Node::Untyped(value);
        match members.iter_mut().find(|(present, _)| *present == name) {
            None => members.push((name.into_owned(), value)),
            Some((_, Node::List(list))) => list.push(value),
            Some((_, one)) => *one = Node::List(vec![std::mem::replace(one, Node::Null), value]),
        }
    }
    members
}

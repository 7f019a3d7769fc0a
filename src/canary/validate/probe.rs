//! The actions beside HTTP and the browser.

use std::sync::Arc;

use super::fields::Fields;
use super::http::{headers, url};
use super::predicate::predicate;
use super::reader::Reader;
use super::{fields, shapes};
use crate::canary::action::{
    DialogueLine, DnsAction, GrpcAction, GrpcCall, IcmpAction, Protocol, TcpAction, TlsAction,
    WebSocketAction,
};
use crate::canary::document::{Entry, Node};
use crate::canary::template::{TemplateValue, Text};
use crate::diagnostic::{Diagnostic, Span};

const COUNT_DEFAULT: u32 = 3;

pub(super) fn tcp(entry: &Entry, reader: &mut Reader<'_>) -> Option<TcpAction> {
    if entry.value.as_map().is_none() {
        let (host, port) = host_and_port(&entry.value, None, reader)?;
        return Some(TcpAction { host, port, tls: false, dialogue: Vec::new() });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::TCP, reader)?;
    let host = fields.node("host").and_then(|node| reader.template(node));
    let port = fields.node("port").and_then(|node| port(node, reader));
    let tls = fields.node("tls").and_then(|node| reader.boolean(node));
    let dialogue = dialogue(&fields, Protocol::Tcp, reader);
    Some(TcpAction { host: host?, port: port?, tls: tls.unwrap_or(false), dialogue })
}

pub(super) fn tls(entry: &Entry, reader: &mut Reader<'_>) -> Option<TlsAction> {
    if entry.value.as_map().is_none() {
        let (host, port) = host_and_port(&entry.value, Some("443"), reader)?;
        return Some(TlsAction { host, port, server_name: None, insecure: false });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::TLS, reader)?;
    let host = fields.node("host").and_then(|node| reader.template(node));
    let port = fields.node("port").map_or(Some(Text::plain("443")), |node| port(node, reader));
    let server_name = fields.node("server_name").and_then(|node| reader.template(node));
    let insecure = fields.node("insecure").and_then(|node| reader.boolean(node));
    Some(TlsAction { host: host?, port: port?, server_name, insecure: insecure.unwrap_or(false) })
}

pub(super) fn dns(entry: &Entry, reader: &mut Reader<'_>) -> Option<DnsAction> {
    let plain = |name| DnsAction { name, record_type: "A".into(), resolver: None, tcp: false };
    if entry.value.as_map().is_none() {
        return reader.template(&entry.value).map(plain);
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::DNS, reader)?;
    let name = fields.node("name").and_then(|node| reader.template(node));
    let mut record_type: Arc<str> = "A".into();
    if let Some(node) = fields.node("type") {
        let text = reader.text(node)?;
        if !shapes::RECORD_TYPES.contains(&&*text) {
            reader.unknown_word(&text, node.span, shapes::RECORD_TYPES);
        }
        record_type = text;
    }
    let resolver = fields.node("resolver").and_then(|node| reader.template(node));
    let tcp = fields.node("tcp").and_then(|node| reader.boolean(node));
    Some(DnsAction { record_type, resolver, tcp: tcp.unwrap_or(false), ..plain(name?) })
}

pub(super) fn icmp(entry: &Entry, reader: &mut Reader<'_>) -> Option<IcmpAction> {
    if entry.value.as_map().is_none() {
        let host = reader.template(&entry.value)?;
        return Some(IcmpAction { host, count: COUNT_DEFAULT });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::ICMP, reader)?;
    let host = fields.node("host").and_then(|node| reader.template(node));
    let count = fields.node("count").and_then(|node| reader.integer(node, 1..=20));
    Some(IcmpAction { host: host?, count: count.unwrap_or(COUNT_DEFAULT) })
}

pub(super) fn websocket(entry: &Entry, reader: &mut Reader<'_>) -> Option<WebSocketAction> {
    let schemes = ["ws", "wss"];
    if entry.value.as_map().is_none() {
        let url = url(&entry.value, &schemes, reader)?;
        return Some(WebSocketAction { url, headers: Vec::new(), dialogue: Vec::new() });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::WEBSOCKET, reader)?;
    let url = fields.node("url").and_then(|node| url(node, &schemes, reader));
    let headers = fields.node("headers").map(|node| headers(node, reader)).unwrap_or_default();
    let dialogue = dialogue(&fields, Protocol::WebSocket, reader);
    Some(WebSocketAction { url: url?, headers, dialogue })
}

pub(super) fn grpc(entry: &Entry, reader: &mut Reader<'_>) -> Option<GrpcAction> {
    let schemes = ["http", "https"];
    let whole_server = || GrpcCall::Health { service: Text::plain("") };
    if entry.value.as_map().is_none() {
        let url = url(&entry.value, &schemes, reader)?;
        return Some(GrpcAction { url, call: whole_server(), metadata: Vec::new() });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::GRPC, reader)?;
    let url = fields.node("url").and_then(|node| url(node, &schemes, reader));
    let call = match (fields.entry("call"), fields.node("health")) {
        (Some(call), Some(_)) => {
            let message = "`call` and `health` are two calls; a step makes one";
            reader.error("conflicting-keys", message, call.key_span);
            return None;
        }
        (Some(call), None) => unary(&call.value, &fields, reader)?,
        (None, Some(service)) => GrpcCall::Health { service: reader.template(service)? },
        (None, None) => whole_server(),
    };
    for key in ["message", "descriptors"] {
        if let (None, Some(entry)) = (fields.entry("call"), fields.entry(key)) {
            let message = format!("`{key}` goes with `call`");
            reader.error("conflicting-keys", message, entry.key_span);
        }
    }
    let metadata = fields.node("metadata").map(|node| headers(node, reader)).unwrap_or_default();
    Some(GrpcAction { url: url?, call, metadata })
}

/// Reads a method, `package.Service/Method`, and what goes with it.
fn unary(method: &Node, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<GrpcCall> {
    let text = reader.text(method)?;
    let path = text.trim_start_matches('/');
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c))
    };
    if !path.split_once('/').is_some_and(|(service, name)| is_name(service) && is_name(name)) {
        let message = format!("`{text}` is no method of gRPC");
        let fault = Diagnostic::error("grpc-method", message, method.span);
        reader.push(fault.help("write package.Service/Method: shop.v1.Catalogue/Find"));
        return None;
    }
    let message = match fields.node("message") {
        Some(node) => reader.value(node)?,
        None => TemplateValue::Literal(serde_json::json!({})),
    };
    let descriptors = fields.node("descriptors").map(|node| reader.template(node));
    let descriptors = match descriptors {
        Some(descriptors) => Some(descriptors?),
        None => None,
    };
    Some(GrpcCall::Unary { method: path.into(), message, descriptors })
}

/// Reads `host:port`; a text with templates is split at its last colon outside of them.
fn host_and_port(
    node: &Node,
    default: Option<&str>,
    reader: &mut Reader<'_>,
) -> Option<(Text, Text)> {
    let text = reader.text(node)?;
    let after_templates = text.rfind("}}").map_or(0, |at| at + 2);
    let tail = text.get(after_templates..).unwrap_or("");
    // A colon inside of brackets belongs to an IPv6 address.
    let colon = tail.rfind(':').filter(|at| !tail.get(*at..).unwrap_or("").contains(']'));
    let colon = colon.map(|at| at + after_templates);
    let split_before = || {
        let open = text.rfind("{{")?;
        text.get(..open)?.ends_with(':').then(|| open - 1)
    };
    match (colon.or_else(split_before), default) {
        (Some(at), _) => {
            let host = reader.template_in(text.get(..at).unwrap_or(""), node.span);
            let port_text = text.get(at + 1..).unwrap_or("");
            let port = checked_port(port_text, node.span, reader);
            Some((host?, port?))
        }
        (None, Some(port)) => Some((reader.template(node)?, Text::plain(port))),
        (None, None) => {
            let message = format!("`{text}` names no port");
            let fault = Diagnostic::error("missing-port", message, node.span);
            reader.push(fault.help("write host:port"));
            None
        }
    }
}

fn port(node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.text(node)?;
    checked_port(&text, node.span, reader)
}

fn checked_port(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Text> {
    let port = reader.template_in(text, span)?;
    if let Some(plain) = port.as_plain()
        && !plain.parse::<u16>().is_ok_and(|port| port > 0)
    {
        let message = format!("`{plain}` is no port: 1 to 65535");
        reader.error("out-of-range", message, span);
        return None;
    }
    Some(port)
}

fn dialogue(
    fields: &fields::Fields<'_>,
    protocol: Protocol,
    reader: &mut Reader<'_>,
) -> Vec<DialogueLine> {
    let mut lines = Vec::new();
    let items = fields.node("dialogue").and_then(|node| reader.list(node)).unwrap_or(&[]);
    for item in items {
        if let Some(word) = item.as_text() {
            if word == "starttls" && protocol == Protocol::Tcp {
                lines.push(DialogueLine::StartTls);
            } else {
                let message = format!("`{word}` is no line of a dialogue");
                let fault = Diagnostic::error("unknown-value", message, item.span);
                reader.push(fault.help("write `send: ..`, `expect: ..` or, over TCP, `starttls`"));
            }
            continue;
        }
        let shape = &shapes::DIALOGUE_LINE;
        let Some(line) = Fields::of(item, item.span, shape, reader) else { continue };
        if line.entries().is_empty() {
            let message = "a line of a dialogue needs `send`, `expect` or both";
            reader.error("missing-key", message, item.span);
        }
        if let Some(node) = line.node("send") {
            lines.extend(reader.template(node).map(DialogueLine::Send));
        }
        if let Some(node) = line.node("expect") {
            lines.extend(predicate(node, reader).map(DialogueLine::Expect));
        }
    }
    lines
}

use scraper::Selector;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::fields::Fields;
use super::predicate::predicate;
use super::reader::Reader;
use super::shapes;
use crate::canary::action::Protocol;
use crate::canary::assertion::{Assertion, CertificateField, Predicate, Quantity, Subject};
use crate::canary::document::{Entry, Node};
use crate::canary::observation::Phase;
use crate::canary::quantity;
use crate::canary::template::TemplateValue;
use crate::canary::xpath::XPath;
use crate::diagnostic::{Diagnostic, Span};

pub(super) const FIELDS: &[(&str, CertificateField)] = &[
    ("expires", CertificateField::Expires),
    ("subject", CertificateField::Subject),
    ("issuer", CertificateField::Issuer),
    ("names", CertificateField::Names),
    ("serial", CertificateField::Serial),
    ("sha256", CertificateField::Sha256),
    ("trusted", CertificateField::Trusted),
];

/// Reads one map of expectations; `protocol` is `None` when the action itself was at fault.
pub(super) fn assertions(
    node: &Node,
    protocol: Option<Protocol>,
    reader: &mut Reader<'_>,
) -> Vec<Assertion> {
    let mut all = Vec::new();
    if protocol == Some(Protocol::Browser) {
        let message = "a browser step asserts inside its list of page actions";
        let fault = Diagnostic::error("wrong-subject", message, Span::point(node.span.start));
        reader.push(fault.help("write `- expect: { text: { \"h1\": contains Lamp } }` there"));
        return all;
    }
    let Some(fields) = Fields::of(node, node.span, &shapes::EXPECT, reader) else { return all };
    for entry in fields.entries() {
        if let Some(protocol) = protocol
            && !applies(&entry.key, protocol)
            && shapes::EXPECT.key_names().any(|name| name == entry.key)
        {
            let message = format!("an answer of `{}` has no `{}`", protocol.as_str(), entry.key);
            reader.error("wrong-subject", message, entry.key_span);
            continue;
        }
        of_entry(entry, &mut all, reader);
    }
    all
}

/// Whether answers of a protocol have such a thing.
fn applies(key: &str, protocol: Protocol) -> bool {
    use Protocol::{Browser, Dns, Grpc, Http, Icmp, Tcp, Tls, WebSocket};
    match key {
        "latency" => protocol != Browser,
        "remote_address" => matches!(protocol, Http | Tcp | Tls | WebSocket | Grpc | Icmp),
        "certificate" | "expires" => matches!(protocol, Http | Tcp | Tls | WebSocket | Grpc),
        "version" => matches!(protocol, Http | Tls),
        "status" => matches!(protocol, Http | Grpc),
        "json" | "body" => matches!(protocol, Http | Grpc | WebSocket | Tcp),
        "received" => matches!(protocol, WebSocket | Tcp),
        "records" | "ttl" | "response_code" | "authoritative" => protocol == Dns,
        "loss" => protocol == Icmp,
        "message" => protocol == Grpc,
        _ => protocol == Http,
    }
}

fn of_entry(entry: &Entry, all: &mut Vec<Assertion>, reader: &mut Reader<'_>) {
    let node = &entry.value;
    let mut simple = |subject: Subject, reader: &mut Reader<'_>| {
        all.extend(one(subject, node, entry.key_span, reader));
    };
    match entry.key.as_str() {
        "status" => simple(Subject::Status, reader),
        "body" => simple(Subject::Body, reader),
        "bytes" => simple(Subject::Bytes, reader),
        "sha256" => simple(Subject::Sha256, reader),
        "redirects" => simple(Subject::Redirects, reader),
        "url" => simple(Subject::Url, reader),
        "remote_address" => simple(Subject::RemoteAddress, reader),
        "version" => simple(Subject::Version, reader),
        "received" => simple(Subject::Received(None), reader),
        "records" => simple(Subject::Records, reader),
        "ttl" => simple(Subject::TimeToLive, reader),
        "response_code" => simple(Subject::ResponseCode, reader),
        "authoritative" => simple(Subject::Authoritative, reader),
        "loss" => simple(Subject::Loss, reader),
        "message" => simple(Subject::Message, reader),
        "expires" => simple(Subject::Certificate(CertificateField::Expires), reader),
        "latency" => latency(entry, all, reader),
        "certificate" => certificate(entry, all, reader),
        "header" => {
            named(node, all, reader, |entry, _| Some(Subject::Header(entry.key.to_lowercase())))
        }
        "cookie" => named(node, all, reader, |entry, _| Some(Subject::Cookie(entry.key.clone()))),
        "json" => named(node, all, reader, |entry, reader| {
            json_path(&entry.key, entry.key_span, reader).map(Subject::Json)
        }),
        "css" => named(node, all, reader, |entry, reader| {
            css(&entry.key, entry.key_span, reader).map(Subject::Css)
        }),
        "xpath" => named(node, all, reader, |entry, reader| {
            xpath(&entry.key, entry.key_span, reader).map(Subject::XPath)
        }),
        _ => {}
    }
}

fn named(
    node: &Node,
    all: &mut Vec<Assertion>,
    reader: &mut Reader<'_>,
    subject: impl Fn(&Entry, &mut Reader<'_>) -> Option<Subject>,
) {
    for entry in reader.map(node, "a map of names to what must hold").unwrap_or(&[]) {
        let subject = subject(entry, reader);
        let predicate = predicate(&entry.value, reader);
        if let (Some(subject), Some(predicate)) = (subject, predicate) {
            let span = entry.key_span.to(first_line(entry.value.span, reader));
            all.push(Assertion { subject, predicate, span });
        }
    }
}

fn one(
    subject: Subject,
    node: &Node,
    key_span: Span,
    reader: &mut Reader<'_>,
) -> Option<Assertion> {
    let predicate = predicate(node, reader)?;
    let span = key_span.to(first_line(node.span, reader));
    let predicate = fitting(&subject, predicate, node, reader)?;
    Some(Assertion { subject, predicate, span })
}

fn first_line(span: Span, reader: &Reader<'_>) -> Span {
    let line = reader.file.slice(span).lines().next().map_or(0, str::len);
    Span::new(span.start, span.start + line)
}

/// Finds comparisons that can never hold, such as a latency equal to a text.
fn fitting(
    subject: &Subject,
    predicate: Predicate,
    node: &Node,
    reader: &mut Reader<'_>,
) -> Option<Predicate> {
    let equal = match &predicate {
        Predicate::Equals(TemplateValue::Literal(value)) => Some(value.clone()),
        _ => None,
    };
    let (fault, hint) = match (subject, &predicate, equal) {
        (Subject::Latency(_), _, Some(value)) => {
            let text = value.as_str().map_or_else(|| format!("{value}ms"), str::to_owned);
            let limit = quantity::duration(&text).map_or("300ms", |_| text.as_str());
            ("a latency is never exactly this", format!("write `under {limit}`"))
        }
        (Subject::Latency(_), Predicate::Under(limit) | Predicate::Over(limit), _)
            if !matches!(limit, Quantity::Duration(_)) =>
        {
            ("a latency is a stretch of time", "give it a unit: under 300ms".to_owned())
        }
        (Subject::Certificate(CertificateField::Expires), _, Some(_)) => {
            ("a certificate never expires in exactly this", "write `over 30d`".to_owned())
        }
        (Subject::Status, _, Some(Value::String(text))) if text.parse::<u16>().is_err() => {
            ("this is no status", "write a number such as 200, or 2xx".to_owned())
        }
        _ => return Some(predicate),
    };
    reader.push(Diagnostic::error("never-holds", fault, node.span).help(hint));
    None
}

fn latency(entry: &Entry, all: &mut Vec<Assertion>, reader: &mut Reader<'_>) {
    let node = &entry.value;
    let by_phase = node.as_map().is_some_and(|map| {
        map.iter().any(|entry| shapes::LATENCY.key_names().any(|name| name == entry.key))
    });
    if !by_phase {
        all.extend(one(Subject::Latency(None), node, entry.key_span, reader));
        return;
    }
    let Some(fields) = Fields::of(node, entry.key_span, &shapes::LATENCY, reader) else { return };
    for entry in fields.entries() {
        let phase = Phase::ALL.into_iter().find(|phase| phase.as_str() == entry.key);
        if phase.is_some() || entry.key == "total" {
            all.extend(one(Subject::Latency(phase), &entry.value, entry.key_span, reader));
        }
    }
}

fn certificate(entry: &Entry, all: &mut Vec<Assertion>, reader: &mut Reader<'_>) {
    let shape = &shapes::CERTIFICATE;
    let Some(fields) = Fields::of(&entry.value, entry.key_span, shape, reader) else { return };
    for entry in fields.entries() {
        if let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == entry.key) {
            all.extend(one(Subject::Certificate(*field), &entry.value, entry.key_span, reader));
        }
    }
}

/// Parses an RFC 9535 path.
pub(super) fn json_path(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<JsonPath> {
    match JsonPath::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("`{text}` is no JSON path: {error}");
            let fault = Diagnostic::error("json-path", message.replace('\n', " "), span);
            let hint = if text.starts_with('$') {
                "RFC 9535: $.user.name, $.items[0], $..price, $.items[?@.price > 3]".to_owned()
            } else {
                format!("a path begins with `$`: $.{text}")
            };
            reader.push(fault.help(hint));
            None
        }
    }
}

/// Compiles an XPath.
pub(super) fn xpath(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<XPath> {
    match XPath::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let place = text.get(error.at..).filter(|rest| !rest.is_empty());
            let place =
                place.map_or_else(|| "at the end".to_owned(), |rest| format!("at `{rest}`"));
            let message = format!("`{text}` is no XPath: {error} ({place})");
            let fault = Diagnostic::error("xpath", message, span);
            reader.push(fault.help("XPath 1.0: //item[@id='7']/price, count(//item), //a/@href"));
            None
        }
    }
}

/// Checks a CSS selector; it is compiled again where it is used.
pub(super) fn css(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<String> {
    match Selector::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            let problem = error.to_string().replace('\n', " ");
            let message = format!("`{text}` is no CSS selector: {problem}");
            reader.error("css", message, span);
            None
        }
    }
}

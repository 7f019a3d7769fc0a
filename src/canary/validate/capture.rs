use super::expect::{FIELDS, css, json_path, xpath};
use super::fields::Fields;
use super::predicate::regex;
use super::reader::Reader;
use super::shapes;
use crate::canary::action::Protocol;
use crate::canary::definition::{Capture, CaptureSource};
use crate::canary::document::{Entry, Node};
use crate::diagnostic::Diagnostic;

/// Reads the captures of a step.
pub(super) fn captures(
    node: &Node,
    protocol: Option<Protocol>,
    reader: &mut Reader<'_>,
) -> Vec<Capture> {
    if protocol == Some(Protocol::Browser) {
        let message = "a browser step captures inside its list of page actions";
        let fault = Diagnostic::error("wrong-subject", message, node.span);
        reader.push(fault.help("write `- capture: { total: { text: \".total\" } }` there"));
        return Vec::new();
    }
    let entries = reader.map(node, "a map of names to what is kept").unwrap_or(&[]);
    entries.iter().filter_map(|entry| capture(entry, reader)).collect()
}

fn capture(entry: &Entry, reader: &mut Reader<'_>) -> Option<Capture> {
    let (name, span) = (entry.key.as_str().into(), entry.key_span);
    let node = &entry.value;
    if node.as_map().is_none() {
        let text = reader.text(node)?;
        if !text.starts_with('$') {
            let message = "a capture is a JSON path or a map";
            let fault = Diagnostic::error("wrong-type", message, node.span);
            reader.push(fault.help("write `$.token`, or { header: location }, { css: h1 } .."));
            return None;
        }
        let from = CaptureSource::Json(json_path(&text, node.span, reader)?);
        return Some(Capture { name, from, secret: false, span });
    }
    let fields = Fields::of(node, entry.key_span, &shapes::CAPTURE, reader)?;
    let secret = fields.node("secret").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let source = shapes::CAPTURE.one_of.iter().find_map(|key| fields.entry(key))?;
    if let Some(attribute) = fields.entry("attribute")
        && source.key != "css"
    {
        let message = "`attribute` goes with `css`";
        reader.error("conflicting-keys", message, attribute.key_span);
    }
    let from = from(source, &fields, reader)?;
    Some(Capture { name, from, secret, span })
}

fn from(source: &Entry, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<CaptureSource> {
    let node = &source.value;
    if matches!(source.key.as_str(), "status" | "body" | "url") {
        if !reader.boolean(node)? {
            let message = format!("write `{}: true`, or leave it out", source.key);
            reader.error("unknown-value", message, node.span);
        }
        return Some(match source.key.as_str() {
            "status" => CaptureSource::Status,
            "body" => CaptureSource::Body,
            _ => CaptureSource::Url,
        });
    }
    let text = reader.text(node)?;
    Some(match source.key.as_str() {
        "json" => CaptureSource::Json(json_path(&text, node.span, reader)?),
        "css" => CaptureSource::Css {
            selector: css(&text, node.span, reader)?.into(),
            attribute: fields.node("attribute").and_then(|node| reader.text(node)),
        },
        "xpath" => CaptureSource::XPath(xpath(&text, node.span, reader)?),
        "regex" => CaptureSource::Regex(regex(&text, node.span, reader)?),
        "header" => CaptureSource::Header(text.to_lowercase().into()),
        "cookie" => CaptureSource::Cookie(text),
        _ => CaptureSource::Certificate(reader.choice(node, FIELDS)?),
    })
}

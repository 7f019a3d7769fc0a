use super::fields::Fields;
use super::page_shapes;
use super::reader::Reader;
use crate::canary::document::Node;
use crate::canary::page::{LocateBy, Locator};
use crate::diagnostic::{Diagnostic, Span};

/// Reads a locator in either form.
pub(super) fn locator(node: &Node, reader: &mut Reader<'_>) -> Option<Locator> {
    if node.as_map().is_none() {
        let text = reader.text(node)?;
        return short(&text, node.span, reader);
    }
    let fields = Fields::of(node, node.span, &page_shapes::LOCATOR_SHAPE, reader)?;
    let nth = fields.node("nth").and_then(|node| reader.integer(node, 0..=10_000));
    let nth = nth.and_then(|nth| usize::try_from(nth).ok());
    let by = page_shapes::LOCATOR_SHAPE.one_of.iter().find_map(|key| fields.entry(key))?;
    if let Some(name) = fields.entry("name")
        && by.key != "role"
    {
        reader.error("conflicting-keys", "`name` goes with `role`", name.key_span);
    }
    let by = match by.key.as_str() {
        "role" => LocateBy::Role {
            role: reader.text(&by.value)?,
            name: match fields.node("name") {
                Some(node) => Some(reader.template(node)?),
                None => None,
            },
        },
        kind => {
            let text = reader.template(&by.value)?;
            match kind {
                "css" => LocateBy::Css(text),
                "xpath" => LocateBy::XPath(text),
                "text" => LocateBy::Text(text),
                "label" => LocateBy::Label(text),
                "placeholder" => LocateBy::Placeholder(text),
                _ => LocateBy::TestId(text),
            }
        }
    };
    Some(Locator { by, nth, span: node.span })
}

/// Reads the short form: `text=Log in`, `role=button[name="Log in"]`, `//a`, or a CSS selector.
pub(super) fn short(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<Locator> {
    let located = |by| Some(Locator { by, nth: None, span });
    if text.trim().is_empty() {
        reader.error("locator", "a locator is not empty", span);
        return None;
    }
    if text.starts_with("//") || text.starts_with("(//") {
        return located(LocateBy::XPath(reader.template_in(text, span)?));
    }
    // `a[href=x]` has an `=` too; only these words before the first one choose another way.
    let Some((kind, rest)) = text.split_once('=') else {
        return located(LocateBy::Css(reader.template_in(text, span)?));
    };
    if kind == "role" {
        return located(role(rest, span, reader)?);
    }
    let make = match kind {
        "css" => LocateBy::Css,
        "xpath" => LocateBy::XPath,
        "text" => LocateBy::Text,
        "label" => LocateBy::Label,
        "placeholder" => LocateBy::Placeholder,
        "testid" | "test_id" => LocateBy::TestId,
        _ => return located(LocateBy::Css(reader.template_in(text, span)?)),
    };
    located(make(reader.template_in(rest, span)?))
}

fn role(rest: &str, span: Span, reader: &mut Reader<'_>) -> Option<LocateBy> {
    let (role, name) = match rest.split_once('[') {
        None => (rest, None),
        Some((role, attribute)) => {
            let name = attribute.strip_suffix(']').and_then(|inner| inner.strip_prefix("name="));
            let unquoted = name.map(|name| {
                let inner = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
                inner('"').or_else(|| inner('\'')).unwrap_or(name)
            });
            let Some(name) = unquoted else {
                let message = format!("`[{attribute}` says nothing about a role");
                let fault = Diagnostic::error("locator", message, span);
                reader.push(fault.help("write role=button[name=\"Log in\"]"));
                return None;
            };
            (role, Some(reader.template_in(name, span)?))
        }
    };
    Some(LocateBy::Role { role: role.trim().into(), name })
}

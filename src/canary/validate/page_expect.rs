use serde_json::Value;

use super::expect::FIELDS;
use super::fields::Fields;
use super::locator::{locator, short};
use super::predicate::predicate;
use super::reader::Reader;
use super::{page_shapes, shapes};
use crate::canary::assertion::Predicate;
use crate::canary::document::{Entry, Node};
use crate::canary::page::{Locator, PageAssertion, PageSubject};
use crate::diagnostic::Span;

/// Reads what must hold of a page.
pub(super) fn assertions(entry: &Entry, reader: &mut Reader<'_>) -> Option<Vec<PageAssertion>> {
    let fields = Fields::of(&entry.value, entry.key_span, &page_shapes::PAGE_EXPECT, reader)?;
    let mut all = Vec::new();
    for entry in fields.entries() {
        of_entry(entry, &mut all, reader);
    }
    Some(all)
}

fn of_entry(entry: &Entry, all: &mut Vec<PageAssertion>, reader: &mut Reader<'_>) {
    let node = &entry.value;
    match entry.key.as_str() {
        "text" => located(node, all, reader, PageSubject::Text),
        "value" => located(node, all, reader, PageSubject::Value),
        "count" => located(node, all, reader, PageSubject::Count),
        "visible" => visible(node, true, all, reader),
        "hidden" => visible(node, false, all, reader),
        "attribute" => {
            for element in reader.map(node, "a map of locators to attributes").unwrap_or(&[]) {
                let Some(at) = short(&element.key, element.key_span, reader) else { continue };
                let attributes = reader.map(&element.value, "a map of attributes").unwrap_or(&[]);
                for attribute in attributes {
                    let name = attribute.key.as_str().into();
                    let subject = PageSubject::Attribute(at.clone(), name);
                    all.extend(one(subject, attribute, reader));
                }
            }
        }
        "url" => all.extend(one(PageSubject::Url, entry, reader)),
        "title" => all.extend(one(PageSubject::Title, entry, reader)),
        "console" => all.extend(one(PageSubject::Console, entry, reader)),
        "certificate" => {
            let shape = &shapes::CERTIFICATE;
            let Some(fields) = Fields::of(node, entry.key_span, shape, reader) else { return };
            for entry in fields.entries() {
                if let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == entry.key) {
                    all.extend(one(PageSubject::Certificate(*field), entry, reader));
                }
            }
        }
        _ => {}
    }
}

fn one(subject: PageSubject, entry: &Entry, reader: &mut Reader<'_>) -> Option<PageAssertion> {
    let predicate = predicate(&entry.value, reader)?;
    let line = reader.file.slice(entry.value.span).lines().next().map_or(0, str::len);
    let start = entry.value.span.start;
    let span = entry.key_span.to(Span::new(start, start + line));
    Some(PageAssertion { subject, predicate, span })
}

fn located(
    node: &Node,
    all: &mut Vec<PageAssertion>,
    reader: &mut Reader<'_>,
    subject: impl Fn(Locator) -> PageSubject,
) {
    for entry in reader.map(node, "a map of locators to what must hold").unwrap_or(&[]) {
        if let Some(at) = short(&entry.key, entry.key_span, reader) {
            all.extend(one(subject(at), entry, reader));
        }
    }
}

fn visible(node: &Node, wanted: bool, all: &mut Vec<PageAssertion>, reader: &mut Reader<'_>) {
    for item in reader.one_or_many(node) {
        if let Some(at) = locator(item, reader) {
            let predicate = Predicate::Equals(Value::Bool(wanted).into());
            all.push(PageAssertion {
                subject: PageSubject::Visible(at),
                predicate,
                span: item.span,
            });
        }
    }
}

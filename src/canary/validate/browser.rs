//! The list of page actions of a browser step.

use std::sync::Arc;
use std::time::Duration;

use super::fields::Fields;
use super::http::url;
use super::locator::{locator, short};
use super::predicate::predicate;
use super::reader::Reader;
use super::{page_expect, page_shapes, root, screenshot};
use crate::canary::document::{Entry, Node};
use crate::canary::page::{
    BrowserAction, BrowserStep, HistoryMove, Locator, PageSubject, TabMove, WaitCondition,
};
use crate::canary::quantity;
use crate::canary::template::Text;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Reads a list of page actions.
pub(super) fn actions(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<BrowserStep>> {
    let items = reader.list(node)?;
    if items.is_empty() {
        reader.error("no-steps", "this step does nothing with its page", node.span);
        return None;
    }
    let mut steps = Vec::new();
    for item in items {
        match item.as_text() {
            Some(word) => steps.extend(word_alone(word, item.span, reader)),
            None => action(item, &mut steps, reader),
        }
    }
    Some(steps)
}

fn word_alone(word: &str, span: Span, reader: &mut Reader<'_>) -> Option<BrowserStep> {
    let to = match word {
        "back" => HistoryMove::Back,
        "forward" => HistoryMove::Forward,
        "reload" => HistoryMove::Reload,
        _ => {
            let message = format!("`{word}` is no page action");
            let fault = Diagnostic::error("unknown-value", message, span);
            let known = page_shapes::PAGE_WORDS.iter().chain(page_shapes::PAGE_ACTIONS).copied();
            reader.push(match did_you_mean(word, known) {
                Some(guess) => fault.label(format!("did you mean `{guess}`?")),
                None => {
                    fault.help(format!("words alone are: {}", page_shapes::PAGE_WORDS.join(", ")))
                }
            });
            return None;
        }
    };
    Some(BrowserStep { action: BrowserAction::History(to), span, timeout: None })
}

fn action(node: &Node, steps: &mut Vec<BrowserStep>, reader: &mut Reader<'_>) {
    let Some(fields) = Fields::of(node, node.span, &page_shapes::PAGE_ACTION, reader) else {
        return;
    };
    let timeout = fields.node("timeout").and_then(|node| reader.timeout(node, TIMEOUT_MAX));
    let Some(entry) = page_shapes::PAGE_ACTIONS.iter().find_map(|key| fields.entry(key)) else {
        return;
    };
    let line = reader.file.slice(node.span).lines().next().map_or(0, str::len);
    let span = Span::new(node.span.start, node.span.start + line.max(1));
    for action in of_entry(entry, reader) {
        steps.push(BrowserStep { action, span, timeout });
    }
}

/// Reads what stands at the key of an action; maps of locators give an action each.
fn of_entry(entry: &Entry, reader: &mut Reader<'_>) -> Vec<BrowserAction> {
    let node = &entry.value;
    let one = match entry.key.as_str() {
        "open" => url(node, &["http", "https", "about"], reader).map(BrowserAction::Open),
        "click" => locator(node, reader).map(BrowserAction::Click),
        "double_click" => locator(node, reader).map(BrowserAction::DoubleClick),
        "hover" => locator(node, reader).map(BrowserAction::Hover),
        "check" => locator(node, reader).map(|at| BrowserAction::Check(at, true)),
        "uncheck" => locator(node, reader).map(|at| BrowserAction::Check(at, false)),
        "fill" => {
            return located(node, reader, |at, node, reader| {
                reader.template(node).map(|text| BrowserAction::Fill(at, text))
            });
        }
        "select" => {
            return located(node, reader, |at, node, reader| {
                Some(BrowserAction::Select(at, texts(node, reader)))
            });
        }
        "upload" => {
            return located(node, reader, |at, node, reader| {
                let files = reader.one_or_many(node);
                let files = files.iter().filter_map(|file| reader.path(file)).collect();
                Some(BrowserAction::Upload(at, files))
            });
        }
        "press" if node.as_map().is_some() => {
            return located(node, reader, |at, node, reader| {
                reader.template(node).map(|key| BrowserAction::Press(Some(at), key))
            });
        }
        "press" => reader.template(node).map(|key| BrowserAction::Press(None, key)),
        "wait" => wait(entry, reader).map(BrowserAction::Wait),
        "expect" => page_expect::assertions(entry, reader).map(BrowserAction::Expect),
        "screenshot" => screenshot::screenshot(entry, reader).map(BrowserAction::Screenshot),
        "evaluate" => evaluate(entry, reader),
        "capture" => return captures(node, reader),
        "viewport" => root::viewport(node, reader)
            .map(|(width, height)| BrowserAction::Viewport { width, height }),
        "dialog" => dialog(entry, reader),
        "tab" => {
            let moves =
                [("newest", TabMove::Newest), ("first", TabMove::First), ("close", TabMove::Close)];
            reader.choice(node, &moves).map(BrowserAction::Tab)
        }
        "block" => Some(BrowserAction::Block(texts(node, reader))),
        "headers" => Some(BrowserAction::Headers(reader.named_templates(node, "a map of headers"))),
        "frame" if node.as_text() == Some("main") => Some(BrowserAction::Frame(None)),
        "frame" => locator(node, reader).map(|at| BrowserAction::Frame(Some(at))),
        _ => {
            let cookies = reader.named_templates(node, "a map of cookies");
            let cookie = |(name, value): (Arc<str>, Text)| BrowserAction::Cookie {
                name: Text::plain(name),
                value,
            };
            return cookies.into_iter().map(cookie).collect();
        }
    };
    one.into_iter().collect()
}

fn texts(node: &Node, reader: &mut Reader<'_>) -> Vec<Text> {
    let items = reader.one_or_many(node);
    items.iter().filter_map(|item| reader.template(item)).collect()
}

/// Reads a map of locators.
fn located(
    node: &Node,
    reader: &mut Reader<'_>,
    make: impl Fn(Locator, &Node, &mut Reader<'_>) -> Option<BrowserAction>,
) -> Vec<BrowserAction> {
    let mut actions = Vec::new();
    for entry in reader.map(node, "a map of locators").unwrap_or(&[]) {
        if let Some(at) = short(&entry.key, entry.key_span, reader) {
            actions.extend(make(at, &entry.value, reader));
        }
    }
    actions
}

fn wait(entry: &Entry, reader: &mut Reader<'_>) -> Option<WaitCondition> {
    let node = &entry.value;
    if node.as_map().is_none() {
        let text = reader.text(node)?;
        return match quantity::duration(&text) {
            Some(_) => fixed(node, reader),
            None => short(&text, node.span, reader).map(WaitCondition::Visible),
        };
    }
    let fields = Fields::of(node, entry.key_span, &page_shapes::WAIT, reader)?;
    let condition = page_shapes::WAIT.one_of.iter().find_map(|key| fields.entry(key))?;
    let node = &condition.value;
    match condition.key.as_str() {
        "visible" => locator(node, reader).map(WaitCondition::Visible),
        "hidden" => locator(node, reader).map(WaitCondition::Hidden),
        "url" => predicate(node, reader).map(WaitCondition::Url),
        "title" => predicate(node, reader).map(WaitCondition::Title),
        "network" => {
            reader.choice(node, &[("idle", ())])?;
            Some(WaitCondition::NetworkIdle)
        }
        _ => fixed(node, reader),
    }
}

fn fixed(node: &Node, reader: &mut Reader<'_>) -> Option<WaitCondition> {
    let time = reader.timeout(node, TIMEOUT_MAX)?;
    let message = "a fixed wait is too short on a bad day and wasted on a good one";
    let warning = Diagnostic::warning("fixed-wait", message, node.span);
    reader.push(warning.help("wait for what you need: { visible: \".results\" }"));
    Some(WaitCondition::Time(time))
}

fn evaluate(entry: &Entry, reader: &mut Reader<'_>) -> Option<BrowserAction> {
    if entry.value.as_map().is_none() {
        let script = reader.template(&entry.value)?;
        return Some(BrowserAction::Evaluate { script, capture: None });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &page_shapes::EVALUATE, reader)?;
    let script = fields.node("script").and_then(|node| reader.template(node));
    let mut capture = None;
    if let Some(node) = fields.node("capture") {
        let name = reader.text(node)?;
        define(&name, node.span, reader);
        capture = Some(name);
    }
    Some(BrowserAction::Evaluate { script: script?, capture })
}

fn captures(node: &Node, reader: &mut Reader<'_>) -> Vec<BrowserAction> {
    let mut actions = Vec::new();
    for entry in reader.map(node, "a map of names to what is kept").unwrap_or(&[]) {
        if let Some(subject) = capture(entry, reader) {
            actions.push(BrowserAction::Capture(entry.key.as_str().into(), subject));
        }
        define(&entry.key, entry.key_span, reader);
    }
    actions
}

fn define(name: &str, span: Span, reader: &mut Reader<'_>) {
    if let Err(fault) = reader.names.define(name, span) {
        reader.push(fault);
    }
}

fn capture(entry: &Entry, reader: &mut Reader<'_>) -> Option<PageSubject> {
    if entry.value.as_map().is_none() {
        let text = reader.text(&entry.value)?;
        return match &*text {
            "url" => Some(PageSubject::Url),
            "title" => Some(PageSubject::Title),
            _ => {
                reader.unknown_word(&text, entry.value.span, &["url", "title"]);
                None
            }
        };
    }
    let fields = Fields::of(&entry.value, entry.key_span, &page_shapes::PAGE_CAPTURE, reader)?;
    let source = page_shapes::PAGE_CAPTURE.one_of.iter().find_map(|key| fields.entry(key))?;
    if source.key == "attribute" {
        let name = reader.text(&source.value)?;
        let Some(of) = fields.node("of") else {
            let message = "`attribute` needs `of`: the element";
            reader.error("missing-key", message, source.key_span);
            return None;
        };
        return locator(of, reader).map(|at| PageSubject::Attribute(at, name));
    }
    let at = locator(&source.value, reader)?;
    Some(match source.key.as_str() {
        "text" => PageSubject::Text(at),
        "value" => PageSubject::Value(at),
        _ => PageSubject::Count(at),
    })
}

fn dialog(entry: &Entry, reader: &mut Reader<'_>) -> Option<BrowserAction> {
    if entry.value.as_map().is_some() {
        let fields = Fields::of(&entry.value, entry.key_span, &page_shapes::DIALOG, reader)?;
        let text = fields.node("accept").and_then(|node| reader.template(node))?;
        return Some(BrowserAction::Dialog { accept: true, text: Some(text) });
    }
    let accept = reader.choice(&entry.value, &[("accept", true), ("dismiss", false)])?;
    Some(BrowserAction::Dialog { accept, text: None })
}

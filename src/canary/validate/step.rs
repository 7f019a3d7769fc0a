use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::fields::Fields;
use super::names::Names;
use super::reader::Reader;
use super::{browser, capture, expect, http, probe, root, shapes};
use crate::canary::action::{Action, Protocol};
use crate::canary::definition::{Capture, Emit, EmitMetric, Step, StepRole};
use crate::canary::document::{Entry, Node};
use crate::canary::page::{BrowserAction, BrowserStep};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::telemetry::StandardUnit;

const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
const REUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// BOUND: of a step's name; it is a metric's dimension.
const NAME_CHARS_MAX: usize = 255;

/// Reads one step and makes what it captures known.
pub(super) fn step(node: &Node, role: StepRole, reader: &mut Reader<'_>) -> Option<Step> {
    let shown = node.as_map().and_then(|map| map.first()).map_or(node.span, |entry| {
        Span::new(entry.key_span.start, entry.value.span.end.max(entry.key_span.end))
    });
    let shown = first_line(shown, reader);
    let fields = Fields::of(node, shown, &shapes::STEP_SHAPE, reader)?;
    let name = fields.node("step").and_then(|node| name(node, reader));
    let action = shapes::ACTIONS.iter().find_map(|key| fields.entry(key));
    let action = action.and_then(|entry| action_of(entry, reader));
    let kind = action.as_ref().map(Action::protocol);
    let mut assertions = Vec::new();
    if let Some(node) = fields.node("expect") {
        for item in reader.one_or_many(node) {
            assertions.extend(expect::assertions(item, kind, reader));
        }
    }
    let captures = fields.node("capture").map(|node| capture::captures(node, kind, reader));
    let captures = captures.unwrap_or_default();
    for capture in &captures {
        if let Err(fault) = reader.names.define(&capture.name, capture.span) {
            reader.push(fault);
        }
    }
    let emit = fields.node("emit").and_then(|node| emit(node, reader));
    let timeout = fields.node("timeout").and_then(|node| reader.timeout(node, TIMEOUT_MAX));
    let retry = fields.node("retry").and_then(|node| root::retry(node, reader));
    let always = fields.node("always").and_then(|node| reader.boolean(node));
    let reuse = fields.entry("reuse").and_then(|entry| reuse(entry, kind, &captures, reader));
    Some(Step {
        name: name?,
        source: reader.file.clone(),
        span: shown,
        timeout,
        retry: retry.unwrap_or_default(),
        reuse,
        role: if always == Some(true) { StepRole::Teardown } else { role },
        action: action?,
        expect: assertions,
        capture: captures,
        emit: emit.unwrap_or_default(),
    })
}

/// Only what a request captures can be taken over: a page or a connection cannot.
fn reuse(
    entry: &Entry,
    kind: Option<Protocol>,
    captures: &[Capture],
    reader: &mut Reader<'_>,
) -> Option<Duration> {
    if kind.is_some_and(|kind| kind != Protocol::Http) || captures.is_empty() {
        let message = "only the captures of an HTTP step can be reused";
        reader.error("conflicting-keys", message, entry.key_span);
        return None;
    }
    reader.timeout(&entry.value, REUSE_MAX)
}

fn first_line(span: Span, reader: &Reader<'_>) -> Span {
    let line = reader.file.slice(span).lines().next().map_or(0, str::len);
    Span::new(span.start, span.start + line.max(1))
}

fn name(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<str>> {
    let name = reader.text(node)?;
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        reader.error("step-name", "a step's name has 1 to 255 characters", node.span);
        return None;
    }
    if name.contains(|c: char| c.is_control()) {
        reader.error("step-name", "a step's name stands on one line", node.span);
        return None;
    }
    Some(name)
}

pub(super) fn action_of(entry: &Entry, reader: &mut Reader<'_>) -> Option<Action> {
    let node = &entry.value;
    match entry.key.as_str() {
        "http" => http::http(entry, reader).map(|action| Action::Http(Box::new(action))),
        "tcp" => probe::tcp(entry, reader).map(Action::Tcp),
        "tls" => probe::tls(entry, reader).map(Action::Tls),
        "dns" => probe::dns(entry, reader).map(Action::Dns),
        "icmp" => probe::icmp(entry, reader).map(Action::Icmp),
        "websocket" => probe::websocket(entry, reader).map(Action::WebSocket),
        "grpc" => probe::grpc(entry, reader).map(Action::Grpc),
        _ => browser::actions(node, reader).map(Action::Browser),
    }
}

fn emit(node: &Node, reader: &mut Reader<'_>) -> Option<Emit> {
    let fields = Fields::of(node, node.span, &shapes::EMIT, reader)?;
    let mut emit = Emit::default();
    if let Some(node) = fields.node("metrics") {
        for entry in reader.map(node, "a map of metrics").unwrap_or(&[]) {
            emit.metrics.extend(metric(entry, reader));
        }
    }
    if let Some(node) = fields.node("log") {
        for item in reader.one_or_many(node) {
            emit.logs.extend(reader.template(item));
        }
    }
    if let Some(node) = fields.node("annotations") {
        emit.annotations = reader.named_templates(node, "a map of annotations");
    }
    Some(emit)
}

fn metric(entry: &Entry, reader: &mut Reader<'_>) -> Option<EmitMetric> {
    let name = Arc::from(entry.key.as_str());
    if entry.value.as_map().is_none() {
        let value = reader.template(&entry.value)?;
        return Some(EmitMetric { name, value, unit: StandardUnit::None });
    }
    let fields = Fields::of(&entry.value, entry.key_span, &shapes::EMIT_METRIC, reader)?;
    let value = fields.node("value").and_then(|node| reader.template(node));
    let mut unit = StandardUnit::None;
    if let Some(node) = fields.node("unit") {
        let text = reader.text(node)?;
        match text.parse() {
            Ok(known) => unit = known,
            Err(_unknown) => {
                let message = format!("`{text}` is no unit of CloudWatch");
                let fault = Diagnostic::error("unknown-value", message, node.span);
                let names = StandardUnit::ALL.iter().map(|unit| unit.as_str());
                reader.push(match did_you_mean(&text, names) {
                    Some(guess) => fault.label(format!("did you mean `{guess}`?")),
                    None => fault.help("Count, Milliseconds, Bytes, Percent, None .."),
                });
            }
        }
    }
    Some(EmitMetric { name, value: value?, unit })
}

/// Notes what the steps of a list will capture, for a better message about using it too early.
pub(super) fn note_captures(node: &Node, names: &mut Names) {
    let steps = node.as_list().unwrap_or(&[]).iter().filter_map(Node::as_map);
    let captures = steps.flat_map(|step| step.iter().filter(|entry| entry.key == "capture"));
    for entry in captures.filter_map(|entry| entry.value.as_map()).flatten() {
        names.later.insert(entry.key.clone());
    }
}

/// Steps and screenshots are told apart by name: in metrics, in paths of baselines.
pub(super) fn check_unique(steps: &[Step], reader: &mut Reader<'_>) {
    let mut names: HashMap<&str, &Step> = HashMap::new();
    let mut pictures: HashMap<&str, Span> = HashMap::new();
    for step in steps {
        if let Some(first) = names.insert(&step.name, step) {
            let message = format!("two steps are called `{}`", step.name);
            let mut fault = Diagnostic::error("duplicate-step", message, step.span);
            if first.source.name() == step.source.name() {
                fault = fault.also(first.span, "the other one is here");
            } else {
                fault = fault.help(format!("the other one is in {}", first.source.name()));
            }
            reader.push_in(&step.source, fault);
        }
        let Action::Browser(actions) = &step.action else { continue };
        for BrowserStep { action, span, .. } in actions {
            let BrowserAction::Screenshot(shot) = action else { continue };
            if let Some(first) = pictures.insert(&shot.name, *span) {
                let message = format!("two screenshots are called `{}`", shot.name);
                let fault = Diagnostic::error("duplicate-screenshot", message, *span)
                    .also(first, "the other one is here");
                reader.push_in(&step.source, fault);
            }
        }
    }
}

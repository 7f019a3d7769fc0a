use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::range::{RangeFlags, TELEMETRY};
use super::source::{Service, Source, SourceFlags};
use super::table::{Form, Table};
use super::words::instant;
use crate::diagnostic::printable;
use crate::time::Timestamp;

/// Find traces, show one, or draw which service calls which
#[derive(Debug, Args)]
pub(super) struct TracesCommand {
    #[command(flatten)]
    source: SourceFlags,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Find(FindCommand),
    Get(GetCommand),
    Map(MapCommand),
}

/// List traces, newest first
#[derive(Debug, Args)]
struct FindCommand {
    /// Only traces for which this X-Ray filter expression holds: `responsetime > 1 AND error`
    #[arg(value_name = "FILTER")]
    filter: Option<String>,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

/// Show the segments of a trace as a tree
#[derive(Debug, Args)]
struct GetCommand {
    /// The trace: 1-5f84c7a1-d5c9bbf6a2e4b0c1d2e3f405
    #[arg(value_name = "ID")]
    id: String,

    /// Print the segment documents as JSON lines instead
    #[arg(long)]
    json: bool,
}

/// List services, what they call, and how that went
#[derive(Debug, Args)]
struct MapCommand {
    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

pub(super) fn execute(context: &Context, command: &TracesCommand) -> Result<ExitStatus, Fatal> {
    Source::ask(context, &command.source, async |source| match &command.command {
        Command::Find(command) => find(context, command, source).await,
        Command::Get(command) => get(context, command, source).await,
        Command::Map(command) => map(context, command, source).await,
    })
}

async fn find(
    context: &Context,
    command: &FindCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let mut input = json!({
        "StartTime": range.start.as_secs_f64(), "EndTime": range.end.as_secs_f64(),
    });
    if let (Some(filter), Some(members)) = (&command.filter, input.as_object_mut()) {
        members.insert("FilterExpression".to_owned(), json!(filter));
    }
    let found = source.pages(Service::XRAY, "/TraceSummaries", &input, "TraceSummaries").await?;
    let mut table = Table::new(&["trace", "start", "seconds", "outcome"]);
    for summary in &found {
        let is = |name: &str| summary.get(name).and_then(Value::as_bool).unwrap_or(false);
        let outcomes = [("HasFault", "fault"), ("HasError", "error"), ("HasThrottle", "throttle")];
        let outcome: Vec<&str> =
            outcomes.into_iter().filter(|(name, _)| is(name)).map(|(_, word)| word).collect();
        let outcome = if outcome.is_empty() { "ok".to_owned() } else { outcome.join(",") };
        let start = summary.get("StartTime").and_then(Value::as_f64).map(|at| {
            let at = Timestamp::from_secs_f64(at);
            if command.format == Form::Table { instant(at) } else { at.to_rfc3339() }
        });
        let part = |name: &str| summary.get(name).cloned().unwrap_or_default();
        table.row(vec![part("Id"), json!(start), part("Duration"), json!(outcome)]);
    }
    table.show(&context.screen, command.format);
    if table.len() == 0 {
        context.screen.note("no traces in this time");
    }
    Ok(ExitStatus::Passed)
}

async fn get(
    context: &Context,
    command: &GetCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let input = json!({ "TraceIds": [command.id] });
    let answer = source.call(Service::XRAY, "/Traces", &input).await?;
    let segments = answer.pointer("/Traces/0/Segments").and_then(Value::as_array);
    let Some(segments) = segments else {
        return Err(Fatal::new(ExitStatus::Usage, format!("there is no trace {}", command.id)));
    };
    let documents = segments.iter().filter_map(|segment| segment.get("Document")?.as_str());
    let mut documents: Vec<Value> =
        documents.filter_map(|text| serde_json::from_str(text).ok()).collect();
    documents.sort_by(|a, b| number(a, "start_time").total_cmp(&number(b, "start_time")));
    if command.json {
        documents.iter().for_each(|document| context.screen.line(&document.to_string()));
        return Ok(ExitStatus::Passed);
    }
    let began = documents.first().map_or(0.0, |first| number(first, "start_time"));
    let is_root = |document: &&Value| {
        let parent = document.get("parent_id").and_then(Value::as_str);
        parent.is_none_or(|parent| !documents.iter().any(|other| holds(other, parent)))
    };
    for root in documents.iter().filter(is_root) {
        draw(context, &documents, (root, began), 0);
    }
    Ok(ExitStatus::Passed)
}

/// BOUND: a tree that is deeper is drawn as deep as this.
const DEPTH_MAX: usize = 64;

/// One line a segment or subsegment: when it began, how long it took, what it was.
fn draw(context: &Context, all: &[Value], (node, began): (&Value, f64), depth: usize) {
    let (start, end) = (number(node, "start_time"), number(node, "end_time"));
    let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or("");
    let is = |name: &str| node.get(name).and_then(Value::as_bool).unwrap_or(false);
    let marks = ["fault", "error", "throttle", "in_progress"];
    let marks: String =
        marks.into_iter().filter(|name| is(name)).map(|name| format!("  {name}")).collect();
    let status = node.pointer("/http/response/status");
    let status = status.map(|status| format!("  {status}")).unwrap_or_default();
    let (at, took) = ((start - began) * 1_000.0, (end - start).max(0.0) * 1_000.0);
    let name = printable(text("name")).into_owned();
    let indent = "  ".repeat(depth);
    context.screen.line(&format!("{at:>9.1} ms  {took:>9.1} ms  {indent}{name}{status}{marks}"));
    if depth >= DEPTH_MAX {
        return;
    }
    for part in node.get("subsegments").and_then(Value::as_array).into_iter().flatten() {
        draw(context, all, (part, began), depth + 1);
    }
    let mine = |other: &&Value| other.get("parent_id").and_then(Value::as_str) == Some(text("id"));
    let mine = all.iter().filter(mine).filter(|other| !std::ptr::eq(*other, node));
    for other in mine.filter(|_| !text("id").is_empty()) {
        draw(context, all, (other, began), depth + 1);
    }
}

/// Whether `id` is a segment or one of its parts.
fn holds(node: &Value, id: &str) -> bool {
    let parts = node.get("subsegments").and_then(Value::as_array).into_iter().flatten();
    node.get("id").and_then(Value::as_str) == Some(id) || parts.into_iter().any(|p| holds(p, id))
}

async fn map(
    context: &Context,
    command: &MapCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let input = json!({
        "StartTime": range.start.as_secs_f64(), "EndTime": range.end.as_secs_f64(),
    });
    let services = source.pages(Service::XRAY, "/ServiceGraph", &input, "Services").await?;
    let name_of = |id: &Value| {
        let service = services.iter().find(|service| service.get("ReferenceId") == Some(id));
        service.and_then(|service| service.get("Name")).cloned().unwrap_or_else(|| id.clone())
    };
    let columns = ["from", "to", "requests", "ok", "errors", "faults", "mean seconds"];
    let mut table = Table::new(&columns);
    for service in &services {
        let name = service.get("Name").cloned().unwrap_or_default();
        if service.get("SummaryStatistics").is_some() {
            table.row(counts(json!(null), name.clone(), service));
        }
        for edge in service.get("Edges").and_then(Value::as_array).into_iter().flatten() {
            let to = edge.get("ReferenceId").map(name_of).unwrap_or_default();
            table.row(counts(name.clone(), to, edge));
        }
    }
    table.show(&context.screen, command.format);
    Ok(ExitStatus::Passed)
}

fn counts(from: Value, to: Value, node: &Value) -> Vec<Value> {
    let count = |path: &str| node.pointer(&format!("/SummaryStatistics/{path}")).cloned();
    let part = |path: &str| count(path).unwrap_or_else(|| json!(0));
    let total = count("TotalCount").and_then(|total| total.as_f64()).unwrap_or(0.0);
    let time = count("TotalResponseTime").and_then(|time| time.as_f64()).unwrap_or(0.0);
    let mean = if total > 0.0 { json!((time / total * 1e6).round() / 1e6) } else { json!(null) };
    let errors = part("ErrorStatistics/TotalCount");
    let faults = part("FaultStatistics/TotalCount");
    vec![from, to, part("TotalCount"), part("OkCount"), errors, faults, mean]
}

fn number(node: &Value, name: &str) -> f64 {
    node.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

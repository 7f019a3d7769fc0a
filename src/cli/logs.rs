use std::time::Duration;

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

/// Read log events and query them
#[derive(Debug, Args)]
pub(super) struct LogsCommand {
    #[command(flatten)]
    source: SourceFlags,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(TailCommand),
    Query(QueryCommand),
}

/// Print the events of a log group, oldest first; go on with new ones if asked to
#[derive(Debug, Args)]
#[command(after_long_help = TAIL_EXAMPLES)]
struct TailCommand {
    /// The log group
    #[arg(value_name = "GROUP")]
    group: String,

    /// Only events that match this filter pattern
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,

    /// Only events of streams whose names begin so
    #[arg(long, value_name = "PREFIX")]
    stream: Option<String>,

    /// Go on printing what arrives, until interrupted; for servers
    #[arg(short, long, conflicts_with = "to")]
    follow: bool,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

const TAIL_EXAMPLES: &str = "\
Examples:
  coalmine logs tail /aws/lambda/cwsyn-shop --since 1h
  coalmine logs tail /shop --filter '{ $.status >= 500 }' --url http://127.0.0.1:4586 --follow";

/// Ask log groups in the language of CloudWatch Logs Insights
#[derive(Debug, Args)]
#[command(after_long_help = QUERY_EXAMPLES)]
struct QueryCommand {
    /// The query
    #[arg(value_name = "QUERY")]
    query: String,

    /// A log group to ask; may be repeated
    #[arg(short, long, value_name = "NAME", required = true)]
    group: Vec<String>,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

const QUERY_EXAMPLES: &str = "\
Examples:
  coalmine logs query 'filter status >= 500 | stats count(*) by bin(5m)' --group /shop --since 3h
  coalmine logs query 'fields @timestamp, @message | limit 20' -g /shop --format csv";

const POLL: Duration = Duration::from_millis(20);
const FOLLOW: Duration = Duration::from_secs(1);

pub(super) fn execute(context: &Context, command: &LogsCommand) -> Result<ExitStatus, Fatal> {
    Source::ask(context, &command.source, async |source| match &command.command {
        Command::Tail(command) => tail(context, command, source).await,
        Command::Query(command) => query(context, command, source).await,
    })
}

async fn tail(
    context: &Context,
    command: &TailCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    if command.follow && matches!(source, Source::Local(_)) {
        let message = "nothing arrives in a folder that no server has open";
        return Err(Fatal::new(ExitStatus::Usage, message).hint("follow a server: --url URL"));
    }
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let mut seen = Seen::default();
    let mut input = json!({
        "logGroupName": command.group, "startFromHead": true,
        "startTime": range.start.as_millis(), "endTime": range.end.as_millis(),
    });
    if let Some(filter) = &command.filter {
        set(&mut input, "filterPattern", json!(filter));
    }
    if let Some(stream) = &command.stream {
        set(&mut input, "logStreamNamePrefix", json!(stream));
    }
    loop {
        let events = source.pages(Service::LOGS, "FilterLogEvents", &input, "events").await?;
        let events: Vec<Value> = events.into_iter().filter(|event| seen.is_new(event)).collect();
        print(context, command.format, &events);
        if !command.follow {
            return Ok(ExitStatus::Passed);
        }
        tokio::time::sleep(FOLLOW).await;
        set(&mut input, "startTime", json!(seen.latest.unwrap_or(range.start.as_millis())));
        set(&mut input, "endTime", json!(context.clock.now().as_millis() + 1));
    }
}

/// Which events were printed already: those of the latest instant may come again.
#[derive(Debug, Default)]
struct Seen {
    latest: Option<i64>,
    ids: Vec<String>,
}

impl Seen {
    fn is_new(&mut self, event: &Value) -> bool {
        let at = event.get("timestamp").and_then(Value::as_i64);
        let id = event.get("eventId").and_then(Value::as_str).unwrap_or("").to_owned();
        if at == self.latest && self.ids.contains(&id) {
            return false;
        }
        if at > self.latest {
            self.latest = at;
            self.ids.clear();
        }
        self.ids.push(id);
        true
    }
}

fn print(context: &Context, form: Form, events: &[Value]) {
    let text = |event: &Value, name: &str| {
        event.get(name).and_then(Value::as_str).unwrap_or("").trim_end().to_owned()
    };
    let at = |event: &Value| {
        let millis = event.get("timestamp").and_then(Value::as_i64).unwrap_or(0);
        Timestamp::from_millis(millis)
    };
    if form == Form::Table {
        // A tail has no header and does not wait for its longest line.
        for event in events {
            let message = text(event, "message");
            let message = printable(&message);
            context.screen.line(&format!("{}  {message}", instant(at(event))));
        }
        return;
    }
    let mut table = Table::new(&["timestamp", "stream", "message"]);
    for event in events {
        let (stream, message) = (text(event, "logStreamName"), text(event, "message"));
        table.row(vec![json!(at(event).to_rfc3339()), json!(stream), json!(message)]);
    }
    table.show(&context.screen, form);
}

async fn query(
    context: &Context,
    command: &QueryCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let input = json!({
        "logGroupNames": command.group, "queryString": command.query,
        "startTime": range.start.as_secs(), "endTime": range.end.as_secs(), "limit": 10_000,
    });
    let started = source.call(Service::LOGS, "StartQuery", &input).await?;
    let id = json!({ "queryId": started.get("queryId") });
    let answer = loop {
        let answer = source.call(Service::LOGS, "GetQueryResults", &id).await?;
        match answer.get("status").and_then(Value::as_str) {
            Some("Scheduled" | "Running") => tokio::time::sleep(POLL).await,
            Some("Complete") => break answer,
            other => {
                let message = format!("the query ended as {}", other.unwrap_or("unknown"));
                return Err(Fatal::new(ExitStatus::OurSide, message));
            }
        }
    };
    let rows: Vec<Vec<(String, Value)>> = answer
        .get("results")
        .and_then(Value::as_array)
        .map(|rows| rows.iter().map(fields).collect())
        .unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        // Its pointer is for programs that ask for the whole record.
        if name != "@ptr" && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let mut table = Table::of_names(names.clone());
    for row in &rows {
        let cell = |name: &String| row.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        table.row(names.iter().map(|name| cell(name).unwrap_or(Value::Null)).collect());
    }
    table.show(&context.screen, command.format);
    let number = |name: &str| {
        let value = answer.get("statistics").and_then(|s| s.get(name)).and_then(Value::as_f64);
        value.unwrap_or(0.0)
    };
    let (matched, scanned) = (number("recordsMatched"), number("recordsScanned"));
    context.screen.note(&format!("{matched} of {scanned} records matched"));
    Ok(ExitStatus::Passed)
}

fn fields(row: &Value) -> Vec<(String, Value)> {
    let field = |field: &Value| {
        let name = field.get("field")?.as_str()?.to_owned();
        Some((name, field.get("value").cloned().unwrap_or(Value::Null)))
    };
    row.as_array().map(|row| row.iter().filter_map(field).collect()).unwrap_or_default()
}

fn set(input: &mut Value, name: &str, value: Value) {
    if let Some(members) = input.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

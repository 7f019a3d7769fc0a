use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::range::{RangeFlags, TELEMETRY};
use super::source::{Service, Source, SourceFlags};
use super::table::{Form, Table};

/// Find events that were put on a bus
#[derive(Debug, Args)]
pub(super) struct EventsCommand {
    #[command(flatten)]
    source: SourceFlags,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Find(FindCommand),
}

/// List the events of a bus, oldest first
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct FindCommand {
    /// Only events that match this event pattern
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,

    /// The bus
    #[arg(long, value_name = "NAME", default_value = "default")]
    bus: String,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer; JSON gives the events as targets get them
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

const EXAMPLES: &str = r#"Examples:
  coalmine events find --since 1h
  coalmine events find '{"detail": {"state": {"value": ["ALARM"]}}}'"#;

pub(super) fn execute(context: &Context, command: &EventsCommand) -> Result<ExitStatus, Fatal> {
    Source::ask(context, &command.source, async |source| {
        let Command::Find(find) = &command.command;
        self::find(context, find, source).await
    })
}

async fn find(
    context: &Context,
    command: &FindCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let mut input = json!({
        "EventBusName": command.bus,
        "StartTime": range.start.as_secs_f64(), "EndTime": range.end.as_secs_f64(),
    });
    if let (Some(pattern), Some(members)) = (&command.pattern, input.as_object_mut()) {
        members.insert("EventPattern".to_owned(), json!(pattern));
    }
    let found = source.pages(Service::COALMINE, "FindEvents", &input, "Events").await?;
    if command.format == Form::Json {
        for event in found.iter().filter_map(Value::as_str) {
            context.screen.line(event);
        }
        return Ok(ExitStatus::Passed);
    }
    let mut table = Table::new(&["time", "source", "detail-type", "detail"]);
    for event in found.iter().filter_map(Value::as_str) {
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let part = |name: &str| event.get(name).cloned().unwrap_or_default();
        let detail = json!(part("detail").to_string());
        table.row(vec![part("time"), part("source"), part("detail-type"), detail]);
    }
    table.show(&context.screen, command.format);
    if table.len() == 0 {
        context.screen.note("no events in this time");
    }
    Ok(ExitStatus::Passed)
}

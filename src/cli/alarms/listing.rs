use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::range::{HISTORY, RangeFlags};
use crate::cli::source::{Service, Source};
use crate::cli::table::{Form, Table};
use crate::cli::words::instant;
use crate::time::Timestamp;

/// List alarms with their states
#[derive(Debug, Args)]
pub(super) struct ListCommand {
    /// Only alarms whose names begin so
    #[arg(value_name = "PREFIX")]
    prefix: Option<String>,

    /// Only alarms in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateChoice>,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateChoice {
    Ok,
    Alarm,
    InsufficientData,
}

impl StateChoice {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// Print what became of an alarm: states, actions, changes of its definition
#[derive(Debug, Args)]
pub(super) struct HistoryCommand {
    /// The alarm; without one, all of them
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

const PAGE: u32 = 100;

pub(super) async fn list(
    context: &Context,
    command: &ListCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let mut input = json!({ "MaxRecords": PAGE });
    if let Some(prefix) = &command.prefix {
        set(&mut input, "AlarmNamePrefix", json!(prefix));
    }
    if let Some(state) = command.state {
        set(&mut input, "StateValue", json!(state.name()));
    }
    let mut alarms = Vec::new();
    for (kind, list) in [("MetricAlarm", "MetricAlarms"), ("CompositeAlarm", "CompositeAlarms")] {
        set(&mut input, "AlarmTypes", json!([kind]));
        alarms.extend(source.pages(Service::CLOUDWATCH, "DescribeAlarms", &input, list).await?);
    }
    alarms.sort_by_key(|alarm| text(alarm, "AlarmName"));
    let mut table = Table::new(&["state", "since", "alarm", "why"]);
    for alarm in &alarms {
        let (state, name) = (text(alarm, "StateValue"), text(alarm, "AlarmName"));
        let since = when(alarm, "StateTransitionedTimestamp");
        table.row(vec![json!(state), json!(since), json!(name), json!(text(alarm, "StateReason"))]);
    }
    table.show(&context.screen, command.format);
    if table.len() == 0 {
        context.screen.note("no alarms");
    }
    Ok(ExitStatus::Passed)
}

pub(super) async fn history(
    context: &Context,
    command: &HistoryCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), HISTORY)?;
    let mut input = json!({
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "ScanBy": "TimestampAscending",
        "StartDate": range.start.as_secs_f64(), "EndDate": range.end.as_secs_f64(),
        "MaxRecords": PAGE,
    });
    if let Some(name) = &command.name {
        set(&mut input, "AlarmName", json!(name));
    }
    let list = "AlarmHistoryItems";
    let items = source.pages(Service::CLOUDWATCH, "DescribeAlarmHistory", &input, list).await?;
    let mut table = Table::new(&["time", "alarm", "what", "why"]);
    for item in &items {
        let data: Value = serde_json::from_str(&text(item, "HistoryData")).unwrap_or_default();
        let reason = data.pointer("/newState/stateReason").or_else(|| data.get("error"));
        let reason = reason.and_then(Value::as_str).unwrap_or("");
        let summary = text(item, "HistorySummary");
        let at = when(item, "Timestamp");
        table.row(vec![json!(at), json!(text(item, "AlarmName")), json!(summary), json!(reason)]);
    }
    table.show(&context.screen, command.format);
    if table.len() == 0 {
        context.screen.note("nothing happened to alarms in this time");
    }
    Ok(ExitStatus::Passed)
}

fn set(input: &mut Value, name: &str, value: Value) {
    if let Some(members) = input.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn when(value: &Value, name: &str) -> String {
    let at = value.get(name).and_then(Value::as_f64);
    at.map(|at| instant(Timestamp::from_secs_f64(at))).unwrap_or_default()
}

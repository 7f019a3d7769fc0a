use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::draw::Drawing;
use crate::cli::ExitStatus;
use crate::cli::check;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::range::{HISTORY, RangeFlags};
use crate::cli::source::{Service, Source};
use crate::monitor::backtest::Backtest;
use crate::monitor::declared_alarms;
use crate::runner::policy::Trust;
use crate::telemetry::Scope;

/// Replay an alarm over what is stored: when would it have paged, and was it worth it?
///
/// The replay evaluates the alarm at every boundary with the function that `serve` uses. Nothing is
/// changed and nobody is told. With --set the same alarm with other settings stands beside it.
///
/// A page is a flake when it was over within N - M + 1 periods, the least an alarm of M of N can
/// last: no breach came after those that paged, so whoever got up found everything fine.
///
/// Metric data is kept by the minute for 15 days and then in coarser steps; the replay begins where
/// the steps are as fine as the alarm's, and with the first datapoint.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct BacktestCommand {
    /// A stored alarm's name, a canary file with `alarms:`, or a JSON file in the shape of AWS's
    /// PutMetricAlarm
    #[arg(value_name = "ALARM")]
    alarm: String,

    /// A setting to try beside the alarm as it is; may be repeated
    ///
    /// By its name in the API: Threshold, EvaluationPeriods, DatapointsToAlarm, Period, Statistic,
    /// ComparisonOperator, TreatMissingData; for composite alarms AlarmRule and the suppressor's.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,

    #[command(flatten)]
    range: RangeFlags,

    /// List every page, however many there are
    #[arg(long)]
    all: bool,

    /// Print JSON, one object an alarm; instants are epoch milliseconds
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  coalmine alarms backtest checkout-is-slow --since 30d
  coalmine alarms backtest checkout-is-slow --set Threshold=900 --set DatapointsToAlarm=2
  coalmine alarms backtest canaries/checkout.yaml --url http://127.0.0.1:4586
  coalmine alarms backtest alarm.json --from 2026-11-01 --to 2026-11-08 --json";

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as Threshold=90")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The alarms that are meant, as members of the request.
pub(super) fn prepare(context: &Context, command: &BacktestCommand) -> Result<Vec<Value>, Fatal> {
    let path = Path::new(&command.alarm);
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("yaml" | "yml" | "lua" | "luau") if path.is_file() => of_canaries(context, path),
        Some("json") if path.is_file() => of_json(path).map(|alarm| vec![alarm]),
        _ => Ok(vec![json!({ "AlarmName": command.alarm })]),
    }
}

fn of_canaries(context: &Context, path: &Path) -> Result<Vec<Value>, Fatal> {
    let library = check::read(context, &[PathBuf::from(path)], Trust::Full)?;
    let shown = path.display();
    if !library.faults.is_empty() {
        let message = format!("{shown} has faults; nothing was replayed");
        return Err(Fatal::new(ExitStatus::Usage, message));
    }
    let (scope, now) = (Scope::default(), context.clock.now());
    let alarms = library.canaries.iter().flat_map(|canary| declared_alarms(canary, &scope, now));
    let document = |alarm| {
        let text = serde_json::to_string(&alarm).map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "cannot write the alarm").because(&error)
        })?;
        Ok(json!({ "Document": text }))
    };
    let alarms: Vec<Value> = alarms.map(document).collect::<Result<_, Fatal>>()?;
    if alarms.is_empty() {
        let message = format!("{shown} declares no alarms");
        return Err(Fatal::new(ExitStatus::Usage, message).hint("they go under `alarms:`"));
    }
    Ok(alarms)
}

fn of_json(path: &Path) -> Result<Value, Fatal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fatal::new(ExitStatus::Usage, format!("cannot read {shown}")).because(&error)
    })?;
    let alarm: Value = serde_json::from_str(&text).map_err(|error| {
        Fatal::new(ExitStatus::Usage, format!("{shown} is no JSON")).because(&error)
    })?;
    Ok(json!({ "Alarm": alarm }))
}

pub(super) async fn execute(
    context: &Context,
    command: &BacktestCommand,
    source: &Source,
    alarms: Vec<Value>,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), HISTORY)?;
    let settings: Vec<Value> =
        command.set.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    for (number, mut input) in alarms.into_iter().enumerate() {
        if let Some(members) = input.as_object_mut() {
            members.insert("Settings".to_owned(), settings.clone().into());
            members.insert("StartTime".to_owned(), range.start.as_secs_f64().into());
            members.insert("EndTime".to_owned(), range.end.as_secs_f64().into());
        }
        let answer = source.call(Service::COALMINE, "BacktestAlarm", &input).await?;
        if command.json {
            context.screen.line(&answer.to_string());
            continue;
        }
        let backtest: Backtest = serde_json::from_value(answer).map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "the server is of another version").because(&error)
        })?;
        if number > 0 {
            context.screen.line("");
        }
        let drawing = Drawing { style: context.screen.out().style, lists_all: command.all };
        context.screen.write(&drawing.of(&backtest));
    }
    Ok(ExitStatus::Passed)
}

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::range::{RangeFlags, TELEMETRY, ago};
use super::source::{Service, Source, SourceFlags};
use super::table::{Form, Table};
use super::words::instant;
use crate::time::Timestamp;

/// List metrics and compute with them
#[derive(Debug, Args)]
pub(super) struct MetricsCommand {
    #[command(flatten)]
    source: SourceFlags,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListCommand),
    Query(QueryCommand),
}

/// List metrics, by namespace, name and dimensions
#[derive(Debug, Args)]
struct ListCommand {
    /// Only metrics of this namespace
    #[arg(value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// Only metrics of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Only metrics with this dimension; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    dimension: Vec<String>,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

/// Read metrics: by name, by math over them, by SEARCH, or by Metrics Insights
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct QueryCommand {
    /// Metrics (NAMESPACE:NAME[{DIMENSION=VALUE,..}][:STATISTIC]) or expressions
    ///
    /// ID=METRIC gives a metric a name that expressions use; such a metric is not printed itself.
    /// What is no metric is an expression: metric math, SEARCH(..), or a query SELECT .. FROM ..
    #[arg(value_name = "WHAT", required = true)]
    what: Vec<String>,

    /// The width of a datapoint
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = ago)]
    period: Duration,

    #[command(flatten)]
    range: RangeFlags,

    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Form,
}

const EXAMPLES: &str = "\
Examples:
  coalmine metrics query 'CloudWatchSynthetics:Duration{CanaryName=shop}:p99' --since 1d
  coalmine metrics query 'bad=Shop:Errors:Sum' 'all=Shop:Orders:Sum' '100 * bad / all'
  coalmine metrics query 'SELECT AVG(Duration) FROM CloudWatchSynthetics GROUP BY CanaryName'";

pub(super) fn execute(context: &Context, command: &MetricsCommand) -> Result<ExitStatus, Fatal> {
    Source::ask(context, &command.source, async |source| match &command.command {
        Command::List(command) => list(context, command, source).await,
        Command::Query(command) => query(context, command, source).await,
    })
}

async fn list(
    context: &Context,
    command: &ListCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let mut input = Map::new();
    let members = [("Namespace", &command.namespace), ("MetricName", &command.name)];
    for (member, value) in members {
        input.extend(value.iter().map(|value| (member.to_owned(), json!(value))));
    }
    let dimension = |text: &String| match text.split_once('=') {
        Some((name, value)) => json!({"Name": name, "Value": value}),
        None => json!({"Name": text}),
    };
    let dimensions: Vec<Value> = command.dimension.iter().map(dimension).collect();
    if !dimensions.is_empty() {
        input.insert("Dimensions".to_owned(), dimensions.into());
    }
    let found = source.pages(Service::CLOUDWATCH, "ListMetrics", &input.into(), "Metrics").await?;
    let mut table = Table::new(&["namespace", "metric", "dimensions"]);
    for metric in &found {
        let text = |name: &str| metric.get(name).cloned().unwrap_or_default();
        let dimensions = metric.get("Dimensions").and_then(Value::as_array);
        let pair = |dimension: &Value| {
            let part = |name: &str| dimension.get(name).and_then(Value::as_str).unwrap_or("");
            format!("{}={}", part("Name"), part("Value"))
        };
        let pairs = dimensions.map(|all| all.iter().map(pair).collect::<Vec<_>>().join(","));
        table.row(vec![text("Namespace"), text("MetricName"), json!(pairs.unwrap_or_default())]);
    }
    table.show(&context.screen, command.format);
    Ok(ExitStatus::Passed)
}

async fn query(
    context: &Context,
    command: &QueryCommand,
    source: &Source,
) -> Result<ExitStatus, Fatal> {
    let range = command.range.range(context.clock.now(), TELEMETRY)?;
    let queries: Vec<Value> = (1..)
        .zip(&command.what)
        .map(|(number, what)| item(what, number, command.period.as_secs()))
        .collect();
    // Metrics that only feed expressions are not printed; without expressions all are.
    let input = json!({
        "MetricDataQueries": queries, "ScanBy": "TimestampAscending",
        "StartTime": range.start.as_secs_f64(), "EndTime": range.end.as_secs_f64(),
    });
    let operation = "GetMetricData";
    let results = source.pages(Service::CLOUDWATCH, operation, &input, "MetricDataResults").await?;
    let mut labels: Vec<String> = Vec::new();
    let mut rows: BTreeMap<i64, BTreeMap<usize, f64>> = BTreeMap::new();
    for result in &results {
        let label = result.get("Label").and_then(Value::as_str).unwrap_or("").to_owned();
        let column = labels.iter().position(|known| *known == label).unwrap_or_else(|| {
            labels.push(label);
            labels.len() - 1
        });
        let list = |name: &str| result.get(name).and_then(Value::as_array).into_iter().flatten();
        for (at, value) in list("Timestamps").zip(list("Values")) {
            if let (Some(at), Some(value)) = (at.as_f64(), value.as_f64()) {
                let at = Timestamp::from_secs_f64(at).as_secs();
                rows.entry(at).or_default().insert(column, value);
            }
        }
        for message in result.get("Messages").and_then(Value::as_array).into_iter().flatten() {
            context.screen.note(message.get("Value").and_then(Value::as_str).unwrap_or(""));
        }
    }
    let names = std::iter::once("time".to_owned()).chain(labels.iter().cloned());
    let mut table = Table::of_names(names);
    for (at, values) in rows {
        let at = Timestamp::from_secs(at);
        let at = if command.format == Form::Table { instant(at) } else { at.to_rfc3339() };
        let cell = |column| values.get(&column).map_or(Value::Null, |value| json!(value));
        let cells = (0..labels.len()).map(cell);
        table.row(std::iter::once(json!(at)).chain(cells).collect());
    }
    table.show(&context.screen, command.format);
    if table.len() == 0 {
        context.screen.note("no datapoints in this time");
    }
    Ok(ExitStatus::Passed)
}

/// One query: a metric, perhaps with an id, or an expression.
fn item(what: &str, number: usize, period: u64) -> Value {
    let named = what.split_once('=').filter(|(id, _)| is_id(id));
    let of = |text| metric(text, period);
    if let Some((id, stat)) = named.and_then(|(id, text)| Some((id, of(text)?))) {
        return json!({"Id": id, "MetricStat": stat, "ReturnData": false});
    }
    let id = format!("q{number}");
    match (of(what), named) {
        (Some(stat), _) => json!({"Id": id, "MetricStat": stat, "Label": what}),
        (None, Some((id, text))) => json!({"Id": id, "Expression": text, "Period": period}),
        (None, None) => json!({"Id": id, "Expression": what, "Period": period}),
    }
}

fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads `NAMESPACE:NAME[{DIMENSION=VALUE,..}][:STATISTIC]`.
fn metric(text: &str, period: u64) -> Option<Value> {
    // Expressions have parentheses, or blanks outside of braces.
    let outside = text.split(['{', '}']).step_by(2).collect::<String>();
    let upper = text.to_ascii_uppercase();
    if outside.contains(['(', '*', '+', '"']) || upper.starts_with("SELECT ") {
        return None;
    }
    let (namespace, rest) = text.split_once(':')?;
    let (head, dimensions, tail) = match rest.split_once('{') {
        Some((head, rest)) => {
            let (inside, tail) = rest.rsplit_once('}')?;
            (head, inside, tail.strip_prefix(':').unwrap_or(tail))
        }
        None => {
            let (head, tail) = rest.split_once(':').unwrap_or((rest, ""));
            (head, "", tail)
        }
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some(json!({"Name": name.trim(), "Value": value.trim()}))
    };
    let pairs = dimensions.split(',').filter(|pair| !pair.is_empty());
    let dimensions: Vec<Value> = pairs.map(pair).collect::<Option<_>>()?;
    let statistic = if tail.is_empty() { "Average" } else { tail };
    Some(json!({
        "Metric": {"Namespace": namespace, "MetricName": head, "Dimensions": dimensions},
        "Period": period, "Stat": statistic,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_expressions_are_told_apart() {
        let brief = |what: &str| {
            let item = item(what, 1, 60);
            let stat = item.pointer("/MetricStat/Stat").or_else(|| item.get("Expression"));
            let name = item.pointer("/MetricStat/Metric/MetricName");
            let text =
                |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("-").to_owned();
            format!("{} {} {}", text(item.get("Id")), text(name), text(stat))
        };
        for (what, expected) in [
            ("Shop:Orders", "q1 Orders Average"),
            ("Shop:Orders{Shop=a b,Till=1}:p99", "q1 Orders p99"),
            ("m=AWS/Lambda:Errors:Sum", "m Errors Sum"),
            ("100 * m / n", "q1 - 100 * m / n"),
            ("e=m + n", "e - m + n"),
            ("SELECT SUM(a) FROM S:x", "q1 - SELECT SUM(a) FROM S:x"),
            ("SUM(SEARCH('{S} a:b', 'Sum'))", "q1 - SUM(SEARCH('{S} a:b', 'Sum'))"),
        ] {
            assert_eq!(brief(what), expected);
        }
    }
}

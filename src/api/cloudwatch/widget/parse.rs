use std::time::Duration;

use chrono::DateTime;
use serde_json::{Map, Value};
use thiserror::Error;

use super::super::get_metric_data::Query;
use crate::time::Timestamp;

/// Source: CloudWatch API Reference, "Metric widget structure".
const METRICS_MAX: usize = 500;
const SIDE_MAX: i64 = 2_000;
const PERIOD_DEFAULT: i64 = 300;
const SPAN_DEFAULT: Duration = Duration::from_secs(3 * 3600);

/// Why a widget cannot be drawn: where, and what is wrong there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: {fault}")]
pub(super) struct WidgetFault {
    path: String,
    fault: &'static str,
}

/// A widget, read.
#[derive(Debug)]
pub(super) struct Widget {
    pub(super) queries: Vec<Query>,
    looks: Vec<(String, Look)>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) title: String,
    pub(super) dark: bool,
    pub(super) stacked: bool,
    pub(super) legend: Legend,
    /// Bounds of the left and the right axis, as far as they are given.
    pub(super) axes: [Axis; 2],
    pub(super) horizontal: Vec<Horizontal>,
    pub(super) vertical: Vec<Vertical>,
}

/// How one query's lines look.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) color: Option<[u8; 3]>,
    pub(super) right: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Axis {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Legend {
    Bottom,
    Right,
    Hidden,
}

/// A line across the chart.
#[derive(Clone, Debug)]
pub(super) struct Horizontal {
    pub(super) value: f64,
    pub(super) label: String,
    pub(super) color: Option<[u8; 3]>,
}

/// A line at an instant.
#[derive(Clone, Debug)]
pub(super) struct Vertical {
    pub(super) at: Timestamp,
    pub(super) label: String,
    pub(super) color: Option<[u8; 3]>,
}

impl Widget {
    pub(super) fn parse(text: &str, now: Timestamp) -> Result<Self, WidgetFault> {
        let root: Map<String, Value> =
            serde_json::from_str(text).map_err(|_fault| fault("/", "should be a JSON object"))?;
        let view = root.get("view").and_then(Value::as_str).unwrap_or("timeSeries");
        if view != "timeSeries" {
            return Err(fault("/view", "only timeSeries is drawn here"));
        }
        let (queries, looks) = queries(&root)?;
        let end = instant(&root, "end", now)?.unwrap_or(now);
        let start = instant(&root, "start", now)?.unwrap_or_else(|| end.minus(SPAN_DEFAULT));
        if start >= end {
            return Err(fault("/start", "should be before end"));
        }
        let axes = root.get("yAxis");
        let annotations = root.get("annotations");
        Ok(Self {
            queries,
            looks,
            start,
            end,
            width: side(&root, "width", 600)?,
            height: side(&root, "height", 400)?,
            title: text_of(root.get("title")),
            dark: root.get("theme").and_then(Value::as_str) == Some("dark"),
            stacked: root.get("stacked").and_then(Value::as_bool).unwrap_or(false),
            legend: legend(&root)?,
            axes: ["left", "right"].map(|side| axis(axes.and_then(|axes| axes.get(side)))),
            horizontal: horizontal(annotations)?,
            vertical: vertical(annotations)?,
        })
    }

    /// How the lines of a query look.
    pub(super) fn look(&self, id: &str) -> Look {
        let found = self.looks.iter().find(|(own, _)| own == id);
        found.map(|(_, look)| look.clone()).unwrap_or_default()
    }
}

fn fault(path: impl Into<String>, fault: &'static str) -> WidgetFault {
    WidgetFault { path: path.into(), fault }
}

type Queries = (Vec<Query>, Vec<(String, Look)>);

fn queries(root: &Map<String, Value>) -> Result<Queries, WidgetFault> {
    let Some(Value::Array(rows)) = root.get("metrics") else {
        return Err(fault("/metrics", "should be an array"));
    };
    if rows.is_empty() || rows.len() > METRICS_MAX {
        return Err(fault("/metrics", "should have 1 to 500 items"));
    }
    let (mut queries, mut looks, mut before) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for (index, row) in rows.iter().enumerate() {
        let path = format!("/metrics/{index}");
        let Value::Array(parts) = row else { return Err(fault(path, "should be an array")) };
        let (texts, options) = match parts.split_last() {
            Some((Value::Object(options), texts)) => (texts, options.clone()),
            _ => (parts.as_slice(), Map::new()),
        };
        let option = |name: &str| options.get(name).or_else(|| root.get(name));
        let id = options.get("id").and_then(Value::as_str).map(ToOwned::to_owned);
        let id = id.unwrap_or_else(|| format!("widget{index}"));
        let label = options.get("label").and_then(Value::as_str).map(ToOwned::to_owned);
        let visible = options.get("visible").and_then(Value::as_bool).unwrap_or(true);
        let period = option("period").and_then(Value::as_i64).unwrap_or(PERIOD_DEFAULT);
        let mut query = match options.get("expression").and_then(Value::as_str) {
            Some(expression) => Query::of_expression(id.clone(), expression, period),
            None => {
                before = named(&path, texts, &before)?;
                let stat = option("stat").and_then(Value::as_str).unwrap_or("Average");
                let mut names = before.iter().map(String::as_str);
                let metric = (names.next().unwrap_or(""), names.next().unwrap_or(""));
                let pairs = before.get(2..).unwrap_or_default().chunks(2);
                let dimensions = pairs.filter_map(|pair| match pair {
                    [name, value] => Some((name.as_str(), value.as_str())),
                    _ => None,
                });
                Query::of_metric(id.clone(), (metric, dimensions.collect()), (stat, period))
            }
        };
        query.label = label;
        query.return_data = Some(visible);
        queries.push(query);
        let right = options.get("yAxis").and_then(Value::as_str) == Some("right");
        looks.push((id, Look { color: color(options.get("color")), right }));
    }
    Ok((queries, looks))
}

/// `.` repeats the text of the row before at its place, `...` all that come before what follows.
fn named(path: &str, texts: &[Value], before: &[String]) -> Result<Vec<String>, WidgetFault> {
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        let Some(text) = text.as_str() else { return Err(fault(path, "should hold texts only")) };
        match text {
            "..." => {
                let follow = texts.len().saturating_sub(1);
                let kept = before.len().saturating_sub(follow);
                names.extend(before.iter().take(kept).cloned());
            }
            "." => {
                let Some(same) = before.get(names.len()) else {
                    return Err(fault(path, "repeats what is not there"));
                };
                names.push(same.clone());
            }
            text => names.push(text.to_owned()),
        }
    }
    if names.len() < 2 || !names.len().is_multiple_of(2) {
        return Err(fault(path, "should name a namespace, a metric and pairs of dimensions"));
    }
    Ok(names)
}

fn side(root: &Map<String, Value>, name: &str, default: u32) -> Result<u32, WidgetFault> {
    let Some(value) = root.get(name) else { return Ok(default) };
    let value = value.as_i64().filter(|value| (1..=SIDE_MAX).contains(value));
    let side = value.and_then(|value| u32::try_from(value).ok());
    side.ok_or_else(|| fault(format!("/{name}"), "should be a number from 1 to 2000"))
}

fn legend(root: &Map<String, Value>) -> Result<Legend, WidgetFault> {
    let position = root.get("legend").and_then(|legend| legend.get("position"));
    match position.and_then(Value::as_str) {
        None | Some("bottom") => Ok(Legend::Bottom),
        Some("right") => Ok(Legend::Right),
        Some("hidden") => Ok(Legend::Hidden),
        Some(_) => Err(fault("/legend/position", "should be bottom, right or hidden")),
    }
}

fn axis(given: Option<&Value>) -> Axis {
    let number = |name: &str| given.and_then(|axis| axis.get(name)).and_then(Value::as_f64);
    let label = text_of(given.and_then(|axis| axis.get("label")));
    Axis { min: number("min"), max: number("max"), label }
}

fn text_of(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An ISO instant, or a span before now as in `-PT3H`.
fn instant(
    root: &Map<String, Value>,
    name: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, WidgetFault> {
    let Some(value) = root.get(name) else { return Ok(None) };
    let text = value.as_str().unwrap_or_default();
    let at = match text.strip_prefix("-P") {
        Some(span) => span_of(span).map(|span| now.minus(span)),
        None => iso(text),
    };
    at.map(Some).ok_or_else(|| fault(format!("/{name}"), "is no instant"))
}

fn iso(text: &str) -> Option<Timestamp> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp::from_millis(parsed.timestamp_millis()))
}

/// `T3H`, `1D`, `2W`, `T90M`: what follows `-P`.
fn span_of(text: &str) -> Option<Duration> {
    let (mut seconds, mut number, mut in_time) = (0_u64, String::new(), false);
    for letter in text.chars() {
        let unit = match (letter, in_time) {
            ('T', false) => {
                in_time = true;
                continue;
            }
            ('0'..='9', _) => {
                number.push(letter);
                continue;
            }
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('M', false) => 30 * 86_400,
            ('Y', false) => 365 * 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        let count: u64 = std::mem::take(&mut number).parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
    }
    (number.is_empty() && seconds > 0).then_some(Duration::from_secs(seconds))
}

fn horizontal(annotations: Option<&Value>) -> Result<Vec<Horizontal>, WidgetFault> {
    let read = |(path, given): (String, &Value)| {
        let value = given.get("value").and_then(Value::as_f64);
        let value = value.ok_or_else(|| fault(path, "should have a number as value"))?;
        let (label, color) = (text_of(given.get("label")), color(given.get("color")));
        Ok(Horizontal { value, label, color })
    };
    lines(annotations, "horizontal").into_iter().map(read).collect()
}

fn vertical(annotations: Option<&Value>) -> Result<Vec<Vertical>, WidgetFault> {
    let read = |(path, given): (String, &Value)| {
        let at = given.get("value").and_then(Value::as_str).and_then(iso);
        let at = at.ok_or_else(|| fault(path, "should have an instant as value"))?;
        let (label, color) = (text_of(given.get("label")), color(given.get("color")));
        Ok(Vertical { at, label, color })
    };
    lines(annotations, "vertical").into_iter().map(read).collect()
}

/// The annotations of a kind; a band is its two ends.
fn lines<'v>(annotations: Option<&'v Value>, kind: &str) -> Vec<(String, &'v Value)> {
    let given = annotations.and_then(|all| all.get(kind)).and_then(Value::as_array);
    let mut found = Vec::new();
    for (index, one) in given.into_iter().flatten().enumerate() {
        let path = format!("/annotations/{kind}/{index}");
        match one {
            Value::Array(ends) => found.extend(ends.iter().map(|end| (path.clone(), end))),
            one => found.push((path, one)),
        }
    }
    found
}

fn color(given: Option<&Value>) -> Option<[u8; 3]> {
    let digits = given?.as_str()?.strip_prefix('#')?;
    let wide = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let mut color = [0; 3];
    hex::decode_to_slice(wide, &mut color).ok()?;
    Some(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Widget, WidgetFault> {
        Widget::parse(text, Timestamp::from_secs(1_000_000))
    }

    #[test]
    fn rows_repeat_what_stands_above_them() {
        let row = |texts: &[&str], before: &[&str]| {
            let texts = texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>();
            let before = before.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            named("/", &texts, &before).map(|names| names.join(" ")).ok()
        };
        let above = ["N", "m", "D", "v"];
        assert_eq!(row(&["N", "m"], &[]).as_deref(), Some("N m"));
        assert_eq!(row(&[".", "x", ".", "."], &above).as_deref(), Some("N x D v"));
        assert_eq!(row(&["...", "w"], &above).as_deref(), Some("N m D w"));
        assert_eq!(row(&["..."], &above).as_deref(), Some("N m D v"));
        assert_eq!(row(&["N"], &[]), None);
        assert_eq!(row(&[".", "m"], &[]), None);
    }

    #[test]
    fn times_are_instants_or_spans_before_now() {
        let widget = parse(r#"{"metrics": [["N", "m"]], "start": "-P1DT2H"}"#).unwrap();
        assert_eq!(widget.end.as_secs() - widget.start.as_secs(), 26 * 3600);
        let widget = parse(r#"{"metrics": [["N", "m"]]}"#).unwrap();
        assert_eq!(widget.end.as_secs() - widget.start.as_secs(), 3 * 3600);
        assert_eq!((widget.width, widget.height), (600, 400));
    }

    #[test]
    fn what_cannot_be_drawn_is_told_with_its_place() {
        let fault = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(fault("[]"), "/: should be a JSON object");
        assert_eq!(fault("{}"), "/metrics: should be an array");
        let with = |more: &str| format!(r#"{{"metrics": [["N", "m"]], {more}}}"#);
        assert_eq!(fault(&with(r#""width": 0"#)), "/width: should be a number from 1 to 2000");
        assert_eq!(fault(&with(r#""start": "soon""#)), "/start: is no instant");
        assert_eq!(fault(&with(r#""view": "pie""#)), "/view: only timeSeries is drawn here");
        let bad = with(r#""annotations": {"horizontal": [{"label": "x"}]}"#);
        assert_eq!(fault(&bad), "/annotations/horizontal/0: should have a number as value");
    }
}

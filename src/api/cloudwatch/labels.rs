use std::fmt::Write;

use chrono::{DateTime, FixedOffset};

use crate::telemetry::{MetricId, Scope};
use crate::time::{Period, Timestamp};

/// What a label may speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labelled<'a> {
    /// The label without dynamic parts, what `${LABEL}` stands for.
    pub(super) plain: &'a str,
    /// The points that are returned, oldest first.
    pub(super) points: &'a [(Timestamp, f64)],
    /// The metric, when it is one.
    pub(super) metric: Option<(&'a MetricId, &'a str)>,
    /// The period of the points.
    pub(super) period: Period,
    /// Whose it is.
    pub(super) scope: &'a Scope,
    /// When it was asked for.
    pub(super) now: Timestamp,
    /// The zone that times are shown in.
    pub(super) zone: FixedOffset,
}

/// A label with its dynamic parts filled in; a part that is none of AWS's stays as written.
///
/// Source: CloudWatch User Guide, "Using dynamic labels". How numbers and times are written is not
/// published; numbers are the shortest text, times are minutes of the zone.
pub(super) fn fill(template: &str, about: &Labelled<'_>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        text.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        let (token, after) = from.split_at(end + 1);
        let name = token.trim_start_matches("${").trim_end_matches('}').trim();
        match value(name, about) {
            Some(value) => text.push_str(&value),
            None => text.push_str(token),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// A zone as `LabelOptions.Timezone` writes it: `+0130`.
pub(super) fn zone(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let seconds = hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?;
    let seconds = i32::from(seconds) * 60;
    match sign {
        "+" => FixedOffset::east_opt(seconds),
        "-" => FixedOffset::west_opt(seconds),
        _ => None,
    }
}

fn value(name: &str, about: &Labelled<'_>) -> Option<String> {
    if let Some(property) = name.strip_prefix("PROP(") {
        return property_value(property.strip_suffix(')')?, about);
    }
    let points = about.points;
    let least = points.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
    let most = points.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
    let (first, last) = (points.first().copied(), points.last().copied());
    let sum = points.iter().map(|(_, value)| value).sum::<f64>();
    let number = |point: Option<(Timestamp, f64)>| shown(point.map(|(_, value)| value));
    let time = |point: Option<(Timestamp, f64)>| clock(point.map(|(at, _)| at), about.zone);
    let ago = |point: Option<(Timestamp, f64)>| relative(point.map(|(at, _)| at), about.now);
    let times = |from, to| format!("{} - {}", time(from), time(to));
    let numbers = |from, to| format!("{} - {}", number(from), number(to));
    #[expect(clippy::cast_precision_loss, reason = "a number of points")]
    let count = points.len() as f64;
    Some(match name {
        "LABEL" => about.plain.to_owned(),
        "AVG" => shown((count > 0.0).then_some(sum / count)),
        "SUM" => shown((count > 0.0).then_some(sum)),
        "DATAPOINT_COUNT" => points.len().to_string(),
        "FIRST" => number(first),
        "FIRST_TIME" => time(first),
        "FIRST_TIME_RELATIVE" => ago(first),
        "FIRST_LAST_RANGE" => numbers(first, last),
        "FIRST_LAST_TIME_RANGE" => times(first, last),
        "LAST" => number(last),
        "LAST_TIME" => time(last),
        "LAST_TIME_RELATIVE" => ago(last),
        "MAX" => number(most),
        "MAX_TIME" => time(most),
        "MAX_TIME_RELATIVE" => ago(most),
        "MIN" => number(least),
        "MIN_TIME" => time(least),
        "MIN_TIME_RELATIVE" => ago(least),
        "MIN_MAX_RANGE" => numbers(least, most),
        "MIN_MAX_TIME_RANGE" => times(least, most),
        _ => return None,
    })
}

fn property_value(quoted: &str, about: &Labelled<'_>) -> Option<String> {
    let name = quoted.trim().trim_matches(['\'', '"']);
    let (metric, statistic) = about.metric.unzip();
    Some(match name {
        "AccountId" | "AccountLabel" => about.scope.account.to_string(),
        "Region" => about.scope.region.to_string(),
        "Period" => about.period.as_secs().to_string(),
        "MetricName" => metric?.metric_name.to_string(),
        "Namespace" => metric?.namespace.to_string(),
        "Stat" => statistic?.to_owned(),
        _ => metric?.dimensions.get(name.strip_prefix("Dim.")?)?.to_owned(),
    })
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "--".to_owned(), |value| value.to_string())
}

fn clock(at: Option<Timestamp>, zone: FixedOffset) -> String {
    let at = at.and_then(|at| DateTime::from_timestamp_millis(at.as_millis()));
    let form = if zone.local_minus_utc() == 0 { "%Y-%m-%d %H:%M UTC" } else { "%Y-%m-%d %H:%M %z" };
    at.map_or_else(|| "--".to_owned(), |at| at.with_timezone(&zone).format(form).to_string())
}

fn relative(at: Option<Timestamp>, now: Timestamp) -> String {
    let Some(at) = at else { return "--".to_owned() };
    let mut seconds = now.millis_since(at).abs() / 1000;
    let mut text = String::new();
    for (unit, width) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        let count = seconds / width;
        seconds %= width;
        if count > 0 || (width == 1 && text.is_empty()) {
            write!(text, "{count}{unit}").unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Dimensions;

    #[test]
    fn every_kind_of_part_is_filled_in_and_others_stay() {
        let metric = MetricId {
            namespace: "App".into(),
            metric_name: "Latency".into(),
            dimensions: Dimensions::of([("Page", "home")]),
        };
        let at = |minute: i64| Timestamp::from_secs(minute * 60);
        let scope = Scope::default();
        let about = Labelled {
            plain: "plain",
            points: &[(at(1), 4.0), (at(2), 1.0), (at(3), 2.5)],
            metric: Some((&metric, "p99")),
            period: Period::MINUTE,
            scope: &scope,
            now: at(63),
            zone: zone("+0130").unwrap(),
        };
        for (template, expected) in [
            ("no parts", "no parts"),
            ("${LABEL}: ${AVG}, ${SUM}", "plain: 2.5, 7.5"),
            ("${MIN} ${MAX} ${FIRST} ${LAST}", "1 4 4 2.5"),
            ("${MIN_MAX_RANGE}", "1 - 4"),
            ("${DATAPOINT_COUNT}", "3"),
            ("${LAST_TIME}", "1970-01-01 01:33 +0130"),
            ("${LAST_TIME_RELATIVE} ago", "1h ago"),
            ("${PROP('MetricName')} ${PROP('Dim.Page')} ${PROP('Stat')}", "Latency home p99"),
            ("${PROP('Region')} ${PROP('Period')}", "us-east-1 60"),
            ("${PROP('Dim.Nope')} ${NOPE} ${", "${PROP('Dim.Nope')} ${NOPE} ${"),
        ] {
            assert_eq!(fill(template, &about), expected, "{template}");
        }
    }

    #[test]
    fn a_zone_is_a_sign_and_four_digits() {
        assert_eq!(zone("-0800").map(|zone| zone.local_minus_utc()), Some(-8 * 3600));
        for text in ["", "0800", "+8", "+08:00", "+9999", "UTC", "é000"] {
            assert_eq!(zone(text), None, "{text}");
        }
    }
}

//! Functions of numbers and instants.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::Context;
use super::function::Function;
use super::value::Value;
use crate::time::Timestamp;

/// Computes a function of this file; `None` for any other.
pub(super) fn call(function: Function, arguments: &[Value], context: &Context) -> Option<Value> {
    let number = |index: usize| arguments.get(index).and_then(Value::number);
    let numbers = || arguments.iter().filter_map(Value::number);
    let value = match function {
        Function::Abs => number(0).map(f64::abs),
        Function::Ceil => number(0).map(f64::ceil),
        Function::Floor => number(0).map(f64::floor),
        Function::Sqrt => number(0).map(f64::sqrt),
        Function::Log => number(0).map(f64::ln),
        Function::Greatest => numbers().reduce(f64::max),
        Function::Least => numbers().reduce(f64::min),
        Function::Round => round(number(0), arguments.get(1).map(Value::number)),
        Function::Haversine => haversine([number(0), number(1), number(2), number(3)]),
        Function::ToNumber => number(0),
        Function::ToInt => {
            number(0).and_then(|n| whole(n, f64::from(i32::MIN), f64::from(i32::MAX)))
        }
        Function::ToLong => number(0).and_then(|n| whole(n, -9.3e18, 9.3e18)),
        #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
        Function::FromMillis => {
            let at = number(0).map(|millis| Timestamp::from_millis(millis as i64));
            return Some(at.map_or(Value::Null, Value::Timestamp));
        }
        Function::ToMillis => match arguments.first() {
            Some(at @ Value::Timestamp(_)) => at.number(),
            _ => None,
        },
        Function::Now => Some((millis(context.now) / 1000.0).floor()),
        Function::QueryStartTime => Some(millis(context.range.start)),
        Function::QueryEndTime => Some(millis(context.range.end)),
        Function::QueryTimeRange => Some(millis(context.range.end) - millis(context.range.start)),
        Function::ParseDate => parse_date(arguments),
        Function::FormatDate => return Some(format_date(arguments).unwrap_or_default()),
        _ => return None,
    };
    Some(value.filter(|number| number.is_finite()).map_or(Value::Null, Value::Number))
}

fn millis(at: Timestamp) -> f64 {
    Value::Timestamp(at).number().unwrap_or(0.0)
}

/// Half away from zero.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn round(number: Option<f64>, digits: Option<Option<f64>>) -> Option<f64> {
    let digits = digits.unwrap_or(Some(0.0))?.clamp(-15.0, 15.0) as i32;
    let scale = 10_f64.powi(digits);
    Some((number? * scale).round() / scale)
}

fn whole(number: f64, least: f64, most: f64) -> Option<f64> {
    let whole = number.trunc();
    (least <= whole && whole <= most).then_some(whole)
}

/// Kilometres along a great circle between two places in degrees.
fn haversine(places: [Option<f64>; 4]) -> Option<f64> {
    const EARTH_RADIUS_KM: f64 = 6371.0;
    let [Some(from), Some(from_east), Some(to), Some(to_east)] = places else { return None };
    let north = ((to - from).to_radians() / 2.0).sin().powi(2);
    let east = ((to_east - from_east).to_radians() / 2.0).sin().powi(2);
    let part = north + from.to_radians().cos() * to.to_radians().cos() * east;
    Some(2.0 * EARTH_RADIUS_KM * part.sqrt().asin())
}

fn zone(arguments: &[Value]) -> Option<Tz> {
    match arguments.get(2) {
        None => Some(Tz::UTC),
        Some(name) => name.as_text()?.parse().ok(),
    }
}

fn parse_date(arguments: &[Value]) -> Option<f64> {
    let (text, pattern) = (arguments.first()?.as_text()?, arguments.get(1)?.as_text()?);
    let form = of_java(&pattern)?;
    if let Ok(with_offset) = DateTime::parse_from_str(&text, &form) {
        return Some(millis(Timestamp::from_millis(with_offset.timestamp_millis())));
    }
    let local = NaiveDateTime::parse_from_str(&text, &form).ok().or_else(|| {
        let day = chrono::NaiveDate::parse_from_str(&text, &form).ok()?;
        Some(day.and_time(chrono::NaiveTime::MIN))
    })?;
    let at = zone(arguments)?.from_local_datetime(&local).earliest()?;
    Some(millis(Timestamp::from_millis(at.timestamp_millis())))
}

fn format_date(arguments: &[Value]) -> Option<Value> {
    let form = arguments.get(1)?.as_text()?;
    // A form with an unknown letter would panic when it is written.
    if StrftimeItems::new(&form).any(|item| matches!(item, Item::Error)) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
    let at = DateTime::<Utc>::from_timestamp_millis(arguments.first()?.number()? as i64)?;
    Some(Value::text(&at.with_timezone(&zone(arguments)?).format(&form).to_string()))
}

/// A `java.time` pattern as one of chrono's.
fn of_java(pattern: &str) -> Option<String> {
    let mut form = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix('\'') {
            let (literal, tail) = tail.split_once('\'')?;
            form.push_str(if literal.is_empty() { "'" } else { literal });
            rest = tail;
            continue;
        }
        let count = rest.chars().take_while(|next| *next == c).count();
        let directive = match (c, count) {
            ('y' | 'u', 2) => "%y",
            ('y' | 'u', _) => "%Y",
            ('M' | 'L', 1 | 2) => "%m",
            ('M' | 'L', 3) => "%b",
            ('M' | 'L', _) => "%B",
            ('d', _) => "%d",
            ('D', _) => "%j",
            ('H', _) => "%H",
            ('h', _) => "%I",
            ('m', _) => "%M",
            ('s', _) => "%S",
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('S', 9) => "%9f",
            ('a', _) => "%p",
            ('E', 1..=3) => "%a",
            ('E', _) => "%A",
            ('Z', 1..=3) => "%z",
            ('X' | 'x', _) => "%#z",
            ('%', _) => "%%",
            (c, _) if c.is_ascii_alphabetic() => return None,
            (c, _) => {
                form.extend(std::iter::repeat_n(c, count));
                ""
            }
        };
        form.push_str(directive);
        rest = rest.get(c.len_utf8() * count..)?;
    }
    Some(form)
}

//! The forms that AWS's alarm texts write numbers and instants in.

use chrono::{DateTime, Utc};

use crate::time::Timestamp;

/// A number as Java's `Double.toString` writes it: `99.5`, `0.0`, `2.0E7`.
///
/// Source: recorded state reasons; the Java Language Specification for the exponent form.
pub(super) fn java_double(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// `22/07/22 15:57:45`, the form inside datapoint lists.
pub(super) fn short_date(at: Timestamp) -> String {
    calendar(at, "%d/%m/%y %H:%M:%S")
}

/// `2019-10-02T17:04:40.985+0000`, the form of reason data, events and notifications.
pub fn instant(at: Timestamp) -> String {
    calendar(at, "%Y-%m-%dT%H:%M:%S%.3f+0000")
}

/// `Friday 22 July, 2022 15:57:45 UTC`, the form of composite reasons.
pub(super) fn long_date(at: Timestamp) -> String {
    calendar(at, "%A %d %B, %Y %H:%M:%S UTC")
}

fn calendar(at: Timestamp, form: &str) -> String {
    match DateTime::<Utc>::from_timestamp_millis(at.as_millis()) {
        Some(date) => date.format(form).to_string(),
        None => at.to_string(),
    }
}

/// `1 datapoint`, `2 datapoints`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `was` or `were`.
pub(super) fn was(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// The longest start of `text` that has at most `max` characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    match text.char_indices().nth(max) {
        Some((at, _)) => text.get(..at).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (99.5, "99.5"),
            (20_000.0, "20000.0"),
            (99.501_602_296_934_34, "99.50160229693434"),
            (-1.0, "-1.0"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (123_456_789.0, "1.23456789E8"),
            (0.001, "0.001"),
            (0.000_5, "5.0E-4"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn instants_are_written_in_the_three_recorded_forms() {
        let at = Timestamp::from_millis(1_658_505_465_985);
        assert_eq!(short_date(at), "22/07/22 15:57:45");
        assert_eq!(instant(at), "2022-07-22T15:57:45.985+0000");
        assert_eq!(long_date(at), "Friday 22 July, 2022 15:57:45 UTC");
    }
}

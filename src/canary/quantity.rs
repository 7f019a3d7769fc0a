//! Durations, sizes and shares as people write them: `300ms`, `1m30s`, `10 KiB`, `0.1%`.

use std::time::Duration;

/// BOUND: ten years; longer ones are typing errors.
const MILLIS_MAX: f64 = 10.0 * 365.0 * 86_400_000.0;

const DURATION_UNITS: &[(&str, f64)] = &[
    ("ms", 1.0),
    ("s", 1_000.0),
    ("m", 60_000.0),
    ("min", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
    ("w", 604_800_000.0),
];

const SIZE_UNITS: &[(&str, f64)] = &[
    ("b", 1.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
];

/// Reads a duration: one or more numbers, each with its unit, largest first by habit.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        millis += number * factor(DURATION_UNITS, unit)?;
        rest = after.trim_start();
    }
    // Nanoseconds keep fractions of a millisecond.
    (millis <= MILLIS_MAX).then(|| Duration::from_secs_f64(millis / 1000.0))
}

/// Reads a number of bytes; the unit is needed.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text.trim())?;
    let size = number * factor(SIZE_UNITS, &unit.trim().to_ascii_lowercase())?;
    exact(size.round())
}

/// Reads a share: a number before a percent sign.
pub fn percent(text: &str) -> Option<f64> {
    let (number, rest) = leading_number(text.trim())?;
    (rest.trim() == "%").then_some(number)
}

/// Reads a bare number.
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let starts_right = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let number: f64 = text.parse().ok()?;
    (starts_right && number.is_finite()).then_some(number)
}

/// A whole number of at most 2^53, from a float that holds one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against the range just before"
)]
fn exact(float: f64) -> Option<u64> {
    (0.0..=9_007_199_254_740_992.0).contains(&float).then_some(float as u64)
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

fn factor(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("300ms", Some(300)),
            ("1.5s", Some(1_500)),
            ("1m30s", Some(90_000)),
            ("1 h 5 m", Some(3_900_000)),
            ("30d", Some(2_592_000_000)),
            ("10", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("5 parsecs", None),
            ("99999999999d", None),
        ] {
            let read = duration(text).map(|duration| duration.as_millis());
            assert_eq!(read, millis, "{text}");
        }
    }

    #[test]
    fn sizes_and_shares_need_their_unit() {
        assert_eq!(bytes("10 KiB"), Some(10_240));
        assert_eq!(bytes("1.5MB"), Some(1_500_000));
        assert_eq!(bytes("12"), None);
        assert_eq!(percent("0.1%"), Some(0.1));
        assert_eq!(percent("1"), None);
        assert_eq!(number("-1.5e3"), Some(-1500.0));
        assert_eq!(number("inf"), None);
    }
}

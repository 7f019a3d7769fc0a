//! How instants, lengths of time and numbers are said to people.

use crate::time::Timestamp;

/// `2026-11-24 17:04:05`, in UTC.
pub(super) fn instant(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(..19).unwrap_or(&text).replacen('T', " ", 1)
}

/// `2026-11-24 17:04`, in UTC; with seconds only where there are some.
pub(super) fn minute(at: Timestamp) -> String {
    let text = instant(at);
    text.strip_suffix(":00").map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// `45 s`, `12 min`, `2 h 14 min`, `3 d 4 h`: the two largest units.
pub(super) fn length(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds.max(0);
    let mut parts = Vec::new();
    for (width, name) in units {
        let count = left / width;
        left %= width;
        match (count, parts.len()) {
            (0, 0) => {}
            (0, _) => break,
            _ => parts.push(format!("{count} {name}")),
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0".to_owned() } else { parts.join(" ") }
}

/// `43,200`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    groups.join(",")
}

/// `once`, `twice`, `7 times`, `never`.
pub(super) fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0"),
            (45, "45 s"),
            (60, "1 min"),
            (90, "1 min 30 s"),
            (8_040, "2 h 14 min"),
            (86_400, "1 d"),
            (86_400 + 59, "1 d"),
            (3 * 86_400 + 4 * 3_600 + 5, "3 d 4 h"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([7, 999, 1_000, 43_200].map(grouped), ["7", "999", "1,000", "43,200"]);
    }
}

//! `pattern`: groups texts that differ only in their variable parts.

use std::collections::HashMap;

use super::InsightsError;
use super::row::Row;
use super::value::Value;

/// Distinct patterns held at once.
const PATTERNS_MAX: usize = 100_000;

/// Patterns seen so far, with how often.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    counts: HashMap<String, (f64, &'static str)>,
    total: f64,
}

impl Patterns {
    /// Takes one text in.
    pub(super) fn add(&mut self, text: &str) -> Result<(), InsightsError> {
        let pattern = pattern_of(text);
        if self.counts.len() >= PATTERNS_MAX && !self.counts.contains_key(&pattern) {
            return Err(InsightsError::TooLarge { limit: PATTERNS_MAX, what: "patterns" });
        }
        self.total += 1.0;
        self.counts.entry(pattern).or_insert_with(|| (0.0, severity(text))).0 += 1.0;
        Ok(())
    }

    /// One row a pattern, the most frequent first.
    pub(super) fn finish(self) -> Vec<Row<'static>> {
        let mut counts: Vec<(String, (f64, &'static str))> = self.counts.into_iter().collect();
        counts.sort_by(|(a, (m, _)), (b, (n, _))| n.total_cmp(m).then_with(|| a.cmp(b)));
        let row = |(pattern, (count, severity)): (String, (f64, &str))| {
            let ratio = (count / self.total * 1e4).round() / 1e4;
            Row::of_values(vec![
                ("@pattern".into(), Value::text(&pattern)),
                ("@ratio".into(), Value::Number(ratio)),
                ("@sampleCount".into(), Value::Number(count)),
                ("@severityLabel".into(), Value::text(severity)),
            ])
        };
        counts.into_iter().map(row).collect()
    }
}

fn severity(text: &str) -> &'static str {
    let words = [
        ("ERROR", ["ERROR", "FATAL", "CRITICAL", "EXCEPTION"].as_slice()),
        ("WARN", &["WARN"]),
        ("DEBUG", &["DEBUG", "TRACE"]),
    ];
    let upper = text.to_uppercase();
    let found = words.into_iter().find(|(_, words)| words.iter().any(|word| upper.contains(word)));
    found.map_or("INFO", |(label, _)| label)
}

/// The text with each variable part replaced by `<Type-N>`, numbered in order.
fn pattern_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut number = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '+');
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        if end == 0 {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(rest.get(..length).unwrap_or(""));
            rest = rest.get(length..).unwrap_or("");
            continue;
        }
        let word = rest.get(..end).unwrap_or("");
        // A full stop or colon at the end belongs to the sentence.
        let core = word.trim_end_matches(['.', ':']);
        match kind_of(core) {
            Some(kind) => {
                number += 1;
                out.push_str(&format_token(kind, number));
                out.push_str(word.get(core.len()..).unwrap_or(""));
            }
            None => out.push_str(word),
        }
        rest = rest.get(end..).unwrap_or("");
    }
    out
}

fn format_token(kind: &str, number: u32) -> String {
    format!("<{kind}-{number}>")
}

fn kind_of(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let hex_or_dash = word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if word.len() == 36 && hex_or_dash && word.matches('-').count() == 4 {
        return Some("UUID");
    }
    if word.parse::<core::net::IpAddr>().is_ok() {
        return Some("IP");
    }
    let starts_with_year = word.len() >= 10 && word.as_bytes().get(4) == Some(&b'-');
    if starts_with_year && word.get(..10).is_some_and(|day| day.matches('-').count() == 2) {
        return Some("Date");
    }
    if word.matches(':').count() >= 1
        && word.bytes().all(|b| b.is_ascii_digit() || b".:".contains(&b))
    {
        return Some("Time");
    }
    if word.parse::<f64>().is_ok() {
        return Some("Number");
    }
    Some("Token")
}

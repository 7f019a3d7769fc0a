use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// BOUND: longer texts are not compared line by line; that would be quadratic work on answers.
const BYTES_MAX: usize = 128 * 1024;
const LINES_MAX: usize = 2_000;

/// BOUND: of lines shown.
const SHOWN_LINES_MAX: usize = 60;
const SHOWN_LINE_CHARS_MAX: usize = 300;

/// Texts of one line up to this length are read side by side without help.
const ONE_LINE_CHARS: usize = 60;

/// The difference between an expected and an actual value, line by line, when both are long
/// enough that a person would look for it.
pub(super) fn of(expected: &Value, actual: &Value) -> Option<String> {
    let (expected, actual) = match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => (expected.clone(), actual.clone()),
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => {
            (pretty(expected)?, pretty(actual)?)
        }
        _ => return None,
    };
    let is_long = |text: &str| text.contains('\n') || text.chars().count() > ONE_LINE_CHARS;
    let is_huge = |text: &str| text.len() > BYTES_MAX || text.lines().count() > LINES_MAX;
    if !(is_long(&expected) && is_long(&actual)) || is_huge(&expected) || is_huge(&actual) {
        return None;
    }
    Some(lines(&expected, &actual))
}

fn lines(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let mut shown: Vec<String> = Vec::new();
    let groups = diff.grouped_ops(2);
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            shown.push("  ..".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line: String =
                change.value().trim_end().chars().take(SHOWN_LINE_CHARS_MAX).collect();
            shown.push(format!("{sign} {line}"));
        }
    }
    let more = shown.len().saturating_sub(SHOWN_LINES_MAX);
    shown.truncate(SHOWN_LINES_MAX);
    if more > 0 {
        shown.push(format!("  .. {more} more lines"));
    }
    shown.join("\n")
}

fn pretty(value: &Value) -> Option<String> {
    serde_json::to_string_pretty(value).ok()
}

use std::borrow::Cow;

use crate::diagnostic::printable;

/// The text with everything made harmless that could steer a terminal or a CI system.
///
/// Control characters become visible. So do the marks by which GitHub Actions and Azure Pipelines
/// find commands in a job's output, wherever they are obeyed: `::` at the start of a line (blanks
/// do not protect), `##[` and `##vso[` anywhere.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let shown = printable(text);
    if !is_obeyed(&shown) {
        return shown;
    }
    let lines = shown.split('\n').map(|line| {
        let line = line.replace("##[", "#\\u{23}[").replace("##vso[", "#\\u{23}vso[");
        let (blanks, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.strip_prefix("::") {
            Some(command) => format!("{blanks}:\\u{{3a}}{command}"),
            None => line,
        }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

fn is_obeyed(text: &str) -> bool {
    text.contains("##[")
        || text.contains("##vso[")
        || text.split('\n').any(|line| line.trim_start().starts_with("::"))
}

/// The text on one line.
pub(super) fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n").replace('\t', " ")
}

/// At most `max` characters of the text, with a mark where it was cut.
pub(super) fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let rest = text.chars().count() - max;
            Cow::Owned(format!("{}… ({rest} more characters)", text.get(..end).unwrap_or("")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_of_a_ci_system_passes_and_plain_text_does() {
        for (text, shown) in [
            ("a::b ## [x]", "a::b ## [x]"),
            ("::set-output name=x::y", ":\\u{3a}set-output name=x::y"),
            ("ok\n \t::stop-commands::x", "ok\n \t:\\u{3a}stop-commands::x"),
            ("a ##[error]b", "a #\\u{23}[error]b"),
            ("##vso[task.setvariable]", "#\\u{23}vso[task.setvariable]"),
            ("\u{1b}]8;;http://x\u{7}", "\\u{1b}]8;;http://x\\u{7}"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 2), "äö… (2 more characters)");
        assert_eq!(one_line("a\nb\tc"), "a\\nb c");
    }
}

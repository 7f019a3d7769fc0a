use std::collections::HashMap;

use serde_yaml::options::AliasLimits;
use serde_yaml::{Budget, DuplicateKeyPolicy, Error, MergeKeyPolicy, Options};

use super::node::{Node, NodeValue};
use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// BOUND: larger files are refused unread; nobody writes a canary of a megabyte.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// BOUND: a single text; larger ones belong into a file of their own.
const SCALAR_BYTES_MAX: usize = 256 * 1024;

/// BOUND: steps of steps of maps come to about ten.
const DEPTH_MAX: usize = 32;

const NODES_MAX: usize = 50_000;
const EVENTS_MAX: usize = 200_000;
const ALIASES_MAX: usize = 100;

/// Reads one document.
///
/// Errors: the first fault of its syntax; or else every key that is given twice and every text
/// that is too long.
pub(in crate::canary) fn parse(file: &SourceFile) -> Result<Node, Vec<Diagnostic>> {
    let text = file.text();
    if text.len() > FILE_BYTES_MAX {
        let message = "this file is larger than 1 MiB";
        return Err(vec![Diagnostic::error("file-too-large", message, Span::point(0))]);
    }
    if let Some(at) = text.find('\0') {
        let message = "this file holds a NUL character: it is not a text file, or not in UTF-8";
        return Err(vec![Diagnostic::error("yaml-syntax", message, Span::new(at, at + 1))]);
    }
    let mut root = serde_yaml::from_str_with_options::<Node>(text, options())
        .map_err(|error| vec![syntax_fault(&error, file)])?;
    let mut faults = Vec::new();
    finish(&mut root, &mut faults);
    if faults.is_empty() { Ok(root) } else { Err(faults) }
}

/// As YAML 1.2 has it: `no`, `012` and `1_000` are texts; unknown tags, a second document and
/// whatever only makes a file grow are refused.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_reader_input_bytes = Some(FILE_BYTES_MAX);
    budget.flow_nesting_limit = DEPTH_MAX;
    budget.max_depth = DEPTH_MAX;
    budget.max_nodes = NODES_MAX;
    budget.max_events = EVENTS_MAX;
    budget.max_aliases = ALIASES_MAX;
    budget.max_anchors = ALIASES_MAX;
    budget.max_recorded_anchor_events = NODES_MAX;
    budget.max_recorded_anchor_bytes = FILE_BYTES_MAX;
    budget.max_documents = 2;
    budget.max_total_scalar_bytes = FILE_BYTES_MAX;
    budget.max_merge_keys = ALIASES_MAX;
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = NODES_MAX;
    aliases.max_replay_stack_depth = DEPTH_MAX;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits = aliases;
    // Our own check shows both places.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::Merge;
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.reject_unsupported_tags = true;
    options.with_snippet = false;
    options
}

fn syntax_fault(error: &Error, file: &SourceFile) -> Diagnostic {
    let at = error.location().map_or(0, |location| {
        let offset = location.span().byte_offset().and_then(|at| usize::try_from(at).ok());
        let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        offset.unwrap_or_else(|| file.offset(place(location.line()), place(location.column())))
    });
    let at = at.min(file.text().len());
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    let code = match cause {
        Error::MultipleDocuments { .. } => {
            let message = "a second document begins here; a file holds one canary";
            return Diagnostic::error("yaml-syntax", message, Span::point(at));
        }
        Error::UnsupportedTag { .. } => {
            let message = "tags have no meaning here";
            return Diagnostic::error("yaml-tag", message, Span::point(at))
                .help("write the value without the word that begins with `!`");
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "yaml-limit",
        _ => "yaml-syntax",
    };
    let text = cause.to_string();
    // The place is shown by us.
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let message = message.replace("string scalar", "a text");
    let is_limit = code == "yaml-limit" || message.contains("recursion limit");
    let code = if is_limit { "yaml-limit" } else { code };
    let limit = "this file is nested too deep, or too large when written out";
    let message = if is_limit { limit.to_owned() } else { message };
    let hint = syntax_hint(file, at, &message);
    Diagnostic::error(code, message, Span::point(at)).maybe_help(hint)
}

/// What people most often meant when YAML did not understand them.
fn syntax_hint(file: &SourceFile, at: usize, message: &str) -> Option<String> {
    let line = file.line(file.location(at).line);
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_start();
    let is_list_broken = message.contains("expected '-' indicator");
    let hint = if line.trim_start_matches(' ').starts_with('\t') {
        "YAML is indented with spaces"
    } else if value.trim_start_matches("- ").starts_with("{{") {
        "a text that begins with `{{` needs quotes around it: \"{{ .. }}\""
    } else if value.starts_with(['@', '`', '%', '&', '*', '!']) {
        "a text that begins with this character needs quotes around it"
    } else if message.contains("flow mapping") || message.contains("flow sequence") {
        "in `{ }` and `[ ]`, a text with any of [ ] { } , or `: ` needs quotes around it"
    } else if value.contains(": ") {
        "a text that holds `: ` needs quotes around it"
    } else if is_list_broken {
        "keys of one step begin in the same column; a new step begins with `- `"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// Gives lists and maps the extent of what is in them, and looks for keys that are given twice.
fn finish(node: &mut Node, faults: &mut Vec<Diagnostic>) {
    let mut span = node.span;
    match &mut node.value {
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
        NodeValue::Text(text) if text.len() > SCALAR_BYTES_MAX => {
            let message = "this text is longer than 256 KiB";
            faults.push(Diagnostic::error("yaml-limit", message, Span::point(span.start)));
        }
        NodeValue::Text(_) => {}
        NodeValue::List(items) => {
            for item in items {
                finish(item, faults);
                span.end = span.end.max(item.span.end);
            }
        }
        NodeValue::Map(entries) => {
            let mut seen: HashMap<&str, Span> = HashMap::new();
            for entry in entries {
                finish(&mut entry.value, faults);
                span.end = span.end.max(entry.value.span.end).max(entry.key_span.end);
                match seen.get(entry.key.as_str()) {
                    Some(first) => faults.push(duplicate(&entry.key, entry.key_span, *first)),
                    None => {
                        seen.insert(&entry.key, entry.key_span);
                    }
                }
            }
        }
    }
    node.span = span;
}

fn duplicate(key: &str, second: Span, first: Span) -> Diagnostic {
    let message = format!("`{key}` is given twice");
    Diagnostic::error("duplicate-key", message, second).also(first, "first here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_fault(text: &str) -> String {
        let file = SourceFile::new("f", text);
        let faults = parse(&file).unwrap_err();
        let at = file.location(faults[0].span().unwrap().start);
        format!("{}:{} {} {}", at.line, at.column, faults[0].code, faults[0].message)
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "a: 1\n\"b c\": 'x y'\nlist:\n  - { k: v }\nblock: |\n  l1\n  l2\n";
        let file = SourceFile::new("f", text);
        let root = parse(&file).unwrap();
        let entries = root.as_map().unwrap();
        let slices: Vec<_> = entries
            .iter()
            .map(|entry| (file.slice(entry.key_span), file.slice(entry.value.span)))
            .collect();
        assert_eq!(
            slices,
            [("a", "1"), ("\"b c\"", "'x y'"), ("list", "- { k: v"), ("block", "l1\n  l2\n"),]
        );
    }

    #[test]
    fn scalars_are_read_as_yaml_1_2_has_them() {
        let file = SourceFile::new("f", "[no, 012, 1_000, true, 1.5, ~, 'x', 7]");
        let json = parse(&file).unwrap().to_json();
        let expected = r#"["no","012","1_000",true,1.5,null,"x",7]"#;
        assert_eq!(json.to_string(), expected);
    }

    #[test]
    fn a_fault_of_syntax_has_a_place_and_a_code() {
        for (text, expected) in [
            ("a: [", "1:4 yaml-syntax unclosed bracket '['"),
            ("a: b: c", "1:5 yaml-syntax mapping values are not allowed in this context"),
            ("? [a]\n: b\n", "1:3 yaml-syntax expected a text"),
            ("a: !foo 5\n", "1:9 yaml-tag tags have no meaning here"),
            (
                "a: 1\n---\nb: 2\n",
                "3:1 yaml-syntax a second document begins here; a file holds one canary",
            ),
            ("a: *nope", "1:4 yaml-syntax alias references unknown anchor"),
            ("a: 1\nb: 2\na: 3\n", "3:1 duplicate-key `a` is given twice"),
            (
                "a\0b",
                "1:2 yaml-syntax this file holds a NUL character: it is not a text file, or not in \
                 UTF-8",
            ),
        ] {
            assert_eq!(first_fault(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_unquoted_template_is_explained() {
        let file = SourceFile::new("f", "a: {{ x }}\n");
        let help = parse(&file).unwrap_err().remove(0).help.unwrap();
        assert_eq!(help, "a text that begins with `{{` needs quotes around it: \"{{ .. }}\"");
    }

    #[test]
    fn whatever_only_grows_is_refused() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        let level = |n: usize| {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            format!("a{n}: &a{n} [{refs}]\n")
        };
        laughs.extend((1..9).map(level));
        for text in ["[".repeat(100_000), "[{a: ".repeat(20_000), laughs, "- x\n".repeat(60_000)] {
            let fault = first_fault(&text);
            assert!(fault.contains("yaml-limit"), "{fault}");
        }
        assert!(first_fault(&"x".repeat(2_000_000)).contains("file-too-large"));
        assert!(first_fault(&format!("a: {}", "x".repeat(300_000))).contains("yaml-limit"));
    }
}

//! Regexes of canary files, compiled with limits: linear in time, and small.

use regex::{Regex, RegexBuilder};

/// BOUND: of the compiled program; a pattern that needs more is refused.
const SIZE_BYTES_MAX: usize = 1024 * 1024;

/// BOUND: of nested groups; the compiler recurses.
const NEST_MAX: u32 = 32;

/// Compiles `/pattern/flags` with the flags `i`, `m`, `s`, `x`, or a bare pattern.
///
/// Errors: what the compiler says, on one line.
pub(crate) fn compile(text: &str) -> Result<Regex, String> {
    let (pattern, flags) = notation(text);
    let compiled = RegexBuilder::new(pattern)
        .size_limit(SIZE_BYTES_MAX)
        .dfa_size_limit(SIZE_BYTES_MAX)
        .nest_limit(NEST_MAX)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .ignore_whitespace(flags.contains('x'))
        .build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().next_back().unwrap_or("").trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    })
}

/// A pattern between slashes and the flags after it; anything else is all pattern.
fn notation(text: &str) -> (&str, &str) {
    let between = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    match between {
        Some((pattern, flags)) if flags.chars().all(|c| "imsx".contains(c)) => (pattern, flags),
        _ => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_are_understood() {
        assert!(compile("/^a.c$/i").unwrap().is_match("ABC"));
        assert!(compile("^a/c$").unwrap().is_match("a/c"));
        assert!(compile("/a/b").unwrap().is_match("/a/b"));
    }

    #[test]
    fn bombs_are_refused_in_one_line() {
        for bomb in ["(a{1000}){1000}", &"(".repeat(1000), "(?=x)", "["] {
            let problem = compile(bomb).unwrap_err();
            assert!(!problem.is_empty() && !problem.contains('\n'), "{problem}");
        }
    }
}

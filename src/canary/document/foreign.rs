use serde_json::Value;
use serde_yaml::options::AliasLimits;
use serde_yaml::{Budget, DuplicateKeyPolicy, Error, MergeKeyPolicy, Options};
use thiserror::Error as ThisError;

/// BOUND: descriptions of large interfaces come to a few megabytes.
const BYTES_MAX: usize = 32 * 1024 * 1024;
const DEPTH_MAX: usize = 64;
const NODES_MAX: usize = 2_000_000;
const ALIASES_MAX: usize = 10_000;

/// Why the document of another program cannot be read.
#[derive(Debug, ThisError)]
pub(in crate::canary) enum ForeignFault {
    #[error("it is larger than {} MiB", BYTES_MAX >> 20)]
    TooLarge,
    #[error("{0}")]
    Json(serde_json::Error),
    #[error("{0}")]
    Yaml(Box<Error>),
}

/// Reads the document of another program, JSON or YAML.
///
/// Errors: its size, or the first fault of its syntax.
pub(in crate::canary) fn value(text: &str) -> Result<Value, ForeignFault> {
    if text.len() > BYTES_MAX {
        return Err(ForeignFault::TooLarge);
    }
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        // What only looks like JSON may still be YAML.
        let json = serde_json::from_str(text).map_err(ForeignFault::Json);
        return json.or_else(|fault| yaml(text).map_err(|_also| fault));
    }
    yaml(text)
}

fn yaml(text: &str) -> Result<Value, ForeignFault> {
    let mut budget = Budget::default();
    budget.max_reader_input_bytes = Some(BYTES_MAX);
    budget.flow_nesting_limit = DEPTH_MAX;
    budget.max_depth = DEPTH_MAX;
    budget.max_nodes = NODES_MAX;
    budget.max_events = NODES_MAX * 4;
    budget.max_aliases = ALIASES_MAX;
    budget.max_anchors = ALIASES_MAX;
    budget.max_recorded_anchor_events = NODES_MAX;
    budget.max_recorded_anchor_bytes = BYTES_MAX;
    budget.max_total_scalar_bytes = BYTES_MAX;
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = NODES_MAX;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits = aliases;
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.merge_keys = MergeKeyPolicy::Merge;
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.with_snippet = false;
    serde_yaml::from_str_with_options(text, options)
        .map_err(|error| ForeignFault::Yaml(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_languages_are_read_and_what_only_grows_is_refused() {
        for text in ["{\"a\": [1]}", "a: [1]\n", "\u{feff}a:\n- 1\n", "{a: [1]}"] {
            assert_eq!(value(text).unwrap(), json!({ "a": [1] }), "{text:?}");
        }
        assert!(value("{\"a\":").unwrap_err().to_string().contains("EOF"));
        assert!(value(&"[".repeat(100_000)).is_err());
    }
}

use serde::Deserialize;

/// Which groups an account policy is for, as its selection criteria say.
///
/// Source: CloudWatch Logs API Reference, PutAccountPolicy, `selectionCriteria`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSelection {
    /// Every group.
    All,
    /// Those of these names.
    Named(Vec<String>),
    /// Those not of these names.
    NotNamed(Vec<String>),
    /// Those that start with one of these.
    Prefixed(Vec<String>),
    /// Those that start with none of these.
    NotPrefixed(Vec<String>),
}

impl GroupSelection {
    /// Reads criteria; `None` when they are of no form that is known.
    pub fn parse(criteria: Option<&str>) -> Option<Self> {
        let text = criteria.unwrap_or_default().trim();
        if text.is_empty() {
            return Some(Self::All);
        }
        let (field, rest) = text.split_once(char::is_whitespace)?;
        let rest = rest.trim();
        let is_prefix = match field {
            "LogGroupName" => false,
            "LogGroupNamePrefix" => true,
            _ => return None,
        };
        let (names, is_in) = match rest.strip_prefix("NOT IN") {
            Some(list) => (names(list)?, false),
            None => match (rest.strip_prefix("IN"), rest.strip_prefix('=')) {
                (Some(list), _) => (names(list)?, true),
                (None, Some(one)) => (vec![quoted(one.trim())?], true),
                (None, None) => return None,
            },
        };
        Some(match (is_prefix, is_in) {
            (false, true) => Self::Named(names),
            (false, false) => Self::NotNamed(names),
            (true, true) => Self::Prefixed(names),
            (true, false) => Self::NotPrefixed(names),
        })
    }

    /// Whether a group is one of them.
    pub fn holds(&self, group: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == group);
        let starts = |names: &[String]| names.iter().any(|name| group.starts_with(name.as_str()));
        match self {
            Self::All => true,
            Self::Named(names) => named(names),
            Self::NotNamed(names) => !named(names),
            Self::Prefixed(names) => starts(names),
            Self::NotPrefixed(names) => !starts(names),
        }
    }
}

/// A list is one of JSON's.
fn names(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text.trim()).ok()
}

fn quoted(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Text(String);
    serde_json::from_str::<Text>(text).ok().map(|Text(text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_read_in_each_published_form() {
        let holds = |criteria: &str, group: &str| {
            GroupSelection::parse(Some(criteria)).expect(criteria).holds(group)
        };
        assert!(holds("", "any"));
        assert!(!holds(r#"LogGroupName NOT IN ["a", "b"]"#, "a"));
        assert!(holds(r#"LogGroupName NOT IN ["a","b"]"#, "c"));
        assert!(holds(r#"LogGroupName IN ["a"]"#, "a"));
        assert!(holds(r#"LogGroupNamePrefix = "/aws""#, "/aws/x"));
        assert!(!holds(r#"LogGroupNamePrefix NOT IN ["/aws"]"#, "/aws/x"));
        for criteria in ["LogGroupName", "Other = \"x\"", "LogGroupName LIKE [\"a\"]", "x y"] {
            assert_eq!(GroupSelection::parse(Some(criteria)), None, "{criteria}");
        }
    }
}

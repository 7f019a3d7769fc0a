use std::fmt;

use serde_json::{Value, json};

/// How an element is found, with its texts rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// By what.
    pub by: SelectBy,
    /// Take the n-th match (0-based) instead of insisting on one.
    pub nth: Option<usize>,
}

/// By what an element is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectBy {
    /// A CSS selector; it reaches into open shadow roots.
    Css(String),
    /// An XPath.
    XPath(String),
    /// Visible text: the whole of it if that matches anything, otherwise a part, in any case.
    Text(String),
    /// ARIA role and, if given, accessible name (matched as texts are).
    Role {
        /// `button`.
        role: String,
        /// Accessible name.
        name: Option<String>,
    },
    /// The text of its label.
    Label(String),
    /// Its placeholder.
    Placeholder(String),
    /// Its `data-testid`.
    TestId(String),
}

impl Selector {
    /// Finds by a CSS selector.
    pub fn css(selector: impl Into<String>) -> Self {
        Self { by: SelectBy::Css(selector.into()), nth: None }
    }

    /// The same as the page scripts read it.
    pub(in crate::runner::browser) fn to_argument(&self) -> Value {
        let (by, role, value) = match &self.by {
            SelectBy::Css(value) => ("css", None, Some(value)),
            SelectBy::XPath(value) => ("xpath", None, Some(value)),
            SelectBy::Text(value) => ("text", None, Some(value)),
            SelectBy::Role { role, name } => ("role", Some(role), name.as_ref()),
            SelectBy::Label(value) => ("label", None, Some(value)),
            SelectBy::Placeholder(value) => ("placeholder", None, Some(value)),
            SelectBy::TestId(value) => ("test-id", None, Some(value)),
        };
        json!({ "by": by, "role": role, "value": value, "nth": self.nth })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            SelectBy::Css(value) => write!(f, "`{value}`")?,
            SelectBy::XPath(value) => write!(f, "xpath `{value}`")?,
            SelectBy::Text(value) => write!(f, "text {value:?}")?,
            SelectBy::Role { role, name: None } => write!(f, "{role}")?,
            SelectBy::Role { role, name: Some(name) } => write!(f, "{role} {name:?}")?,
            SelectBy::Label(value) => write!(f, "field {value:?}")?,
            SelectBy::Placeholder(value) => write!(f, "placeholder {value:?}")?,
            SelectBy::TestId(value) => write!(f, "test id {value:?}")?,
        }
        match self.nth {
            Some(nth) => write!(f, " (nth {nth})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reads_as_it_was_written() {
        let role = SelectBy::Role { role: "button".into(), name: Some("Buy".into()) };
        for (by, nth, text) in [
            (SelectBy::Css("#q".into()), None, "`#q`"),
            (SelectBy::Text("Log in".into()), Some(1), "text \"Log in\" (nth 1)"),
            (role, None, "button \"Buy\""),
        ] {
            assert_eq!(Selector { by, nth }.to_string(), text);
        }
    }
}

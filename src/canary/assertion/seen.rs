use std::borrow::Cow;

use serde_json::Value;

/// What a subject yielded.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<'a> {
    /// There is no such thing, and why: `the response has no header \`etag\``.
    Absent(Cow<'a, str>),
    /// A text, or a number or boolean that came as one: compared by what it says.
    Text(Cow<'a, str>),
    /// A value of our own making: a status, a count, a list of names. Compared by what it says.
    Value(Cow<'a, Value>),
    /// A signed stretch of time.
    Time {
        /// In seconds.
        seconds: f64,
        /// What a bare number means: 0.001 for milliseconds, 1 for seconds.
        unit: f64,
    },
    /// What a path or selector selected, perhaps nothing. JSON types are compared strictly.
    Nodes(Vec<Node<'a>>),
}

/// One selected node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// Where it is in the document: `$['items'][0]`, `li 2 of 3`.
    pub place: String,
    /// Its value.
    pub value: Cow<'a, Value>,
}

impl<'a> Seen<'a> {
    /// What a page showed: a text, a number, a boolean or a list; `None` when nothing matched.
    pub fn of_page(value: Option<&'a Value>) -> Self {
        match value {
            None => Self::Absent("nothing on the page matches".into()),
            Some(Value::String(text)) => Self::Text(text.as_str().into()),
            Some(other) => Self::Value(Cow::Borrowed(other)),
        }
    }

    /// A value that a script asserts on. Its type counts.
    pub fn of_script(value: &'a Value) -> Self {
        let node = Node { place: String::new(), value: Cow::Borrowed(value) };
        Self::Nodes(vec![node])
    }

    /// Milliseconds by default.
    pub(super) fn latency(elapsed: std::time::Duration) -> Self {
        Self::Time { seconds: elapsed.as_secs_f64(), unit: 0.001 }
    }

    pub(super) fn number(number: impl Into<Value>) -> Self {
        Self::Value(Cow::Owned(number.into()))
    }

    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

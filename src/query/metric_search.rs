//! The search language of SEARCH(): which metrics does a text name?
//!
//! Main type: [`MetricSearch`]. It looks at one metric's names at a time; listing the metrics and
//! reading their data is the caller's business.

use thiserror::Error;

use crate::telemetry::MetricId;

/// A parsed search.
///
/// Source: CloudWatch User Guide, "CloudWatch search expression syntax".
#[derive(Clone, Debug)]
pub struct MetricSearch {
    schema: Option<Schema>,
    terms: Option<Term>,
}

/// A text that is no search, with the byte where it stops being one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("invalid search at byte {offset}: expected {expected}")]
pub struct MetricSearchError {
    /// Where.
    pub offset: usize,
    /// What.
    pub expected: &'static str,
}

/// `{namespace, dimension, ..}`: exactly these dimensions, or any when none is named.
#[derive(Clone, Debug)]
struct Schema {
    namespace: String,
    dimensions: Vec<String>,
}

#[derive(Clone, Debug)]
enum Term {
    Or(Vec<Term>),
    And(Vec<Term>),
    Not(Box<Term>),
    /// A word, looked for in the parts that the designator names, or in all.
    Word {
        designator: Option<String>,
        text: Text,
    },
}

#[derive(Clone, Debug)]
enum Text {
    Exact(String),
    /// The word itself and its tokens.
    Partial {
        source: String,
        tokens: Vec<String>,
    },
}

impl MetricSearch {
    const CHARACTERS_MAX: usize = 1024;

    /// Reads a search: a schema, terms, or both.
    pub fn parse(source: &str) -> Result<Self, MetricSearchError> {
        if source.chars().count() > Self::CHARACTERS_MAX {
            return Err(MetricSearchError { offset: 0, expected: "at most 1024 characters" });
        }
        let mut reader = Reader { source, at: 0, depth: 0 };
        let schema = reader.schema()?;
        reader.take(",");
        let terms = if reader.is_at_end() { None } else { Some(reader.any()?) };
        if !reader.is_at_end() || (schema.is_none() && terms.is_none()) {
            return Err(reader.expected("a search term"));
        }
        Ok(Self { schema, terms })
    }

    /// Whether the search names this metric.
    pub fn matches(&self, metric: &MetricId) -> bool {
        let in_schema = self.schema.as_ref().is_none_or(|schema| schema.fits(metric));
        in_schema && self.terms.as_ref().is_none_or(|terms| terms.holds(metric))
    }
}

impl Schema {
    fn fits(&self, metric: &MetricId) -> bool {
        let own = &metric.dimensions;
        let exactly = self.dimensions.len() == own.len()
            && self.dimensions.iter().all(|name| own.get(name).is_some());
        *self.namespace == *metric.namespace && (self.dimensions.is_empty() || exactly)
    }
}

impl Term {
    fn holds(&self, metric: &MetricId) -> bool {
        match self {
            Self::Or(terms) => terms.iter().any(|term| term.holds(metric)),
            Self::And(terms) => terms.iter().all(|term| term.holds(metric)),
            Self::Not(term) => !term.holds(metric),
            Self::Word { designator, text } => match designator.as_deref() {
                Some("MetricName") => text.is_in(&metric.metric_name),
                Some("Namespace") => text.is_in(&metric.namespace),
                Some(name) => metric.dimensions.get(name).is_some_and(|value| text.is_in(value)),
                None => {
                    let dimensions = metric.dimensions.iter();
                    text.is_in(&metric.metric_name)
                        || text.is_in(&metric.namespace)
                        || dimensions
                            .into_iter()
                            .any(|d| text.is_in(&d.name) || text.is_in(&d.value))
                }
            },
        }
    }
}

impl Text {
    fn is_in(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => text == name,
            Self::Partial { source, tokens } => {
                // The whole name without punctuation is a token too.
                let whole = |text: &str| -> String {
                    text.chars().filter(|c| c.is_alphanumeric()).collect()
                };
                if whole(name).eq_ignore_ascii_case(&whole(source)) {
                    return true;
                }
                let own = tokens_of(name);
                match tokens.as_slice() {
                    [token] => own.iter().any(|own| own.eq_ignore_ascii_case(token)),
                    // Several tokens match in a row, and in their case.
                    tokens => own.windows(tokens.len().max(1)).any(|window| window == tokens),
                }
            }
        }
    }
}

/// Splits at camel-case humps, around runs of digits and at punctuation.
fn tokens_of(name: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    let mut fresh = true;
    for (at, c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            fresh = true;
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let digits_change = before.is_some_and(|b| b.is_numeric() != c.is_numeric());
        // `SDBFailure` is `SDB` and `Failure`: the last capital of a run begins a word.
        let hump = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || (before.is_some_and(char::is_uppercase)
                    && after.is_some_and(char::is_lowercase)));
        if fresh || digits_change || hump {
            tokens.push(String::new());
            fresh = false;
        }
        if let Some(token) = tokens.last_mut() {
            token.push(*c);
        }
    }
    tokens
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    const DEPTH_MAX: usize = 32;

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn skip_spaces(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.rest().is_empty()
    }

    const fn expected(&self, expected: &'static str) -> MetricSearchError {
        MetricSearchError { offset: self.at, expected }
    }

    fn take(&mut self, text: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let tail = self.rest().strip_prefix(word);
        let found = tail.is_some_and(|tail| !tail.starts_with(is_bare));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn schema(&mut self) -> Result<Option<Schema>, MetricSearchError> {
        if !self.take("{") {
            return Ok(None);
        }
        let mut names = Vec::new();
        loop {
            self.skip_spaces();
            names.push(if self.rest().starts_with('"') {
                self.quoted()?
            } else {
                let end = self.rest().find([',', '}']).unwrap_or(self.rest().len());
                let name = self.rest().get(..end).unwrap_or("").trim_end().to_owned();
                self.at += end;
                name
            });
            if names.last().is_some_and(String::is_empty) {
                return Err(self.expected("a name"));
            }
            if self.take("}") {
                break;
            }
            if !self.take(",") {
                return Err(self.expected(", or }"));
            }
        }
        let dimensions = names.split_off(1);
        Ok(names.pop().map(|namespace| Schema { namespace, dimensions }))
    }

    fn quoted(&mut self) -> Result<String, MetricSearchError> {
        let unclosed = self.expected("a closing quote");
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(unclosed)
    }

    fn any(&mut self) -> Result<Term, MetricSearchError> {
        let mut terms = vec![self.all()?];
        while self.take_word("OR") {
            terms.push(self.all()?);
        }
        Ok(Term::Or(terms))
    }

    /// AND, or simply one term after the other.
    fn all(&mut self) -> Result<Term, MetricSearchError> {
        let mut terms = vec![self.one()?];
        loop {
            let joined = self.take_word("AND");
            if !joined && (self.is_at_end() || self.rest().starts_with(')') || self.is_or()) {
                return Ok(Term::And(terms));
            }
            terms.push(self.one()?);
        }
    }

    fn is_or(&self) -> bool {
        self.rest().strip_prefix("OR").is_some_and(|tail| !tail.starts_with(is_bare))
    }

    fn one(&mut self) -> Result<Term, MetricSearchError> {
        self.depth += 1;
        if self.depth > Self::DEPTH_MAX {
            return Err(self.expected("fewer parentheses"));
        }
        let term = if self.take_word("NOT") {
            Term::Not(Box::new(self.one()?))
        } else if self.take("(") {
            let inner = self.any()?;
            if !self.take(")") {
                return Err(self.expected(")"));
            }
            inner
        } else {
            self.word()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn word(&mut self) -> Result<Term, MetricSearchError> {
        let first = self.text()?;
        if !self.take("=") {
            return Ok(Term::Word { designator: None, text: first });
        }
        let (Text::Exact(name) | Text::Partial { source: name, .. }) = first;
        self.skip_spaces();
        Ok(Term::Word { designator: Some(name), text: self.text()? })
    }

    fn text(&mut self) -> Result<Text, MetricSearchError> {
        self.skip_spaces();
        if self.rest().starts_with('"') {
            return self.quoted().map(Text::Exact);
        }
        let end = self.rest().find(|c| !is_bare(c)).unwrap_or(self.rest().len());
        let word = self.rest().get(..end).unwrap_or("");
        let tokens = tokens_of(word);
        if tokens.is_empty() {
            return Err(self.expected("a search term"));
        }
        self.at += end;
        Ok(Text::Partial { source: word.to_owned(), tokens })
    }
}

fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '"' | '=' | '{' | '}' | ',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Dimensions;

    fn matches(search: &str, namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> bool {
        let metric = MetricId {
            namespace: namespace.into(),
            metric_name: name.into(),
            dimensions: Dimensions::of(dimensions.iter().copied()),
        };
        MetricSearch::parse(search).expect(search).matches(&metric)
    }

    #[test]
    fn schemas_take_exactly_their_dimensions() {
        let dimensions = [("InstanceId", "i-1"), ("Zone", "a")];
        for (search, expected) in [
            ("{AWS/EC2, Zone, InstanceId}", true),
            ("{AWS/EC2,InstanceId}", false),
            ("{AWS/EC2}", true),
            ("{AWS/EBS}", false),
            ("{\"AWS/EC2\", InstanceId, Zone} CPUUtilization", true),
            ("{AWS/EC2, InstanceId, Zone}, MetricName=\"Disk\"", false),
        ] {
            assert_eq!(
                matches(search, "AWS/EC2", "CPUUtilization", &dimensions),
                expected,
                "{search}"
            );
        }
    }

    #[test]
    fn terms_match_tokens_as_published() {
        for (search, name, expected) in [
            ("count", "CustomCount1", true),
            ("customcount1", "CustomCount1", true),
            ("couNT", "CustomCount1", false),
            ("Count1", "CustomCount1", true),
            ("CustomCount", "CustomCount1", true),
            ("customcount", "CustomCount1", false),
            ("sdb", "SDBFailure", true),
            ("failure", "SDBFailure", true),
            ("333", "Project2-trial333", true),
            ("\"CustomCount1\"", "CustomCount1", true),
            ("\"CustomCount\"", "CustomCount1", false),
            ("network/errors", "network-errors", true),
            ("custom NOT failure", "CustomCount1", true),
            ("custom AND failure", "CustomCount1", false),
            ("failure OR (custom count)", "CustomCount1", true),
            ("MetricName=custom", "CustomCount1", true),
            ("Zone=\"a\"", "X", true),
            ("Zone=b", "X", false),
        ] {
            assert_eq!(matches(search, "App", name, &[("Zone", "a")]), expected, "{search} {name}");
        }
    }

    #[test]
    fn wrong_searches_say_where() {
        for (search, offset) in
            [("", 0), ("{", 1), ("{a, }", 4), ("a (b", 4), ("\"a", 0), ("a =", 3)]
        {
            assert_eq!(MetricSearch::parse(search).unwrap_err().offset, offset, "{search}");
        }
        assert!(MetricSearch::parse(&"(".repeat(1000)).is_err());
    }
}

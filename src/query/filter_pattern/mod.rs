//! The filter patterns of CloudWatch Logs: unstructured terms, JSON conditions, columns.
//!
//! Main type: [`FilterPattern`]. It is parsed once and then matches messages in time linear in
//! their length. It reads no log and knows no metric filter.

mod columns;
mod cursor;
mod json;
mod operand;
mod terms;

use std::borrow::Cow;

use thiserror::Error;

use columns::Columns;
use cursor::Cursor;
use json::Condition;
use terms::Terms;

/// A parsed filter pattern.
///
/// Source: CloudWatch Logs User Guide, "Filter pattern syntax".
#[derive(Clone, Debug)]
pub struct FilterPattern {
    source: String,
    dialect: Dialect,
}

#[derive(Clone, Debug)]
enum Dialect {
    Everything,
    Terms(Terms),
    Json(Condition),
    Columns(Columns),
}

/// A text that is no filter pattern, with the byte where it stops being one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("invalid filter pattern at byte {offset}: {fault}")]
pub struct FilterPatternError {
    /// Where.
    pub offset: usize,
    /// What.
    pub fault: FilterPatternFault,
}

/// What is wrong with a filter pattern.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FilterPatternFault {
    /// Longer than 1,024 characters.
    #[error("a pattern has at most 1024 characters")]
    TooLong,
    /// Something else was needed here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A regular expression that is not supported, or too many of them.
    #[error("{0}")]
    Regex(&'static str),
    /// More wildcards or `...` than allowed, or parentheses nested too deeply.
    #[error("{0}")]
    Limit(&'static str),
}

/// A field that a pattern names, with its value in one message.
pub type ExtractedField<'a> = (String, Cow<'a, str>);

impl FilterPattern {
    /// Source: PutMetricFilter, `filterPattern`.
    const CHARACTERS_MAX: usize = 1024;

    /// Reads a pattern; the first character that is no space chooses the dialect.
    pub fn parse(source: &str) -> Result<Self, FilterPatternError> {
        if source.chars().count() > Self::CHARACTERS_MAX {
            return Err(FilterPatternError { offset: 0, fault: FilterPatternFault::TooLong });
        }
        let mut cursor = Cursor::new(source);
        cursor.skip_spaces();
        let dialect = match cursor.peek() {
            None => Dialect::Everything,
            Some('{') => Dialect::Json(json::parse(&mut cursor)?),
            Some('[') => Dialect::Columns(Columns::parse(&mut cursor)?),
            Some(_) => {
                let terms = Terms::parse(&mut cursor)?;
                if terms.is_empty() { Dialect::Everything } else { Dialect::Terms(terms) }
            }
        };
        Ok(Self { source: source.to_owned(), dialect })
    }

    /// The pattern that every message matches.
    pub fn everything() -> Self {
        Self { source: String::new(), dialect: Dialect::Everything }
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether every message matches.
    pub fn is_everything(&self) -> bool {
        matches!(self.dialect, Dialect::Everything)
    }

    /// Whether its dialect names fields: JSON conditions and columns do, terms do not.
    pub fn has_fields(&self) -> bool {
        matches!(self.dialect, Dialect::Json(_) | Dialect::Columns(_))
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &str) -> bool {
        match &self.dialect {
            Dialect::Everything => true,
            Dialect::Terms(terms) => terms.matches(message),
            Dialect::Json(condition) => json::read(message).is_some_and(|v| condition.holds(&v)),
            Dialect::Columns(columns) => columns.matches(message),
        }
    }

    /// A text that every matching message holds, for skipping blocks; `None` when there is none.
    pub fn needle(&self) -> Option<&str> {
        match &self.dialect {
            Dialect::Terms(terms) => terms.needle(),
            Dialect::Everything | Dialect::Json(_) | Dialect::Columns(_) => None,
        }
    }

    /// The value of `selector` (`$.a.b` or `$column`) in a message, whether it matches or not.
    ///
    /// Source: "Creating metric filters", metric values and dimensions.
    pub fn select<'m>(&self, selector: &str, message: &'m str) -> Option<Cow<'m, str>> {
        match &self.dialect {
            Dialect::Json(_) | Dialect::Everything | Dialect::Terms(_) => {
                json::select(selector, message).map(Cow::Owned)
            }
            Dialect::Columns(columns) => columns.select(selector, message),
        }
    }

    /// The fields of a message that the pattern gives a name or a number, as TestMetricFilter
    /// shows them.
    pub fn extract<'m>(&self, message: &'m str) -> Vec<ExtractedField<'m>> {
        match &self.dialect {
            Dialect::Everything | Dialect::Terms(_) => Vec::new(),
            Dialect::Json(condition) => json::extract(condition, message),
            Dialect::Columns(columns) => columns.extract(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        FilterPattern::parse(pattern).expect(pattern).matches(message)
    }

    #[test]
    fn unstructured_patterns_follow_the_published_table() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("\"\"", "anything", true),
            ("\" \"", "anything", true),
            ("ERROR", "[ERROR] 400", true),
            ("ERROR", "[error] 400", false),
            ("ERROR ARGUMENTS", "ARGUMENTS then ERROR", true),
            ("ERROR ARGUMENTS", "only ERROR", false),
            ("?ERROR ?WARN", "a WARN", true),
            ("?ERROR ?WARN", "an INFO", false),
            // Mixing is not combined: the optional terms are ignored.
            ("ERROR ?WARN", "a WARN", false),
            ("ERROR ?WARN", "an ERROR", true),
            ("ERROR -ARGUMENTS", "ERROR 400 BAD", true),
            ("ERROR -ARGUMENTS", "ERROR INVALID ARGUMENTS", false),
            ("-DEBUG", "INFO", true),
            ("-DEBUG", "DEBUG", false),
            ("\"INTERNAL SERVER\"", "500 INTERNAL SERVER ERROR", true),
            ("\"INTERNAL SERVER\"", "INTERNAL  SERVER", false),
            ("\"say \\\"hi\\\"\"", "they say \"hi\" there", true),
            ("-\"two words\"", "has two words", false),
            ("%AUTHORIZED%", "UNAUTHORIZED", true),
            ("%^\\d{3} %", "404 x", true),
            ("%^\\d{3} %", "x 404 ", false),
            ("-%\\d%", "no digit", true),
        ] {
            assert_eq!(matches(pattern, message), expected, "{pattern} on {message}");
        }
    }

    #[test]
    fn json_patterns_follow_the_published_table() {
        let event = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111",
            "arrayKey":["value","another"],"objectList":[{"name":"a","id":1},{"name":"b","id":2}],
            "SomeObject":null,"ok":true,"size":12.5,"cluster.name":"c","n":"12",
            "m":[[1,2],[3]],"neg":-1e-3}"#;
        for (pattern, expected) in [
            ("{ $.eventType = \"UpdateTrail\" }", true),
            ("{ $.eventType = UpdateTrail }", true),
            ("{ $.sourceIPAddress != 123.123.* }", true),
            ("{ $.sourceIPAddress = 111.111.* }", true),
            ("{ $.arrayKey[0] = \"value\" }", true),
            ("{ $.arrayKey = \"value\" }", false),
            ("{ $.arrayKey[*] = \"another\" }", true),
            ("{ $.objectList[1].id = 2 }", true),
            ("{ $.objectList[*].id > 1 }", true),
            ("{ $.m[0][1] = 2 }", true),
            ("{ $.SomeObject IS NULL }", true),
            ("{ $.ok IS TRUE }", true),
            ("{ $.ok IS FALSE }", false),
            ("{ $.missing NOT EXISTS }", true),
            ("{ $.ok NOT EXISTS }", false),
            ("{ $.missing != x }", false),
            ("{ $.size >= 12.5 && $.size < 13 }", true),
            ("{ $.size > 1 && ($.ok IS FALSE || $.eventType = *Trail) }", true),
            // `&&` binds tighter than `||`.
            ("{ $.ok IS TRUE || $.ok IS FALSE && $.size = 1 }", true),
            ("{ $.['cluster.name'] = c }", true),
            ("{ $['cluster.name'] = c }", true),
            ("{ $.n = 12 }", false),
            ("{ $.n > 1 }", false),
            ("{ $.neg = -0.001 }", true),
            ("{ $.eventType = %^Update% }", true),
            ("{ $.* = \"UpdateTrail\" }", true),
        ] {
            assert_eq!(matches(pattern, event), expected, "{pattern}");
        }
        assert!(!matches("{ $.a = 1 }", "text {\"a\":1}"));
    }

    #[test]
    fn column_patterns_follow_the_published_table() {
        let event =
            r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /x.html HTTP/1.0" 404 1534"#;
        for (pattern, expected) in [
            ("[]", true),
            ("[ip, id, user, time, request, status, size]", true),
            ("[ip, id, user, time, request, status, size, more]", false),
            ("[ip, user, rest]", true),
            ("[..., status = 4*, size]", true),
            ("[..., status = 4*,]", true),
            ("[..., status = 2*, size]", false),
            ("[..., request = *.html*, status = 404 || status = 410, size]", true),
            ("[ip = %^127%, ...]", true),
            ("[..., size > 1500]", true),
            ("[..., size >= 1500 && size <= 1533]", false),
            ("[..., request != \"GET /x.html HTTP/1.0\", status, size]", false),
        ] {
            assert_eq!(matches(pattern, event), expected, "{pattern}");
        }
        assert!(matches("[w1=ERROR, w2]", "ERROR this went wrong"));
        assert!(!matches("[w1=ERROR, w2]", "WARN this went wrong"));
    }

    #[test]
    fn columns_are_extracted_as_published() {
        let event = r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /x HTTP/1.0" 200 1534"#;
        let extract = |pattern: &str| -> Vec<(String, String)> {
            let pattern = FilterPattern::parse(pattern).unwrap();
            pattern.extract(event).into_iter().map(|(k, v)| (k, v.into_owned())).collect()
        };
        let names = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().map(|(name, _)| name.clone()).collect()
        };
        let sized = extract("[..., size]");
        assert_eq!(names(&sized), ["$1", "$2", "$3", "$4", "$5", "$6", "$size"]);
        assert_eq!(sized[3].1, "10/Oct/2000:13:25:15 -0700");
        assert_eq!(sized[4].1, "GET /x HTTP/1.0");
        assert_eq!(extract("[]").len(), 7);
        let last = extract("[..., request=*x*, status_code=2*,]");
        assert_eq!(names(&last), ["$1", "$2", "$3", "$4", "$request", "$status_code", "$7"]);
    }

    #[test]
    fn broken_patterns_say_where() {
        for (pattern, offset) in [
            ("{ $.a }", 6),
            ("{ a = 1 }", 2),
            ("{ $.a = 1", 9),
            ("{ $[\"a\"] = 1 }", 4),
            ("{ $.a < x }", 8),
            ("[a, b", 5),
            ("\"open", 0),
            ("user-id", 4),
            ("%a(b)%", 0),
            ("%a% %b% %c%", 8),
            ("[..., a, ...]", 9),
        ] {
            let error = FilterPattern::parse(pattern).expect_err(pattern);
            assert_eq!(error.offset, offset, "{pattern}: {error}");
        }
        assert!(FilterPattern::parse(&"x".repeat(1025)).is_err());
        assert!(FilterPattern::parse(&format!("{{ {}", "(".repeat(1000))).is_err());
    }

    #[test]
    fn evil_wildcards_are_matched_in_linear_time() {
        let pattern = FilterPattern::parse("{ $.a = *a*a*a*a*a*a*a*a*b }").unwrap();
        let message = format!("{{\"a\":\"{}\"}}", "a".repeat(200_000));
        assert!(!pattern.matches(&message));
    }
}

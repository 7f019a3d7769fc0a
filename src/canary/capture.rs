//! Values taken out of an answer for later steps.

use serde_json::Value;
use thiserror::Error;

use super::assertion::{Answers, CertificateField, Seen, Subject};
use super::definition::CaptureSource;

/// Why a value could not be captured.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CaptureError {
    /// The answer does not have it.
    #[error("{reason}")]
    Absent {
        /// Why not.
        reason: String,
    },
    /// A path or selector selects nothing.
    #[error("`{selector}` selects nothing")]
    NothingSelected {
        /// The path or selector.
        selector: String,
    },
    /// A regex does not match.
    #[error("nothing in the body matches /{pattern}/")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
}

/// Takes one value out of an answer.
///
/// Shape: several selected nodes become a list; a regex gives its first group, or all it matched.
/// Errors: the answer does not have what is asked for.
pub fn take(source: &CaptureSource, answers: &Answers<'_>) -> Result<Value, CaptureError> {
    match source {
        CaptureSource::Json(path) => nodes(answers.json_nodes(path), &path.to_string()),
        CaptureSource::Css { selector, attribute } => {
            nodes(answers.css_nodes(selector, attribute.as_deref()), selector)
        }
        CaptureSource::XPath(path) => nodes(answers.xpath(path), &path.to_string()),
        CaptureSource::Regex(regex) => {
            let found = regex
                .captures(answers.text())
                .ok_or_else(|| CaptureError::NoMatch { pattern: regex.as_str().to_owned() })?;
            let group = found.get(1).or_else(|| found.get(0));
            Ok(group.map_or("", |group| group.as_str()).into())
        }
        CaptureSource::Header(name) => single(answers.look(&Subject::Header(name.to_string()))),
        CaptureSource::Cookie(name) => single(answers.look(&Subject::Cookie(name.to_string()))),
        CaptureSource::Certificate(CertificateField::Expires) => {
            single(answers.look(&Subject::Certificate(CertificateField::Expires)))
        }
        CaptureSource::Certificate(field) => single(answers.look(&Subject::Certificate(*field))),
        CaptureSource::Status => single(answers.look(&Subject::Status)),
        CaptureSource::Body => Ok(answers.text().into()),
        CaptureSource::Url => single(answers.look(&Subject::Url)),
    }
}

fn single(seen: Seen<'_>) -> Result<Value, CaptureError> {
    match seen {
        Seen::Absent(reason) => Err(CaptureError::Absent { reason: reason.into_owned() }),
        Seen::Text(text) => Ok(text.as_ref().into()),
        Seen::Value(value) => Ok(value.into_owned()),
        Seen::Time { seconds, .. } => Ok(seconds.into()),
        Seen::Nodes(nodes) => Ok(nodes.into_iter().map(|node| node.value.into_owned()).collect()),
    }
}

fn nodes(seen: Seen<'_>, selector: &str) -> Result<Value, CaptureError> {
    let Seen::Nodes(nodes) = seen else { return single(seen) };
    let mut values: Vec<Value> = nodes.into_iter().map(|node| node.value.into_owned()).collect();
    match values.len() {
        0 => Err(CaptureError::NothingSelected { selector: selector.to_owned() }),
        1 => Ok(values.pop().unwrap_or_default()),
        _ => Ok(Value::Array(values)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::assertion_fixture::http;
    use crate::canary::xpath::XPath;
    use serde_json::json;
    use serde_json_path::JsonPath;

    #[test]
    fn each_source_takes_what_it_names() {
        let seen = http(200, r#"{"id": 7, "items": [{"n": 1}, {"n": 2}]}"#);
        let answers = Answers::of(&seen);
        let json = |path: &str| CaptureSource::Json(JsonPath::parse(path).unwrap());
        for (source, expected) in [
            (json("$.id"), json!(7)),
            (json("$.items[*].n"), json!([1, 2])),
            (CaptureSource::Regex(regex::Regex::new(r#""id": (\d)"#).unwrap()), json!("7")),
            (CaptureSource::Header("content-type".into()), json!("application/json")),
            (CaptureSource::Cookie("session".into()), json!("abc")),
            (CaptureSource::Status, json!(200)),
            (CaptureSource::Url, json!("http://shop.test/")),
        ] {
            assert_eq!(take(&source, &answers), Ok(expected));
        }
        let error = take(&json("$.nope"), &answers).unwrap_err();
        assert_eq!(error.to_string(), "`$.nope` selects nothing");
        let error = take(&CaptureSource::Header("etag".into()), &answers).unwrap_err();
        assert_eq!(error.to_string(), "the response has no header `etag`");
    }

    #[test]
    fn markup_is_selected_by_css() {
        let seen = http(200, "<ul><li>one</li><li class=b> two\n words</li></ul><a href=/x>y</a>");
        let answers = Answers::of(&seen);
        let css = |selector: &str, attribute: Option<&str>| CaptureSource::Css {
            selector: selector.into(),
            attribute: attribute.map(Into::into),
        };
        assert_eq!(take(&css("li.b", None), &answers), Ok(json!("two words")));
        assert_eq!(take(&css("li", None), &answers), Ok(json!(["one", "two words"])));
        assert_eq!(take(&css("a", Some("href")), &answers), Ok(json!("/x")));
        let xpath = |path: &str| CaptureSource::XPath(XPath::parse(path).unwrap());
        assert_eq!(take(&xpath("//li[2]"), &answers), Ok(json!("two words")));
        assert_eq!(take(&xpath("//li"), &answers), Ok(json!(["one", "two words"])));
        assert_eq!(take(&xpath("count(//li)"), &answers), Ok(json!(2)));
        let error = take(&xpath("//b"), &answers).unwrap_err();
        assert_eq!(error.to_string(), "`//b` selects nothing");
        let seen = http(200, "<?xml version='1.0'?><r><a>1</r>");
        let error = take(&xpath("//a"), &Answers::of(&seen)).unwrap_err().to_string();
        assert!(error.starts_with("the body is not XML: "), "{error}");
    }
}

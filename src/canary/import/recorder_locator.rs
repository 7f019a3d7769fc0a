//! How a recorded element is found by a canary: by the best of the selectors that were recorded.

use serde_json::{Value, json};

use super::ImportError;
use super::draft::escaped;
use crate::canary::secret::is_sensitive_name;

/// What an element is found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be pointed at.
    Point,
    /// To be filled in; its name is that of a label.
    Fill,
}

/// The locator of a recorded step, in its short form where it has one.
///
/// Source: Puppeteer, "P selectors": `aria/`, `text/`, `xpath/`, `pierce/`, else CSS. A list of
/// several is a path through shadow roots, which our CSS reaches into by itself.
pub(super) fn locator(step: &Value, purpose: Purpose) -> Result<Value, ImportError> {
    let mut best: Option<(u8, Value)> = None;
    for path in selectors(step) {
        let Some(last) = path.last() else { continue };
        let Some(found) = of_selector(last, purpose) else { continue };
        if best.as_ref().is_none_or(|(rank, _)| found.0 < *rank) {
            best = Some(found);
        }
    }
    let nothing = || ImportError::Unsupported { what: "a step without a selector".to_owned() };
    best.map(|(_, locator)| locator).ok_or_else(nothing)
}

/// True where a selector says that the field holds a secret.
pub(super) fn is_secret_field(step: &Value) -> bool {
    let texts = selectors(step).into_iter().flatten();
    texts.flat_map(words).any(|word| is_sensitive_name(&word))
}

fn words(selector: String) -> Vec<String> {
    let letters = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
    selector.split(letters).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn selectors(step: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let path = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(path) => path.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    step.get("selectors").and_then(Value::as_array).into_iter().flatten().map(path).collect()
}

/// A selector as a locator with its rank; the lowest reads best and breaks least.
fn of_selector(selector: &str, purpose: Purpose) -> Option<(u8, Value)> {
    let selector = selector.trim();
    if selector.is_empty() {
        return None;
    }
    if let Some(id) = test_id(selector) {
        return Some((0, format!("test_id={}", escaped(id)).into()));
    }
    if let Some(aria) = selector.strip_prefix("aria/") {
        return of_aria(aria, purpose);
    }
    if let Some(text) = selector.strip_prefix("text/") {
        let rank = if purpose == Purpose::Point { 3 } else { 9 };
        return Some((rank, format!("text={}", escaped(text)).into()));
    }
    if let Some(xpath) = selector.strip_prefix("xpath/") {
        return Some((8, format!("xpath={}", escaped(xpath)).into()));
    }
    let css = selector.strip_prefix("pierce/").unwrap_or(selector);
    // An id or a name breaks less than a path of parents does.
    let is_short = !css.contains([' ', '>']) && (css.contains('#') || css.contains('['));
    let locator = match css.contains('=') && !css.contains('[') {
        true => json!({ "css": escaped(css) }),
        false => escaped(css).into(),
    };
    Some((if is_short { 4 } else { 6 }, locator))
}

/// `Log in[role="button"]`, or only a name.
fn of_aria(aria: &str, purpose: Purpose) -> Option<(u8, Value)> {
    let role =
        aria.split_once("[role=").map(|(name, role)| (name, role.trim_matches(['"', '\'', ']'])));
    match (role, purpose) {
        (Some((name, role)), _) if !name.is_empty() && !name.contains(['"', '[', ']']) => {
            Some((1, format!("role={role}[name=\"{}\"]", escaped(name)).into()))
        }
        (None, Purpose::Fill) if !aria.is_empty() => {
            Some((2, format!("label={}", escaped(aria)).into()))
        }
        // A name alone may be a label, a text or a picture's: another selector says which.
        _ => None,
    }
}

/// The value of `[data-testid='x']`.
fn test_id(selector: &str) -> Option<&str> {
    let inner = selector.strip_prefix("[data-testid=")?.strip_suffix(']')?;
    let id = inner.trim_matches(['"', '\'']);
    (!id.contains(['"', '\'', '[', ']'])).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selector_that_a_person_would_write_is_chosen() {
        let css = r##"["main > form > button"]"##;
        for (selectors, purpose, expected) in [
            (
                r##"[["aria/Log in[role=\"button\"]"], ["#go"]]"##,
                Purpose::Point,
                "role=button[name=\"Log in\"]",
            ),
            (r##"[["aria/Email"], ["#email"]]"##, Purpose::Fill, "label=Email"),
            (r##"[["aria/Lamp"], ["text/Lamp"], ["#l"]]"##, Purpose::Point, "text=Lamp"),
            (r##"[["[data-testid='buy']"], ["text/Buy"]]"##, Purpose::Point, "test_id=buy"),
            (r##"[["xpath///*[@id=\"a\"]"], ["pierce/#a"]]"##, Purpose::Point, "#a"),
            (r##"[["my-app", "#inner"]]"##, Purpose::Point, "#inner"),
        ] {
            let step = json!({ "selectors": serde_json::from_str::<Value>(selectors).unwrap() });
            assert_eq!(locator(&step, purpose).unwrap(), expected, "{selectors}");
        }
        let step = json!({ "selectors": [serde_json::from_str::<Value>(css).unwrap()] });
        assert_eq!(locator(&step, Purpose::Point).unwrap(), "main > form > button");
        assert!(locator(&json!({}), Purpose::Point).is_err());
    }

    #[test]
    fn a_field_for_a_password_is_known_by_its_selectors() {
        let of = |selector: &str| is_secret_field(&json!({ "selectors": [[selector]] }));
        assert!(of("#password") && of("aria/Password") && of("[name='card_cvv_secret']"));
        assert!(!of("#email") && !of("aria/Your name"));
    }
}

//! Functions of texts and of JSON.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value as Json;
use sha2::Digest as _;

use super::function::Function;
use super::value::Value;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Computes a function of this file; `None` for any other, and where an argument is no text.
pub(super) fn call(function: Function, arguments: &[Value]) -> Option<Value> {
    let argument = |index: usize| arguments.get(index);
    let text = |index: usize| argument(index).and_then(Value::as_text);
    let own = |text: &str| Some(Value::text(text));
    match function {
        Function::IsNumeric => {
            let numeric = argument(0).is_some_and(|v| !v.is_null() && v.number().is_some());
            Some(Value::Boolean(numeric))
        }
        Function::IsEmpty => Some(flag(text(0).is_none_or(|text| text.is_empty()))),
        Function::IsBlank => Some(flag(text(0).is_none_or(|text| text.trim().is_empty()))),
        Function::Concat => {
            own(&arguments.iter().filter_map(Value::as_text).collect::<Vec<_>>().concat())
        }
        Function::LeftTrim | Function::RightTrim | Function::Trim => {
            own(trimmed(function, &text(0)?, text(1).as_deref()))
        }
        Function::StrLen => count(text(0)?.chars().count()),
        Function::ToUpper => own(&text(0)?.to_uppercase()),
        Function::ToLower => own(&text(0)?.to_lowercase()),
        Function::SubStr => {
            let start = position(argument(1)?.number()?);
            let length = match argument(2) {
                Some(length) => position(length.number()?),
                None => usize::MAX,
            };
            own(&text(0)?.chars().skip(start).take(length).collect::<String>())
        }
        Function::Replace => {
            let from = text(1)?;
            let replaced = |text: Cow<'_, str>, to: &str| text.replace(&*from, to);
            if from.is_empty() { own(&text(0)?) } else { own(&replaced(text(0)?, &text(2)?)) }
        }
        Function::StrContains => {
            let (text, part) = (text(0)?, text(1)?);
            let ignoring_case = argument(2).is_some_and(Value::truth);
            Some(flag(if ignoring_case {
                text.to_lowercase().contains(&part.to_lowercase())
            } else {
                text.contains(&*part)
            }))
        }
        Function::StartsWith => Some(Value::Boolean(text(0)?.starts_with(&*text(1)?))),
        Function::EndsWith => Some(Value::Boolean(text(0)?.ends_with(&*text(1)?))),
        Function::Split => {
            let delimiter = text(1)?;
            let parts = text(0)?.split(&*delimiter).map(Json::from).collect();
            Some(Value::Json(Arc::new(Json::Array(parts))))
        }
        _ => encoded(function, &text(0)).or_else(|| of_json(function, arguments)),
    }
}

fn flag(holds: bool) -> Value {
    Value::Number(f64::from(u8::from(holds)))
}

#[expect(clippy::cast_precision_loss, clippy::unnecessary_wraps, reason = "counts are small")]
fn count(number: usize) -> Option<Value> {
    Some(Value::Number(number as f64))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn position(number: f64) -> usize {
    number as usize
}

/// The second argument is a set of characters.
fn trimmed<'t>(function: Function, text: &'t str, set: Option<&str>) -> &'t str {
    let belongs = |c: char| set.map_or_else(|| c.is_whitespace(), |set| set.contains(c));
    match function {
        Function::LeftTrim => text.trim_start_matches(belongs),
        Function::RightTrim => text.trim_end_matches(belongs),
        _ => text.trim_matches(belongs),
    }
}

fn encoded(function: Function, text: &Option<Cow<'_, str>>) -> Option<Value> {
    let text = text.as_deref()?;
    let result = match function {
        Function::UrlEncode => utf8_percent_encode(text, ENCODED).to_string(),
        Function::UrlDecode => percent_decode_str(text).decode_utf8().ok()?.into_owned(),
        Function::Base64Encode => BASE64.encode(text),
        Function::Base64Decode => String::from_utf8(BASE64.decode(text).ok()?).ok()?,
        Function::HexToAscii => String::from_utf8(hex::decode(text).ok()?).ok()?,
        Function::HexToDec => {
            let digits = text.trim_start_matches("0x");
            i64::from_str_radix(digits, 16).ok()?.to_string()
        }
        Function::DecToHex => format!("{:x}", text.parse::<i64>().ok()?),
        Function::Md5 => hex::encode(md5::Md5::digest(text)),
        Function::Sha256 => hex::encode(sha2::Sha256::digest(text)),
        _ => return None,
    };
    Some(Value::text(&result))
}

fn of_json(function: Function, arguments: &[Value]) -> Option<Value> {
    let value = arguments.first()?;
    match (function, value) {
        (Function::JsonParse, Value::Json(_)) => Some(value.clone()),
        (Function::JsonParse, _) => {
            let json: Json = serde_json::from_str(&value.as_text()?).ok()?;
            Some(match json {
                Json::Array(_) | Json::Object(_) => Value::Json(Arc::new(json)),
                scalar => Value::of_json(&scalar),
            })
        }
        (Function::JsonStringify, Value::Json(json)) => Some(Value::text(&json.to_string())),
        (Function::JsonStringify, _) => {
            Some(Value::text(&Json::from(value.as_text()?.into_owned()).to_string()))
        }
        (Function::JsonArraySize, Value::Json(json)) => count(json.as_array()?.len()),
        (Function::JsonArrayContains, Value::Json(json)) => {
            let wanted = arguments.get(1)?;
            let equal = |item: &Json| {
                Value::of_json(item).compare(wanted) == Some(std::cmp::Ordering::Equal)
            };
            Some(Value::Boolean(json.as_array()?.iter().any(equal)))
        }
        _ => None,
    }
}

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};
use hmac::{Hmac, Mac};
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Number, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use url::Url;

use super::context::RenderFault;
use super::evaluate::{Operand, ensure_fits};
use super::operation::Filter;
use crate::time::Timestamp;

type Filtered = Result<Operand, RenderFault>;

/// Unreserved characters of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, UNPADDED);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const UNPADDED: GeneralPurposeConfig = LENIENT.with_encode_padding(false);

/// Applies one filter; `default` is not among them, since its input may be undefined.
pub(super) fn apply(filter: Filter, input: Operand, arguments: &[Operand]) -> Filtered {
    let name = filter.name();
    match filter {
        Filter::Default | Filter::Raw => Ok(input),
        Filter::Host | Filter::Port | Filter::Path | Filter::Origin => url_part(filter, input),
        Filter::Upper => Ok(Operand::text(text(name, input)?.to_uppercase())),
        Filter::Lower => Ok(Operand::text(text(name, input)?.to_lowercase())),
        Filter::Trim => Ok(Operand::text(text(name, input)?.trim())),
        Filter::Replace => replace(&text(name, input)?, arguments),
        Filter::Split => split(&text(name, input)?, arguments),
        Filter::Join => join(input, arguments),
        Filter::First | Filter::Last | Filter::Length => ends_and_length(filter, input),
        Filter::Url => {
            let encoded = utf8_percent_encode(&input.into_text()?, COMPONENT).to_string();
            Ok(Operand::text(encoded))
        }
        Filter::UrlDecode => {
            let text = text(name, input)?;
            let decoded = percent_decode_str(&text).decode_utf8();
            decoded.map(|text| Operand::text(text.as_ref())).map_err(|_utf8| not_text(name))
        }
        Filter::Base64 => {
            let bytes = input.into_text()?;
            let engine = if option(arguments, 0) == Some("url") { BASE64_URL } else { BASE64 };
            Ok(Operand::text(engine.encode(bytes)))
        }
        Filter::Base64Decode => {
            let text = text(name, input)?;
            let decoded = BASE64.decode(&text).or_else(|_alphabet| BASE64_URL.decode(&text));
            decoded_text(name, decoded.ok())
        }
        Filter::Hex => Ok(Operand::text(hex::encode(input.into_text()?))),
        Filter::HexDecode => decoded_text(name, hex::decode(text(name, input)?).ok()),
        Filter::Json => Ok(Operand::text(input.into_json()?.to_string())),
        Filter::FromJson => {
            let value = serde_json::from_str(&text(name, input)?);
            value.map(Operand::Json).map_err(|_json| malformed(name, "this is not JSON"))
        }
        Filter::Md5 => Ok(digest::<Md5>(&input.into_text()?)),
        Filter::Sha1 => Ok(digest::<Sha1>(&input.into_text()?)),
        Filter::Sha256 => Ok(digest::<Sha256>(&input.into_text()?)),
        Filter::Sha512 => Ok(digest::<Sha512>(&input.into_text()?)),
        Filter::Hmac => hmac(&input.into_text()?, arguments),
        Filter::Date => date(instant(name, &input)?, option(arguments, 0)),
        Filter::Epoch => Ok(Operand::Json(instant(name, &input)?.as_secs().into())),
        Filter::EpochMillis => Ok(Operand::Json(instant(name, &input)?.as_millis().into())),
        Filter::Int => whole(name, &input).map(|whole| Operand::Json(whole.into())),
        Filter::Float => match number(name, &input.into_json()?)?.as_f64() {
            Some(float) => finite(name, float),
            None => Err(malformed(name, "the number is out of range")),
        },
        Filter::Round => round(&input.into_json()?, arguments),
        Filter::String => input.into_text().map(Operand::text),
    }
    .and_then(fitting)
}

fn fitting(operand: Operand) -> Filtered {
    if let Operand::Json(Value::String(text)) = &operand {
        ensure_fits(text.len())?;
    }
    Ok(operand)
}

const fn malformed(operation: &'static str, problem: &'static str) -> RenderFault {
    RenderFault::Malformed { operation, problem }
}

const fn not_text(operation: &'static str) -> RenderFault {
    malformed(operation, "the bytes are not text")
}

/// A text, or the text of a number or boolean.
fn text(operation: &'static str, input: Operand) -> Result<String, RenderFault> {
    match input {
        Operand::Json(Value::String(text)) => Ok(text),
        Operand::Json(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        Operand::Instant(instant) => Ok(instant.to_rfc3339()),
        other => Err(RenderFault::WrongType { operation, got: other.kind(), takes: "a text" }),
    }
}

/// A number, or a text that is one.
pub(super) fn number(operation: &'static str, value: &Value) -> Result<Number, RenderFault> {
    let parsed = match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let got = Operand::Json(value.clone()).kind();
    parsed.ok_or(RenderFault::WrongType { operation, got, takes: "a number" })
}

/// A whole number; fractions are cut off.
#[expect(clippy::cast_possible_truncation, reason = "checked against the range just before")]
pub(super) fn whole(operation: &'static str, operand: &Operand) -> Result<i64, RenderFault> {
    let number = number(operation, &operand.clone().into_json()?)?;
    // BOUND: floats are exact up to here; larger ones have no whole part to speak of.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Ok(whole),
        (None, Some(float)) if float.abs() <= EXACT => Ok(float.trunc() as i64),
        _ => Err(malformed(operation, "the number is out of range")),
    }
}

fn finite(operation: &'static str, float: f64) -> Filtered {
    let number = Number::from_f64(float);
    let number = number.ok_or(malformed(operation, "the number is out of range"))?;
    Ok(Operand::Json(Value::Number(number)))
}

fn round(input: &Value, arguments: &[Operand]) -> Filtered {
    let float = number("round", input)?.as_f64().unwrap_or(f64::NAN);
    let digits = arguments.first().map_or(Ok(0), |digits| whole("round", digits))?;
    let digits = i32::try_from(digits.clamp(0, 15)).unwrap_or(0);
    let scale = 10_f64.powi(digits);
    let rounded = (float * scale).round() / scale;
    if digits == 0 {
        let rounded = Operand::Json(Number::from_f64(rounded).map_or(Value::Null, Value::Number));
        return whole("round", &rounded).map(|whole| Operand::Json(whole.into()));
    }
    finite("round", rounded)
}

/// The argument at `index`, when it is a text.
fn option(arguments: &[Operand], index: usize) -> Option<&str> {
    match arguments.get(index) {
        Some(Operand::Json(Value::String(text))) => Some(text),
        _ => None,
    }
}

fn url_part(filter: Filter, input: Operand) -> Filtered {
    let name = filter.name();
    let url = Url::parse(&text(name, input)?);
    let url = url.map_err(|_not_a_url| malformed(name, "this is not a URL"))?;
    let missing = || malformed(name, "the URL has none");
    match filter {
        Filter::Host => url.host_str().map(Operand::text).ok_or_else(missing),
        Filter::Port => {
            let port = url.port_or_known_default().ok_or_else(missing)?;
            Ok(Operand::Json(port.into()))
        }
        Filter::Origin => Ok(Operand::text(url.origin().ascii_serialization())),
        _ => Ok(Operand::text(url.path())),
    }
}

fn replace(text: &str, arguments: &[Operand]) -> Filtered {
    let (Some(from), Some(to)) = (option(arguments, 0), option(arguments, 1)) else {
        return Err(malformed("replace", "both arguments are texts"));
    };
    if from.is_empty() {
        return Err(malformed("replace", "there is no empty text to replace"));
    }
    let growth = text.matches(from).count().saturating_mul(to.len());
    ensure_fits(growth)?;
    Ok(Operand::text(text.replace(from, to)))
}

fn split(text: &str, arguments: &[Operand]) -> Filtered {
    match option(arguments, 0) {
        None | Some("") => Err(malformed("split", "the separator is a text, and not empty")),
        Some(separator) => {
            let parts = text.split(separator).map(Value::from).collect();
            Ok(Operand::Json(Value::Array(parts)))
        }
    }
}

fn join(input: Operand, arguments: &[Operand]) -> Filtered {
    let Operand::Json(Value::Array(items)) = input else {
        let got = input.kind();
        return Err(RenderFault::WrongType { operation: "join", got, takes: "a list" });
    };
    let separator = option(arguments, 0).unwrap_or("");
    ensure_fits(separator.len().saturating_mul(items.len()))?;
    let mut out = String::new();
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(&Operand::Json(item).into_text()?);
        ensure_fits(out.len())?;
    }
    Ok(Operand::text(out))
}

fn ends_and_length(filter: Filter, input: Operand) -> Filtered {
    let missing = || malformed(filter.name(), "there is none");
    let Operand::Json(value) = input else {
        let (operation, takes) = (filter.name(), "a text, a list or an object");
        return Err(RenderFault::WrongType { operation, got: input.kind(), takes });
    };
    match (filter, value) {
        (Filter::First, Value::Array(items)) => {
            items.into_iter().next().map(Operand::Json).ok_or_else(missing)
        }
        (Filter::Last, Value::Array(items)) => {
            items.into_iter().next_back().map(Operand::Json).ok_or_else(missing)
        }
        (Filter::Length, Value::Array(items)) => Ok(Operand::Json(items.len().into())),
        (Filter::Length, Value::Object(members)) => Ok(Operand::Json(members.len().into())),
        (filter, value) => {
            let text = text(filter.name(), Operand::Json(value))?;
            let end = match filter {
                Filter::First => text.chars().next(),
                Filter::Last => text.chars().next_back(),
                _ => return Ok(Operand::Json(text.chars().count().into())),
            };
            end.map(Operand::text).ok_or_else(missing)
        }
    }
}

fn decoded_text(operation: &'static str, decoded: Option<Vec<u8>>) -> Filtered {
    let bytes = decoded.ok_or(malformed(operation, "the input is damaged"))?;
    String::from_utf8(bytes).map(Operand::text).map_err(|_utf8| not_text(operation))
}

fn digest<D: Digest>(text: &str) -> Operand {
    Operand::text(hex::encode(D::digest(text.as_bytes())))
}

fn hmac(message: &str, arguments: &[Operand]) -> Filtered {
    let key = arguments.first().cloned().map_or(Ok(String::new()), Operand::into_text)?;
    let algorithm = option(arguments, 1).unwrap_or("sha256");
    let broken = malformed("hmac", "the key cannot be used");
    let sign = |code: Option<Vec<u8>>| code.ok_or(broken.clone());
    let code = match algorithm {
        "sha256" => sign(code_of::<Hmac<Sha256>>(&key, message))?,
        "sha1" => sign(code_of::<Hmac<Sha1>>(&key, message))?,
        "sha512" => sign(code_of::<Hmac<Sha512>>(&key, message))?,
        _ => return Err(malformed("hmac", "the algorithm is sha256, sha1 or sha512")),
    };
    match option(arguments, 2).unwrap_or("hex") {
        "hex" => Ok(Operand::text(hex::encode(code))),
        "base64" => Ok(Operand::text(BASE64.encode(code))),
        _ => Err(malformed("hmac", "the encoding is hex or base64")),
    }
}

fn code_of<M: Mac + hmac::digest::KeyInit>(key: &str, message: &str) -> Option<Vec<u8>> {
    let mut mac = <M as Mac>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// An instant, a text that is one, or a number of epoch seconds.
fn instant(operation: &'static str, operand: &Operand) -> Result<Timestamp, RenderFault> {
    match operand {
        Operand::Instant(instant) => Ok(*instant),
        Operand::Json(Value::String(text)) => {
            Timestamp::parse(text).map_err(|_form| malformed(operation, "this is not an instant"))
        }
        Operand::Json(Value::Number(number)) => {
            Ok(Timestamp::from_secs_f64(number.as_f64().unwrap_or(0.0)))
        }
        other => Err(RenderFault::WrongType { operation, got: other.kind(), takes: "an instant" }),
    }
}

fn date(instant: Timestamp, form: Option<&str>) -> Filtered {
    let Some(form) = form else { return Ok(Operand::text(instant.to_rfc3339())) };
    let Some(calendar) = DateTime::from_timestamp_millis(instant.as_millis()) else {
        return Err(malformed("date", "the instant is beyond the calendar"));
    };
    // An unknown conversion would only show when it is printed, as a panic.
    let items: Vec<Item<'_>> = StrftimeItems::new(form).collect();
    if items.iter().any(|item| matches!(item, Item::Error)) {
        return Err(malformed("date", "the form has an unknown % conversion"));
    }
    Ok(Operand::text(calendar.format_with_items(items.iter()).to_string()))
}

//! What is known of messages by their form: JSON, also behind a prefix, and Lambda's own lines.

use serde_json::Value as Json;

use super::value::Value;

/// The JSON object or array of a message: all of it, or for Lambda the first part that is one.
pub(super) fn json_part(message: &str) -> Option<Json> {
    let trimmed = message.trim();
    if trimmed.starts_with(['{', '[']) {
        return serde_json::from_str(trimmed)
            .ok()
            .filter(|json: &Json| json.is_object() || json.is_array());
    }
    // Lambda writes `time<tab>request id<tab>level<tab>{..}`.
    let embedded = trimmed.contains('\t').then(|| trimmed.find('{')).flatten()?;
    let mut parts =
        serde_json::Deserializer::from_str(trimmed.get(embedded..)?).into_iter::<Json>();
    parts.next()?.ok().filter(Json::is_object)
}

/// Fields of Lambda's START, END, REPORT and INIT_START lines.
///
/// Source: CloudWatch Logs User Guide, "Supported logs and discovered fields", Lambda.
pub(super) fn lambda(message: &str, name: &str) -> Value {
    let kind = message.split([' ', '\t']).next().unwrap_or("");
    if !matches!(kind, "START" | "END" | "REPORT" | "INIT_START") {
        return match name {
            "@requestId" => {
                message.split('\t').nth(1).filter(|id| is_uuid(id)).map_or(Value::Null, Value::text)
            }
            _ => Value::Null,
        };
    }
    let after = |label: &str| {
        let at = message.find(label)? + label.len();
        let rest = message.get(at..)?.trim_start();
        rest.split([' ', '\t', '\n']).next().filter(|word| !word.is_empty())
    };
    // The labels of longer names contain the shorter ones, so tabs tell them apart.
    let millis = |label: &str| after(label).and_then(|text| text.parse().ok()).map(Value::Number);
    let bytes = |label: &str| {
        let megabytes: Option<f64> = after(label).and_then(|text| text.parse().ok());
        megabytes.map(|megabytes| Value::Number(megabytes * 1_000_000.0))
    };
    let value = match name {
        "@type" => Some(Value::text(kind)),
        "@requestId" => after("RequestId:").map(Value::text),
        "@duration" => millis("\tDuration:"),
        "@billedDuration" => millis("Billed Duration:"),
        "@initDuration" => millis("Init Duration:"),
        "@memorySize" => bytes("Memory Size:"),
        "@maxMemoryUsed" => bytes("Max Memory Used:"),
        "@xrayTraceId" => after("XRAY TraceId:").map(Value::text),
        "@xraySegmentId" => after("SegmentId:").map(Value::text),
        _ => None,
    };
    value.unwrap_or_default()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

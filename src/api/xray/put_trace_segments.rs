use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::call::{Answer, Call};
use crate::telemetry::{TelemetryBatch, TraceId, TraceSegment};

const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
const NAME_CHARACTERS_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trace_segment_documents: Vec<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    unprocessed_trace_segments: Vec<Unprocessed>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unprocessed {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    error_code: &'static str,
    message: String,
}

/// Takes segment documents: each on its own, those taken together in one batch.
///
/// Source: X-Ray API Reference, PutTraceSegments; X-Ray Developer Guide, "Segment documents".
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let mut batch = TelemetryBatch::new(call.scope().clone());
    let mut unprocessed_trace_segments = Vec::new();
    for document in input.trace_segment_documents {
        match read(document) {
            Ok(segment) => batch.traces.push(segment),
            Err(refused) => unprocessed_trace_segments.push(refused),
        }
    }
    if !batch.traces.is_empty() {
        call.append(batch).await?;
    }
    Ok(Output { unprocessed_trace_segments })
}

fn read(document: Arc<str>) -> Result<TraceSegment, Unprocessed> {
    let refuse = |id: Option<&str>, error_code: &'static str, message: &str| Unprocessed {
        id: id.map(ToOwned::to_owned),
        error_code,
        message: message.to_owned(),
    };
    if document.len() > DOCUMENT_BYTES_MAX {
        let why = "Segment document is larger than 64 KB.";
        return Err(refuse(None, "SegmentTooLarge", why));
    }
    let parsed: Value = match serde_json::from_str(&document) {
        Ok(parsed @ Value::Object(_)) => parsed,
        _ => return Err(refuse(None, "ParseError", "Invalid segment. ErrorCode: ParseError")),
    };
    let text = |name: &str| parsed.get(name).and_then(Value::as_str);
    let id = text("id");
    let refuse =
        |code: &'static str| refuse(id, code, &format!("Invalid segment. ErrorCode: {code}"));
    let is_id = |id: &str| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(segment_id) = id else { return Err(refuse("MissingId")) };
    if !is_id(segment_id) {
        return Err(refuse("InvalidId"));
    }
    let trace_id = text("trace_id").and_then(|id| TraceId::parse(id).ok());
    let trace_id = trace_id.ok_or_else(|| refuse("InvalidTraceId"))?;
    match text("name") {
        None | Some("") => return Err(refuse("MissingName")),
        Some(name) if name.chars().count() > NAME_CHARACTERS_MAX => {
            return Err(refuse("InvalidName"));
        }
        Some(_) => {}
    }
    let start_time = parsed.get("start_time").and_then(Value::as_f64);
    let start_time = start_time.ok_or_else(|| refuse("MissingStartTime"))?;
    let end_time = parsed.get("end_time").and_then(Value::as_f64);
    let in_progress = parsed.get("in_progress").and_then(Value::as_bool).unwrap_or(false);
    if end_time.is_none() && !in_progress {
        return Err(refuse("MissingEndTime"));
    }
    Ok(TraceSegment { trace_id, id: segment_id.into(), start_time, end_time, document })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(document: &str) -> &'static str {
        read(document.into()).unwrap_err().error_code
    }

    #[test]
    fn a_document_is_kept_as_it_is_and_a_wrong_one_named() {
        let trace = "1-581cf771-a006649127e371903a2de979";
        let good = format!(
            r#"{{"name": "shop", "id": "70de5b6f19ff9a0a", "start_time": 1.5, "end_time": 2,
            "trace_id": "{trace}", "metadata": {{"x": 1}}}}"#
        );
        let segment = read(good.as_str().into()).unwrap();
        assert_eq!(&*segment.document, good);
        assert_eq!(segment.end_time, Some(2.0));
        assert_eq!(code("{"), "ParseError");
        assert_eq!(code("[]"), "ParseError");
        assert_eq!(code(r#"{"name": "x"}"#), "MissingId");
        assert_eq!(code(&good.replace("70de5b6f19ff9a0a", "70de")), "InvalidId");
        assert_eq!(code(&good.replace(trace, "1-2-3")), "InvalidTraceId");
        assert_eq!(code(&good.replace("\"name\"", "\"nam\"")), "MissingName");
        assert_eq!(code(&good.replace("shop", &"s".repeat(201))), "InvalidName");
        assert_eq!(code(&good.replace("end_time", "ended")), "MissingEndTime");
        assert_eq!(code(&good.replace("shop", &"s".repeat(70_000))), "SegmentTooLarge");
        let in_progress = good.replace("\"end_time\": 2", "\"in_progress\": true");
        assert_eq!(read(in_progress.as_str().into()).unwrap().end_time, None);
    }
}

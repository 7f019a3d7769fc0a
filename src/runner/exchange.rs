//! What a report says of one exchange.

use std::fmt::Write as _;
use std::sync::Arc;

use super::probe::http::HttpRequest;
use super::probe::{ProbeError, Trail};
use crate::canary::observation::{Answer, HttpAnswer, Observation, RedirectHop};
use crate::canary::report::{ExchangeReport, HttpDetail};
use crate::canary::secret::{REDACTED, Redactor, is_sensitive_name, redact_url};

/// Bytes of a request's body that its curl command shows.
const CURL_BODY_BYTES_MAX: usize = 4096;

/// A span of the trace, made before its request so that the target can name it as its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpanId(Arc<str>);

impl SpanId {
    /// A new one: 16 hex digits, not all zero.
    pub(super) fn new() -> Self {
        Self(format!("{:016x}", fastrand::u64(1..)).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was asked: how a report names an exchange.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `GET`, or the protocol.
    pub(super) method: String,
    /// The target; shown without credentials.
    pub(super) url: String,
    /// The span, where the target was told of one.
    pub(super) span: Option<SpanId>,
}

impl Asked {
    fn report(self) -> ExchangeReport {
        ExchangeReport {
            method: self.method,
            url: redact_url(&self.url),
            status: None,
            started: crate::time::Timestamp::EPOCH,
            elapsed: std::time::Duration::ZERO,
            timings: crate::canary::observation::Timings::default(),
            wire_bytes: 0,
            remote: None,
            certificate: None,
            error: None,
            curl: None,
            span: self.span.map(|span| span.0),
            http: None,
        }
    }
}

/// The report of an exchange that was answered.
pub(super) fn answered(asked: Asked, seen: &Observation) -> ExchangeReport {
    let mut report = ExchangeReport {
        started: seen.started,
        elapsed: seen.elapsed,
        timings: seen.timings,
        remote: seen.remote.map(|remote| remote.to_string()),
        certificate: seen.certificate.clone(),
        ..asked.report()
    };
    match &seen.answer {
        Answer::Http(answer) => http_answered(&mut report, answer),
        Answer::Dialogue { received } => {
            report.wire_bytes = received.iter().map(|line| line.len() as u64).sum();
        }
        Answer::Tls { .. } | Answer::Dns(_) | Answer::Icmp { .. } | Answer::Grpc { .. } => {}
    }
    report
}

fn http_answered(report: &mut ExchangeReport, answer: &HttpAnswer) {
    report.status = Some(answer.status);
    report.wire_bytes = answer.wire_bytes;
    report.http = Some(Box::new(HttpDetail {
        version: answer.version.clone(),
        request_headers: shown_headers(&answer.request.headers),
        request_bytes: answer.request.body.len() as u64,
        response_headers: shown_headers(&answer.headers),
        body_bytes: answer.body.len() as u64,
        redirects: answer.redirects.iter().map(shown_hop).collect(),
    }));
}

/// Headers without what signs somebody in.
fn shown_headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    let shown = |(name, value): &(String, String)| {
        let value = if is_sensitive_name(name) { REDACTED } else { value.as_str() };
        (name.clone(), value.to_owned())
    };
    headers.iter().map(shown).collect()
}

fn shown_hop(hop: &RedirectHop) -> RedirectHop {
    RedirectHop { url: redact_url(&hop.url), location: redact_url(&hop.location), ..hop.clone() }
}

/// The report of an exchange that was not answered.
pub(super) fn unanswered(asked: Asked, trail: &Trail, error: &ProbeError) -> ExchangeReport {
    ExchangeReport {
        status: trail.status,
        started: trail.started(),
        elapsed: trail.elapsed(),
        timings: trail.timings,
        wire_bytes: trail.wire_bytes,
        remote: trail.remote.map(|remote| remote.to_string()),
        certificate: trail.certificate.clone(),
        error: Some(error.to_string()),
        ..asked.report()
    }
}

/// The request as a command that a person can try, without credentials.
pub(super) fn curl(request: &HttpRequest) -> String {
    let mut command = String::from("curl");
    let method = request.method.as_str();
    match method {
        "GET" if request.body.is_empty() => {}
        "POST" if !request.body.is_empty() => {}
        "HEAD" => command.push_str(" --head"),
        _ => {
            command.push_str(" -X ");
            command.push_str(&quoted(method));
        }
    }
    for (name, value) in &request.headers {
        if is_trace_header(name.as_str()) {
            continue;
        }
        let shown = if value.is_sensitive() || is_sensitive_name(name.as_str()) {
            REDACTED.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        // Writing to a String cannot fail.
        let _ok = write!(command, " -H {}", quoted(&format!("{name}: {shown}")));
    }
    if !request.body.is_empty() {
        command.push_str(" --data-raw ");
        command.push_str(&quoted(&shown_body(request)));
    }
    command.push(' ');
    command.push_str(&quoted(&redact_url(request.url.as_str())));
    command
}

fn is_trace_header(name: &str) -> bool {
    matches!(name, "traceparent" | "x-amzn-trace-id")
}

fn shown_body(request: &HttpRequest) -> String {
    let body = request.body.get(..CURL_BODY_BYTES_MAX).unwrap_or(&request.body);
    let text = String::from_utf8_lossy(body);
    let content_type = request.headers.get("content-type").map(|value| value.as_bytes());
    match content_type {
        Some(b"application/x-www-form-urlencoded") => shown_form(&text),
        Some(b"application/json") => shown_json(&text),
        _ => text.into_owned(),
    }
}

fn shown_form(text: &str) -> String {
    let field = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_sensitive_name(name) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    };
    text.split('&').map(field).collect::<Vec<_>>().join("&")
}

fn shown_json(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str(text) else { return text.to_owned() };
    // Without secrets: those go when the whole report is swept.
    Redactor::default().json(&mut value);
    value.to_string()
}

/// A word of a shell command, in single quotes where it needs them.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::probe::http::Sensitive;

    #[test]
    fn a_request_becomes_a_command_without_its_credentials() {
        let mut request = HttpRequest::new("POST", "http://a.test/x?token=t&q=1").unwrap();
        request.header("content-type", "application/json", Sensitive::No).unwrap();
        request.header("x-mine", "it's", Sensitive::No).unwrap();
        request.header("x-tainted", "leak", Sensitive::Yes).unwrap();
        request.header("authorization", "Bearer leak", Sensitive::No).unwrap();
        request.body = r#"{"user":"ann","password":"leak","in":{"token":"leak"}}"#.into();
        assert_eq!(
            curl(&request),
            r#"curl -H 'content-type: application/json' -H 'x-mine: it'\''s' "#.to_owned()
                + r#"-H 'x-tainted: ***' -H 'authorization: ***' "#
                + r#"--data-raw '{"user":"ann","password":"***","in":{"token":"***"}}' "#
                + r#"'http://a.test/x?token=***&q=1'"#
        );
    }
}

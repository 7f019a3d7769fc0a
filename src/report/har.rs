use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::failure::run_name;
use super::fan::{End, Reporter};
use crate::canary::event::RunEvent;
use crate::canary::observation::{Phase, RedirectHop, Timings};
use crate::canary::report::{ExchangeReport, HttpDetail, RunReport, StepReport};
use crate::time::Timestamp;

/// An HTTP archive of every run: a page an attempt's step, an entry a request.
///
/// Source: HTTP Archive (HAR) format, version 1.2. Differs: bodies are not kept; exchanges of other
/// protocols have no place in it; why there was no answer stands in `_error`, as browsers write it.
pub(super) struct HarReporter;

impl Reporter for HarReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, _out: &mut dyn Write, _run: &RunReport) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        let mut archive = Archive::default();
        end.runs.iter().for_each(|run| archive.add(run));
        let Archive { pages, entries } = archive;
        let root = json!({ "log": {
            "version": "1.2",
            "creator": { "name": "coalmine", "version": env!("CARGO_PKG_VERSION") },
            "pages": pages,
            "entries": entries,
        } });
        serde_json::to_writer_pretty(&mut *out, &root)?;
        writeln!(out)
    }
}

#[derive(Default)]
struct Archive {
    pages: Vec<Value>,
    entries: Vec<Value>,
}

impl Archive {
    fn add(&mut self, run: &RunReport) {
        for attempt in &run.attempts {
            for step in &attempt.steps {
                self.add_step(run, attempt.number, step);
            }
        }
    }

    fn add_step(&mut self, run: &RunReport, attempt: u32, step: &StepReport) {
        let exchanges: Vec<(&ExchangeReport, Url)> = step
            .exchanges
            .iter()
            .filter_map(|exchange| Some((exchange, web_url(&exchange.url)?)))
            .collect();
        if exchanges.is_empty() {
            return;
        }
        let page = format!("page_{}", self.pages.len() + 1);
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        self.pages.push(json!({
            "startedDateTime": step.started.to_rfc3339(),
            "id": page,
            "title": format!("{}: {}{again}", run_name(run), step.name),
            "pageTimings": { "onContentLoad": null, "onLoad": millis(step.elapsed) },
        }));
        for (exchange, url) in exchanges {
            self.add_exchange(&page, exchange, &url);
        }
    }

    /// Each followed redirect is a request of its own.
    fn add_exchange(&mut self, page: &str, exchange: &ExchangeReport, url: &Url) {
        let none = HttpDetail::default();
        let detail = exchange.http.as_deref().unwrap_or(&none);
        let mut begun = exchange.started;
        for hop in &detail.redirects {
            if let Some(url) = web_url(&hop.url) {
                self.entries.push(hop_entry(page, (exchange, hop), (&url, begun)));
            }
            begun = begun.plus(hop.elapsed);
        }
        let hops: Duration = detail.redirects.iter().map(|hop| hop.elapsed).sum();
        let last = detail.redirects.last().and_then(|hop| url.join(&hop.location).ok());
        let url = last.as_ref().unwrap_or(url);
        let elapsed = exchange.elapsed.saturating_sub(hops);
        let mut entry = entry(page, (url, begun), elapsed, &timings(&exchange.timings, elapsed));
        let (host, port) = remote(exchange);
        put(&mut entry, "serverIPAddress", host.into());
        put(&mut entry, "connection", port.into());
        put(&mut entry, "request", request(exchange, detail, url));
        put(&mut entry, "response", response(exchange, detail));
        if let Some(error) = &exchange.error {
            put(&mut entry, "_error", error.as_str().into());
        }
        self.entries.push(entry);
    }
}

fn web_url(text: &str) -> Option<Url> {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https" | "ws" | "wss");
    Url::parse(text).ok().filter(is_web)
}

fn put(entry: &mut Value, key: &str, value: Value) {
    if let Some(members) = entry.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn entry(page: &str, (url, begun): (&Url, Timestamp), elapsed: Duration, timings: &Value) -> Value {
    json!({
        "pageref": page,
        "startedDateTime": begun.to_rfc3339(),
        "time": millis(elapsed),
        "request": { "method": "GET", "url": url.as_str() },
        "response": {},
        "cache": {},
        "timings": timings,
    })
}

fn hop_entry(
    page: &str,
    (exchange, hop): (&ExchangeReport, &RedirectHop),
    (url, begun): (&Url, Timestamp),
) -> Value {
    let timings = timings(&Timings::default(), hop.elapsed);
    let mut entry = entry(page, (url, begun), hop.elapsed, &timings);
    let none = HttpDetail::default();
    put(&mut entry, "request", request(exchange, &none, url));
    let mut answer = response(exchange, &none);
    put(&mut answer, "status", hop.status.into());
    put(&mut answer, "statusText", status_text(Some(hop.status)).into());
    put(&mut answer, "redirectURL", hop.location.as_str().into());
    put(&mut entry, "response", answer);
    entry
}

/// Whatever of the time no phase accounts for was spent before any of them.
fn timings(timings: &Timings, elapsed: Duration) -> Value {
    let phase = |phase| timings.phase(phase).map_or(-1.0, millis);
    let secure = timings.phase(Phase::Tls);
    // Source: HAR 1.2: the time of TLS is part of `connect`, too.
    let connect = match (timings.phase(Phase::Connect), secure) {
        (None, None) => -1.0,
        (connect, secure) => millis(connect.unwrap_or_default() + secure.unwrap_or_default()),
    };
    let needed = |name| timings.phase(name).map_or(0.0, millis);
    json!({
        "blocked": millis(elapsed.saturating_sub(timings.total())),
        "dns": phase(Phase::Resolve),
        "connect": connect,
        "ssl": secure.map_or(-1.0, millis),
        "send": needed(Phase::Send),
        "wait": needed(Phase::Wait),
        "receive": needed(Phase::Receive),
    })
}

fn request(exchange: &ExchangeReport, detail: &HttpDetail, url: &Url) -> Value {
    let query: Vec<Value> =
        url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "method": exchange.method,
        "url": url.as_str(),
        "httpVersion": version(detail),
        "cookies": [],
        "headers": headers(&detail.request_headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": detail.request_bytes,
    })
}

fn response(exchange: &ExchangeReport, detail: &HttpDetail) -> Value {
    let of_type = |(name, _): &&(String, String)| name == "content-type";
    let media_type = detail.response_headers.iter().find(of_type);
    json!({
        // Source: browsers write 0 where there was no answer.
        "status": exchange.status.unwrap_or(0),
        "statusText": status_text(exchange.status),
        "httpVersion": version(detail),
        "cookies": [],
        "headers": headers(&detail.response_headers),
        "content": {
            "size": detail.body_bytes,
            "mimeType": media_type.map_or("x-unknown", |(_, value)| value.as_str()),
        },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": exchange.wire_bytes,
    })
}

fn status_text(status: Option<u16>) -> &'static str {
    let status = status.and_then(|status| http::StatusCode::from_u16(status).ok());
    status.and_then(|status| status.canonical_reason()).unwrap_or("")
}

fn version(detail: &HttpDetail) -> &str {
    if detail.version.is_empty() { "unknown" } else { &detail.version }
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// `127.0.0.1:8600` and `[::1]:8600` in two parts.
fn remote(exchange: &ExchangeReport) -> (&str, &str) {
    let parts = exchange.remote.as_deref().and_then(|remote| remote.rsplit_once(':'));
    let (host, port) = parts.unwrap_or(("", ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// To a microsecond, which is finer than anything that was measured.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

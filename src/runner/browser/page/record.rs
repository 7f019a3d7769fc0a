//! What a page's network and console did, from the browser's events.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::canary::observation::{Phase, Timings};
use crate::runner::browser::protocol::BidiEvent;
use crate::time::{Monotonic, Timestamp};

/// Requests of one run that are kept.
const EXCHANGES_MAX: usize = 4000;
/// Console messages of one run that are kept.
const CONSOLE_LINES_MAX: usize = 1000;
/// Of one console message, so much is kept.
const CONSOLE_CHARACTERS_MAX: usize = 4000;
/// Of one URL, so much is kept: `data:` URLs hold whole pictures.
const URL_CHARACTERS_MAX: usize = 2000;

/// One request of a page and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PageExchange {
    /// The method.
    pub method: String,
    /// The URL asked for.
    pub url: String,
    /// What it was for: `Document`, `Script`, `Fetch`.
    pub resource: String,
    /// Request headers, in order.
    pub request_headers: Vec<(String, String)>,
    /// The response; absent while there is none.
    pub response: Option<PageResponse>,
    /// Why there is none: `net::ERR_CONNECTION_REFUSED`.
    pub error: Option<String>,
    /// When it began, by the browser's clock.
    pub started: Timestamp,
    /// From start to end; zero while it has not ended.
    pub elapsed: Duration,
    /// Its phases.
    pub timings: Timings,
}

/// The response to one request of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageResponse {
    /// The status code.
    pub status: u16,
    /// The status text.
    pub reason: String,
    /// `http/1.1`, `h2`.
    pub protocol: String,
    /// Response headers, in order.
    pub headers: Vec<(String, String)>,
    /// The media type.
    pub media_type: String,
    /// Bytes that came over the wire, headers included.
    pub wire_bytes: u64,
    /// Whether it came out of the browser's cache.
    pub is_cached: bool,
}

impl PageExchange {
    /// Whether it is over, one way or the other.
    pub fn has_ended(&self) -> bool {
        self.response.is_some() || self.error.is_some()
    }

    fn from_event(parameters: &Value) -> Self {
        let request = parameters.get("request").unwrap_or(&Value::Null);
        let started = parameters.get("timestamp").and_then(Value::as_f64).unwrap_or(0.0);
        Self {
            method: text(request, "method"),
            url: text(request, "url").chars().take(URL_CHARACTERS_MAX).collect(),
            resource: text(request, "goog:resourceType"),
            request_headers: headers(request),
            response: None,
            error: None,
            started: Timestamp::from_secs_f64(started / 1000.0),
            elapsed: Duration::ZERO,
            timings: Timings::default(),
        }
    }

    /// Takes in what only the end of a request tells.
    fn end(&mut self, parameters: &Value) {
        let request = parameters.get("request").unwrap_or(&Value::Null);
        self.request_headers = headers(request);
        let ended = parameters.get("timestamp").and_then(Value::as_f64).unwrap_or(0.0);
        let ended = Timestamp::from_secs_f64(ended / 1000.0);
        let millis = u64::try_from(ended.millis_since(self.started)).unwrap_or(0);
        self.elapsed = Duration::from_millis(millis);
        self.timings = timings(request.get("timings").unwrap_or(&Value::Null));
    }
}

impl PageResponse {
    fn from_event(response: &Value) -> Self {
        let status = response.get("status").and_then(Value::as_u64);
        Self {
            status: status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
            reason: text(response, "statusText"),
            protocol: text(response, "protocol"),
            headers: headers(response),
            media_type: text(response, "mimeType"),
            wire_bytes: response.get("bytesReceived").and_then(Value::as_u64).unwrap_or(0),
            is_cached: response.get("fromCache").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn headers(of: &Value) -> Vec<(String, String)> {
    let list = of.get("headers").and_then(Value::as_array).into_iter().flatten();
    let mut headers: Vec<(String, String)> = list
        .map(|header| {
            let value = header.get("value").unwrap_or(&Value::Null);
            (text(header, "name"), text(value, "value"))
        })
        .collect();
    // Chromium tells some request headers twice: as planned and as sent.
    let mut seen = Vec::new();
    headers.retain(|header| {
        let is_new = !seen.contains(header);
        seen.push(header.clone());
        is_new
    });
    headers
}

/// Source: WebDriver BiDi, `network.FetchTimingInfo`: milliseconds since `timeOrigin`, zero where
/// a phase did not happen.
fn timings(of: &Value) -> Timings {
    let at = |name: &str| of.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let mut timings = Timings::default();
    let mut phase = |phase: Phase, from: &str, to: &str| {
        let (from, to) = (at(from), at(to));
        if to > 0.0 && to >= from {
            timings.set(phase, Duration::from_secs_f64((to - from) / 1000.0));
        }
    };
    phase(Phase::Resolve, "dnsStart", "dnsEnd");
    let has_tls = at("tlsStart") > 0.0;
    phase(Phase::Connect, "connectStart", if has_tls { "tlsStart" } else { "connectEnd" });
    if has_tls {
        phase(Phase::Tls, "tlsStart", "connectEnd");
    }
    phase(Phase::Wait, "requestStart", "responseStart");
    phase(Phase::Receive, "responseStart", "responseEnd");
    timings
}

/// One message of the console, or an error that a script did not catch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleMessage {
    /// `debug`, `info`, `warn`, `error`.
    pub level: String,
    /// What it says.
    pub text: String,
    /// When, by the browser's clock.
    pub at: Timestamp,
    /// Whether it is a script's uncaught error.
    pub is_uncaught: bool,
}

/// Everything recorded of one page so far.
#[derive(Debug)]
pub(super) struct Record {
    exchanges: Vec<PageExchange>,
    under_way: HashMap<String, usize>,
    console: Vec<ConsoleMessage>,
    last_change: Monotonic,
}

impl Record {
    pub(super) fn new(now: Monotonic) -> Self {
        Self {
            exchanges: Vec::new(),
            under_way: HashMap::new(),
            console: Vec::new(),
            last_change: now,
        }
    }

    pub(super) fn absorb(&mut self, event: &BidiEvent, now: Monotonic) {
        let parameters = &event.parameters;
        match event.method.as_str() {
            "network.beforeRequestSent" => self.request_began(parameters, now),
            "network.responseCompleted" => {
                let response = parameters.get("response").unwrap_or(&Value::Null);
                let response = PageResponse::from_event(response);
                self.request_ended(parameters, now, |exchange| exchange.response = Some(response));
            }
            "network.fetchError" => {
                let fault = text(parameters, "errorText");
                self.request_ended(parameters, now, |exchange| exchange.error = Some(fault));
            }
            "log.entryAdded" => self.logged(parameters),
            _ => {}
        }
    }

    fn request_began(&mut self, parameters: &Value, now: Monotonic) {
        self.last_change = now;
        // BOUND: a page that never stops asking is recorded up to here.
        if self.exchanges.len() >= EXCHANGES_MAX {
            return;
        }
        if let Some(id) = request_id(parameters) {
            // A redirect keeps its number; the hop before it has been answered.
            self.under_way.insert(id.to_owned(), self.exchanges.len());
        }
        self.exchanges.push(PageExchange::from_event(parameters));
    }

    fn request_ended(
        &mut self,
        parameters: &Value,
        now: Monotonic,
        end: impl FnOnce(&mut PageExchange),
    ) {
        self.last_change = now;
        let at = request_id(parameters).and_then(|id| self.under_way.remove(id));
        if let Some(exchange) = at.and_then(|at| self.exchanges.get_mut(at)) {
            exchange.end(parameters);
            end(exchange);
        }
    }

    fn logged(&mut self, entry: &Value) {
        if self.console.len() >= CONSOLE_LINES_MAX {
            return;
        }
        let at = entry.get("timestamp").and_then(Value::as_f64).unwrap_or(0.0);
        self.console.push(ConsoleMessage {
            level: text(entry, "level"),
            text: text(entry, "text").chars().take(CONSOLE_CHARACTERS_MAX).collect(),
            at: Timestamp::from_secs_f64(at / 1000.0),
            is_uncaught: text(entry, "type") == "javascript",
        });
    }

    /// Why the latest request without an answer has none.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.exchanges.iter().rev().find_map(|exchange| exchange.error.as_deref())
    }

    pub(super) fn exchanges(&self) -> &[PageExchange] {
        &self.exchanges
    }

    pub(super) fn console(&self) -> &[ConsoleMessage] {
        &self.console
    }

    pub(super) fn console_lines(&self) -> Vec<String> {
        self.console.iter().map(|line| format!("{}: {}", line.level, line.text)).collect()
    }

    /// Since when no request is under way; `None` while one is.
    pub(super) fn quiet_since(&self) -> Option<Monotonic> {
        self.under_way.is_empty().then_some(self.last_change)
    }

    pub(super) fn unanswered(&self) -> Vec<String> {
        let open = self.exchanges.iter().filter(|exchange| !exchange.has_ended());
        open.map(|exchange| exchange.url.clone()).take(20).collect()
    }
}

fn request_id(parameters: &Value) -> Option<&str> {
    parameters.get("request")?.get("request")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::{Clock, SystemClock};

    fn event(method: &str, parameters: Value) -> BidiEvent {
        BidiEvent { method: method.to_owned(), parameters }
    }

    fn request(id: &str, url: &str) -> Value {
        json!({ "request": id, "url": url, "method": "GET", "timings": {
            "connectStart": 1.0, "connectEnd": 3.0, "requestStart": 3.0, "responseStart": 9.5,
            "responseEnd": 10.0,
        }})
    }

    #[tokio::test]
    async fn a_redirect_and_its_target_are_two_exchanges_of_one_number() {
        let now = SystemClock.monotonic();
        let mut record = Record::new(now);
        let began = |url: &str| {
            let parameters = json!({ "timestamp": 1000, "request": request("1", url) });
            event("network.beforeRequestSent", parameters)
        };
        let ended = |status: u16, url: &str| {
            let response = json!({ "status": status, "bytesReceived": 7 });
            let parameters =
                json!({ "timestamp": 1012, "request": request("1", url), "response": response });
            event("network.responseCompleted", parameters)
        };
        record.absorb(&began("/old"), now);
        assert_eq!(record.unanswered(), ["/old"]);
        assert_eq!(record.quiet_since(), None);
        for after in [ended(302, "/old"), began("/new"), ended(200, "/new")] {
            record.absorb(&after, now);
        }
        assert_eq!(record.quiet_since(), Some(now));
        let status = |at: usize| record.exchanges()[at].response.as_ref().unwrap().status;
        assert_eq!((status(0), status(1)), (302, 200));
        let timings = record.exchanges()[1].timings;
        assert_eq!(timings.connect, Some(Duration::from_millis(2)));
        assert_eq!(timings.wait, Some(Duration::from_micros(6500)));
        assert_eq!((timings.tls, timings.resolve), (None, None));
        assert_eq!(record.exchanges()[1].elapsed, Duration::from_millis(12));
    }

    #[tokio::test]
    async fn a_page_that_never_stops_asking_is_recorded_up_to_a_bound() {
        let now = SystemClock.monotonic();
        let mut record = Record::new(now);
        for id in 0..EXCHANGES_MAX + 10 {
            let parameters = json!({ "request": request(&id.to_string(), "/") });
            record.absorb(&event("network.beforeRequestSent", parameters), now);
        }
        assert_eq!(record.exchanges().len(), EXCHANGES_MAX);
    }
}

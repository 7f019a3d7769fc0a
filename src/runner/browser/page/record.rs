//! What a page's network and console did, from the browser's events.

use std::collections::HashMap;

use serde_json::Value;

use crate::runner::browser::protocol::BidiEvent;
use crate::time::Monotonic;

/// Requests of one run that are kept.
const EXCHANGES_MAX: usize = 4000;
/// Console messages of one run that are kept.
const CONSOLE_LINES_MAX: usize = 1000;
/// Of one console message, so much is kept.
const CONSOLE_CHARACTERS_MAX: usize = 4000;

/// One request of a page and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PageExchange {
    /// The request as the standard has it: URL, method, headers, timings.
    pub request: Value,
    /// The response as the standard has it; absent while there is none.
    pub response: Option<Value>,
    /// Why there is none.
    pub error: Option<String>,
    /// Milliseconds since the epoch at which it began, by the browser's clock.
    pub started_millis: f64,
}

impl PageExchange {
    /// The URL asked for.
    pub fn url(&self) -> &str {
        self.request.get("url").and_then(Value::as_str).unwrap_or_default()
    }

    /// Bytes that came over the wire, headers included.
    pub fn bytes_received(&self) -> u64 {
        let received = self.response.as_ref().and_then(|response| response.get("bytesReceived"));
        received.and_then(Value::as_u64).unwrap_or(0)
    }

    fn has_ended(&self) -> bool {
        self.response.is_some() || self.error.is_some()
    }
}

/// One message of the console, or an error that a script did not catch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleMessage {
    /// `debug`, `info`, `warn`, `error`.
    pub level: String,
    /// What it says.
    pub text: String,
    /// Milliseconds since the epoch.
    pub at_millis: i64,
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

    pub(super) fn absorb(&mut self, event: BidiEvent, now: Monotonic) {
        let parameters = event.parameters;
        match event.method.as_str() {
            "network.beforeRequestSent" => self.request_began(parameters, now),
            "network.responseCompleted" => {
                let response = parameters.get("response").cloned();
                self.request_ended(&parameters, now, |exchange| exchange.response = response);
            }
            "network.fetchError" => {
                let text = parameters.get("errorText").and_then(Value::as_str);
                let text = text.unwrap_or("failed").to_owned();
                self.request_ended(&parameters, now, |exchange| exchange.error = Some(text));
            }
            "log.entryAdded" => self.logged(&parameters),
            _ => {}
        }
    }

    fn request_began(&mut self, mut parameters: Value, now: Monotonic) {
        self.last_change = now;
        // BOUND: a page that never stops asking is recorded up to here.
        if self.exchanges.len() >= EXCHANGES_MAX {
            return;
        }
        let started_millis = parameters.get("timestamp").and_then(Value::as_f64).unwrap_or(0.0);
        let request = parameters.get_mut("request").map(Value::take).unwrap_or_default();
        if let Some(id) = request.get("request").and_then(Value::as_str) {
            // A redirect keeps its number; the hop before it has been answered.
            self.under_way.insert(id.to_owned(), self.exchanges.len());
        }
        let exchange = PageExchange { request, response: None, error: None, started_millis };
        self.exchanges.push(exchange);
    }

    fn request_ended(
        &mut self,
        parameters: &Value,
        now: Monotonic,
        end: impl FnOnce(&mut PageExchange),
    ) {
        self.last_change = now;
        let request = parameters.get("request");
        let id = request.and_then(|request| request.get("request")).and_then(Value::as_str);
        let at = id.and_then(|id| self.under_way.remove(id));
        let Some(exchange) = at.and_then(|at| self.exchanges.get_mut(at)) else { return };
        // The later event knows the timings.
        if let Some(request) = request {
            exchange.request = request.clone();
        }
        end(exchange);
    }

    fn logged(&mut self, entry: &Value) {
        if self.console.len() >= CONSOLE_LINES_MAX {
            return;
        }
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        self.console.push(ConsoleMessage {
            level: text("level").to_owned(),
            text: text("text").chars().take(CONSOLE_CHARACTERS_MAX).collect(),
            at_millis: entry.get("timestamp").and_then(Value::as_i64).unwrap_or(0),
            is_uncaught: text("type") == "javascript",
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
        open.map(|exchange| exchange.url().to_owned()).take(20).collect()
    }
}

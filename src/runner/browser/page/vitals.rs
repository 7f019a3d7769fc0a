//! Numbers of a page: web vitals, and what it cost to load.

use serde_json::{Value, json};

use super::fault::PageFault;
use super::session::BrowserSession;
use crate::canary::report::Measure;
use crate::telemetry::StandardUnit;
use crate::time::Deadline;

const VITALS: &str = include_str!("script/vitals.js");

/// Names, units and places in the script's answer.
///
/// Source: web.dev, "Web Vitals"; names as CloudWatch RUM spells them in full.
const MEASURES: [(&str, &str, StandardUnit); 7] = [
    ("TimeToFirstByte", "ttfb", StandardUnit::Milliseconds),
    ("FirstContentfulPaint", "fcp", StandardUnit::Milliseconds),
    ("LargestContentfulPaint", "lcp", StandardUnit::Milliseconds),
    ("PageLoad", "load", StandardUnit::Milliseconds),
    ("CumulativeLayoutShift", "cls", StandardUnit::None),
    ("InteractionToNextPaint", "inp", StandardUnit::Milliseconds),
    ("LongTasks", "longTasks", StandardUnit::Count),
];

impl BrowserSession {
    /// What was measured since the last call, or since the session began: the vitals of the page
    /// that is shown, and the requests and bytes of all pages in between.
    pub async fn measures(&mut self, deadline: Deadline) -> Result<Vec<Measure>, PageFault> {
        let answer = self.script(VITALS, &json!(null), self.hard(deadline)).await;
        let vitals = match answer {
            Ok(vitals) => vitals,
            Err(fault) if fault.is_fatal() => return Err(Self::fault(fault)),
            // A page that is about to give way to another has no vitals worth noting.
            Err(_) => Value::Null,
        };
        let mut measures = Vec::new();
        let mut note = |name: &str, value: f64, unit| {
            measures.push(Measure { name: name.into(), value, unit });
        };
        let is_page = vitals
            .get("url")
            .and_then(Value::as_str)
            .is_some_and(|url| url.starts_with("http:") || url.starts_with("https:"));
        if is_page && self.is_news(&vitals) {
            for (name, place, unit) in MEASURES {
                if let Some(value) = vitals.get(place).and_then(Value::as_f64) {
                    note(name, value, unit);
                }
            }
        }
        let (requests, bytes) = self.transferred();
        if requests > 0 {
            note("Requests", requests as f64, StandardUnit::Count);
            note("TransferredBytes", bytes as f64, StandardUnit::Bytes);
        }
        Ok(measures)
    }

    /// Whether these vitals are of a page that was not measured before.
    fn is_news(&mut self, vitals: &Value) -> bool {
        let begun = vitals.get("begun").and_then(Value::as_f64);
        let is_news = begun != self.measured.page_begun;
        self.measured.page_begun = begun;
        is_news
    }

    fn transferred(&mut self) -> (usize, u64) {
        self.absorb_events();
        let new = self.record().exchanges().get(self.measured.exchanges..).unwrap_or_default();
        let responses = new.iter().filter_map(|exchange| exchange.response.as_ref());
        let bytes = responses.map(|response| response.wire_bytes).sum();
        let requests = new.len();
        self.measured.exchanges += requests;
        (requests, bytes)
    }
}

/// Up to where a session has been measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    exchanges: usize,
    page_begun: Option<f64>,
}

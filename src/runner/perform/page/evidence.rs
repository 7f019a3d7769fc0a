//! What a browser step leaves: exchanges, and after a failure a picture, the console, the network.

use std::time::Duration;

use crate::canary::definition::Step;
use crate::canary::report::{Artifact, ArtifactKind, ExchangeReport};
use crate::canary::secret::redact_url;
use crate::runner::attempt::Attempt;
use crate::runner::browser::{BrowserSession, PageExchange, har};
use crate::runner::step::StepRecord;
use crate::time::Deadline;

/// Exchanges of one step that its report lists; the archive holds all.
const EXCHANGES_REPORTED_MAX: usize = 100;
/// How long the picture of a failure may take.
const FAILURE_SHOT_TIMEOUT: Duration = Duration::from_millis(600);

impl Attempt {
    /// Lists what a step's page asked for.
    pub(super) fn note_exchanges(
        &self,
        page: &mut BrowserSession,
        seen_before: usize,
        record: &mut StepRecord,
    ) {
        let new = page.exchanges().get(seen_before..).unwrap_or_default();
        let listed = new.iter().filter(|exchange| exchange.url.starts_with("http"));
        record.exchanges.extend(listed.take(EXCHANGES_REPORTED_MAX).map(report));
    }

    /// Keeps what tells why a step failed.
    pub(super) async fn keep_page_evidence(
        &mut self,
        step: &Step,
        page: &mut BrowserSession,
        is_lost: bool,
        deadline: Deadline,
    ) {
        if !is_lost {
            let limit = deadline.tightened(&**self.run.clock(), FAILURE_SHOT_TIMEOUT);
            if let Some(bytes) = page.failure_shot(limit).await {
                let name = self.artifact_name(&step.name, "failure.png");
                let media_type = "image/png";
                let kind = ArtifactKind::FailureScreenshot;
                self.emitted.artifacts.push(Artifact { kind, name, media_type, bytes });
            }
        }
        let lines: Vec<String> = page
            .console()
            .iter()
            .map(|line| format!("{} {} {}", line.at, line.level, line.text))
            .collect();
        if !lines.is_empty() {
            let text = self.run.redaction.text(&lines.join("\n"));
            self.keep_text(step, (ArtifactKind::ConsoleLog, "console.log", "text/plain"), text);
        }
        self.keep_archive(step, page);
    }

    /// Keeps the network of the attempt's page as an HTTP archive.
    fn keep_archive(&mut self, step: &Step, page: &mut BrowserSession) {
        let exchanges = page.exchanges();
        if exchanges.is_empty() {
            return;
        }
        let redaction = &self.run.redaction;
        let archive = har(exchanges, &redaction.redactor());
        let text = redaction.text(&archive.to_string());
        self.keep_text(step, (ArtifactKind::Har, "network.har", "application/json"), text);
    }

    fn keep_text(
        &mut self,
        step: &Step,
        (kind, rest, media_type): (ArtifactKind, &str, &'static str),
        text: String,
    ) {
        let name = self.artifact_name(&step.name, rest);
        self.emitted.artifacts.push(Artifact { kind, name, media_type, bytes: text.into() });
    }
}

fn report(exchange: &PageExchange) -> ExchangeReport {
    let response = exchange.response.as_ref();
    ExchangeReport {
        method: exchange.method.clone(),
        url: redact_url(&exchange.url),
        status: response.map(|response| response.status),
        started: exchange.started,
        elapsed: exchange.elapsed,
        timings: exchange.timings,
        wire_bytes: response.map_or(0, |response| response.wire_bytes),
        remote: None,
        certificate: None,
        error: exchange.error.clone(),
        curl: None,
        span: None,
        http: None,
    }
}

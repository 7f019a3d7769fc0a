use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;

use crate::canary::event::{RunEvent, RunEventKind};
use crate::canary::report::RunReport;
use crate::telemetry::LogEvent;
use crate::time::Timestamp;

/// `2026/11/24/[$LATEST]<run id without dashes>`, as Lambda names its streams.
pub(super) fn stream(report: &RunReport) -> String {
    let day = DateTime::from_timestamp_millis(report.started.as_millis()).unwrap_or_default();
    let id = report.id.0.replace('-', "");
    format!("{}/[$LATEST]{id}", day.format("%Y/%m/%d"))
}

/// One JSON line for each run event, in the order they happened.
pub(super) fn events(report: &RunReport) -> Vec<LogEvent> {
    let mut kinds: Vec<(Timestamp, RunEventKind)> = Vec::new();
    let started = RunEventKind::RunStarted {
        canary: Arc::clone(&report.canary),
        file: Arc::clone(&report.file),
        parameters: report.parameters.clone(),
        steps: report.deciding_attempt().map(|attempt| attempt.steps.len()),
    };
    kinds.push((report.started, started));
    let last = report.attempts.len();
    for (at, attempt) in report.attempts.iter().enumerate() {
        for step in &attempt.steps {
            let ended = step.started.plus(step.elapsed);
            kinds.push((ended, RunEventKind::StepFinished(Box::new(step.clone()))));
        }
        if at + 1 < last {
            let ended = attempt.started.plus(attempt.elapsed);
            let next = report.attempts.get(at + 1).map_or(ended, |next| next.started);
            let wait = u64::try_from(next.millis_since(ended)).unwrap_or(0);
            let of_step = attempt.steps.iter().find_map(|step| step.outcome.failure());
            let failure = of_step.or(attempt.failure.as_ref()).cloned().map(Box::new);
            let retry_in = std::time::Duration::from_millis(wait);
            let kind = RunEventKind::AttemptFailed { attempt: attempt.number, failure, retry_in };
            kinds.push((ended, kind));
        }
    }
    let logged = report.logs.iter().map(|line| (line.at, RunEventKind::Logged(line.clone())));
    kinds.extend(logged);
    // Stable: what happened in one millisecond stays in the order it was put here.
    kinds.sort_by_key(|(at, _)| *at);
    let finished = RunEventKind::RunFinished {
        outcome: report.outcome,
        elapsed: report.elapsed,
        attempts: u32::try_from(last).unwrap_or(u32::MAX),
    };
    kinds.push((report.started.plus(report.elapsed), finished));
    let line = |(sequence, (at, kind)): (u32, (Timestamp, RunEventKind))| {
        let event = RunEvent { run: report.id.clone(), sequence, at, kind };
        LogEvent { timestamp: at, message: message(&event, report) }
    };
    (0..).zip(kinds).map(line).collect()
}

fn message(event: &RunEvent, report: &RunReport) -> String {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        members.insert("canary".to_owned(), Value::from(&*report.canary));
        members.insert("trace".to_owned(), Value::from(report.trace.to_string()));
    }
    value.to_string()
}

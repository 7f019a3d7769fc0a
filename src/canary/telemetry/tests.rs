use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{batch, canary_id, log_group};
use crate::canary::definition::Canary;
use crate::canary::load::{NoImports, load};
use crate::canary::observation::Timings;
use crate::canary::report::{
    AttemptReport, ExchangeReport, Failure, RunId, RunOutcome, RunReport, StepOutcome, StepReport,
    Verdict,
};
use crate::diagnostic::SourceFile;
use crate::telemetry::{MetricValue, Scope, TelemetryBatch, TraceId};
use crate::time::Timestamp;

fn canary() -> Canary {
    let text = "canary: shop\nretry: 1\nsteps:\n- step: home\n  http: http://h/\n";
    load(&SourceFile::new("shop.yaml", text), Path::new("."), &NoImports).unwrap().canary
}

fn exchange(status: Option<u16>) -> ExchangeReport {
    ExchangeReport {
        method: "GET".into(),
        url: "http://shop.test/".into(),
        status,
        started: Timestamp::from_secs(1_000),
        elapsed: Duration::from_millis(40),
        timings: Timings { wait: Some(Duration::from_millis(30)), ..Timings::default() },
        wire_bytes: 12,
        remote: None,
        certificate: None,
        error: status.is_none().then(|| "connection refused".into()),
        curl: None,
        span: Some("00f067aa0ba902b7".into()),
        http: None,
    }
}

fn step(outcome: StepOutcome, exchanges: Vec<ExchangeReport>) -> StepReport {
    StepReport {
        index: 0,
        name: "home".into(),
        location: None,
        started: Timestamp::from_secs(1_000),
        elapsed: Duration::from_millis(50),
        outcome,
        exchanges,
        pictures: Vec::new(),
        measures: Vec::new(),
    }
}

fn attempt(number: u32, outcome: RunOutcome, step: StepReport) -> AttemptReport {
    AttemptReport {
        number,
        started: Timestamp::from_secs(1_000),
        elapsed: Duration::from_millis(60),
        outcome,
        steps: vec![step],
        failure: None,
    }
}

fn failure() -> StepOutcome {
    StepOutcome::Failed(Failure {
        verdict: Verdict::Target,
        message: "status is 500, expected 200".into(),
        assertions: Vec::new(),
        location: None,
        detail: None,
    })
}

fn report(outcome: RunOutcome, attempts: Vec<AttemptReport>) -> RunReport {
    RunReport {
        id: RunId("9a1d7a4c-0000-4000-8000-000000000001".into()),
        canary: "shop".into(),
        file: "shop.yaml".into(),
        parameters: BTreeMap::new(),
        trace: TraceId::new(Timestamp::from_secs(1_000), [7; 12]),
        scheduled: Timestamp::from_secs(1_000),
        started: Timestamp::from_secs(1_000),
        elapsed: Duration::from_millis(200),
        outcome,
        attempts,
        metrics: Vec::new(),
        logs: Vec::new(),
        annotations: BTreeMap::new(),
        artifacts: Vec::new(),
    }
}

fn flaky() -> TelemetryBatch {
    let first = attempt(1, RunOutcome::Failed, step(failure(), vec![exchange(Some(500))]));
    let second =
        attempt(2, RunOutcome::Passed, step(StepOutcome::Passed, vec![exchange(Some(200))]));
    batch(&report(RunOutcome::Flaky, vec![first, second]), &canary(), Scope::default())
}

/// `Name{dimensions}` to the values, in order.
fn metrics(batch: &TelemetryBatch) -> BTreeMap<String, Vec<f64>> {
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for datum in batch.metrics.iter().flat_map(|batch| &batch.data) {
        let dimensions: Vec<&str> = datum.dimensions.iter().map(|d| &*d.value).collect();
        let key = format!("{}{{{}}}", datum.metric_name, dimensions.join(","));
        let MetricValue::Value(value) = datum.value else { panic!("a sample") };
        found.entry(key).or_default().push(value);
    }
    found
}

#[test]
fn a_flaky_run_tells_both_attempts_and_the_retry() {
    let found = metrics(&flaky());
    for (key, values) in [
        ("SuccessPercent{}", vec![0.0, 100.0]),
        ("SuccessPercent{shop}", vec![0.0, 100.0]),
        ("SuccessPercent{shop,home}", vec![0.0, 100.0]),
        ("Duration{shop}", vec![60.0, 60.0]),
        ("WaitDuration{shop,home}", vec![30.0, 30.0]),
        ("SuccessPercentWithRetries{shop}", vec![100.0]),
        ("RetryCount{shop}", vec![1.0]),
        ("Failed{shop}", vec![0.0]),
        ("2xx{shop}", vec![1.0]),
        ("5xx{}", vec![1.0]),
        ("Failed requests{shop}", vec![0.0]),
    ] {
        assert_eq!(found.get(key), Some(&values), "{key} of {:?}", found.keys());
    }
}

#[test]
fn a_broken_canary_does_not_lower_the_success_of_its_target() {
    let broken = attempt(1, RunOutcome::Error, step(StepOutcome::Skipped, Vec::new()));
    let batch = batch(&report(RunOutcome::Error, vec![broken]), &canary(), Scope::default());
    let found = metrics(&batch);
    assert_eq!(found.get("Failed{shop}"), Some(&vec![1.0]));
    assert!(!found.keys().any(|key| key.starts_with("SuccessPercent")), "{found:?}");
    assert!(!found.contains_key("2xx{shop}"));
}

#[test]
fn a_run_without_an_answer_counts_a_failed_request() {
    let failed = attempt(1, RunOutcome::Failed, step(failure(), vec![exchange(None)]));
    let batch = batch(&report(RunOutcome::Failed, vec![failed]), &canary(), Scope::default());
    assert_eq!(metrics(&batch).get("Failed requests{shop}"), Some(&vec![1.0]));
}

#[test]
fn the_log_stream_has_one_json_line_a_run_event() {
    let batch = flaky();
    let log = &batch.logs[0];
    assert_eq!(&*log.group, log_group(&Scope::default(), "shop"));
    assert!(log.group.starts_with("/aws/lambda/cwsyn-shop-"), "{}", log.group);
    assert!(log.stream.starts_with("1970/01/01/[$LATEST]9a1d7a4c"), "{}", log.stream);
    let lines: Vec<Value> =
        log.events.iter().map(|event| serde_json::from_str(&event.message).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let expected =
        ["run-started", "step-finished", "step-finished", "attempt-failed", "run-finished"];
    assert_eq!(events, expected);
    assert!(lines.iter().all(|line| line["canary"] == "shop"));
    let sequence: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequence, [0, 1, 2, 3, 4]);
    assert!(log.events.is_sorted_by_key(|event| event.timestamp));
}

#[test]
fn the_trace_nests_attempts_steps_and_requests() {
    let batch = flaky();
    let document: Value = serde_json::from_str(&batch.traces[0].document).unwrap();
    let request = &document["subsegments"][0]["subsegments"][0]["subsegments"][0];
    assert_eq!(request["id"], "00f067aa0ba902b7");
    assert_eq!(request["namespace"], "remote");
    assert_eq!(request["http"]["response"]["status"], 500);
    assert_eq!(request["fault"], true);
    assert_eq!(document["subsegments"][1]["subsegments"][0]["fault"], Value::Null);
    assert_eq!(document["annotations"]["outcome"], "flaky");
    assert_eq!(document["fault"], Value::Null);
    assert_eq!(document["trace_id"], batch.traces[0].trace_id.to_string());
}

#[test]
fn the_event_has_the_members_of_synthetics() {
    let failed = attempt(1, RunOutcome::Failed, step(failure(), Vec::new()));
    let batch = batch(&report(RunOutcome::Failed, vec![failed]), &canary(), Scope::default());
    let event = &batch.events[0];
    assert_eq!(&*event.detail_type, "Synthetics Canary TestRun Failure");
    assert_eq!(event.detail["canary-id"], canary_id(&Scope::default(), "shop"));
    assert_eq!(event.detail["test-run-status"], "FAILED");
    assert_eq!(event.detail["state-reason"], "\"step `home`: status is 500, expected 200\"");
    assert_eq!(event.detail["canary-run-timeline"]["started"], 1_000);
}

#[test]
fn skipped_and_cancelled_runs_are_no_data() {
    let skipped = batch(&report(RunOutcome::Skipped, vec![]), &canary(), Scope::default());
    assert!(skipped.metrics.is_empty() && skipped.events.is_empty());
    let cancelled = batch(&report(RunOutcome::Cancelled, vec![]), &canary(), Scope::default());
    assert!(metrics(&cancelled).is_empty() && cancelled.events.is_empty());
}

#[test]
fn a_batch_of_the_same_run_has_the_same_id() {
    assert_eq!(flaky().id, flaky().id);
    assert!(flaky().id.is_some());
}

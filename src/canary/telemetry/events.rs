use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use super::canary_id;
use crate::canary::report::{RunOutcome, RunReport};
use crate::telemetry::{DEFAULT_EVENT_BUS, Event, Scope};

/// The event that tells how a run ended; a cancelled run has none.
///
/// Source: CloudWatch User Guide, "Monitoring canary events with Amazon EventBridge".
pub(super) fn run_result(report: &RunReport, scope: &Scope) -> Option<Event> {
    if report.outcome == RunOutcome::Cancelled {
        return None;
    }
    let passed = report.outcome.is_good();
    let ended = report.started.plus(report.elapsed);
    // Failures carry their text in quotes of its own, successes the word `null`.
    let reason = match report.failure() {
        Some((step, failure)) if !passed => {
            let place = step.map(|step| format!("step `{}`: ", step.name)).unwrap_or_default();
            json!(format!("{place}{}", failure.message)).to_string()
        }
        _ => "null".to_owned(),
    };
    let id = xxh3_128(format!("{}/result", report.id).as_bytes()).to_be_bytes();
    let ending = if passed { "Successful" } else { "Failure" };
    Some(Event {
        bus: DEFAULT_EVENT_BUS.into(),
        id: uuid::Builder::from_random_bytes(id).into_uuid().to_string().into(),
        source: "aws.synthetics".into(),
        detail_type: format!("Synthetics Canary TestRun {ending}").into(),
        time: ended,
        resources: Vec::new(),
        detail: json!({
            "account-id": scope.account,
            "canary-id": canary_id(scope, &report.canary),
            "canary-name": report.canary,
            "canary-run-id": report.id,
            "artifact-location": format!("coalmine/canary/{}/{}", scope.region, report.canary),
            "test-run-status": if passed { "PASSED" } else { "FAILED" },
            "state-reason": reason,
            "canary-run-timeline": {
                "started": report.started.as_secs(),
                "completed": ended.as_secs(),
            },
            "message": "Test run result is generated successfully",
        }),
        trace_header: Some(format!("Root={};Sampled=1", report.trace).into()),
    })
}

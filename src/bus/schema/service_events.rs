use std::sync::Arc;

use serde_json::{Value, json};

use super::document::{AWS_EVENTS, Schema, SchemaKind, SchemaVersion, Tags};
use super::infer::{Shape, event_document, schema_name};
use crate::time::Timestamp;

/// The schemas of what services send here, each with its only version, by name.
pub(super) fn all() -> Vec<(Schema, SchemaVersion)> {
    let mut all = samples()
        .into_iter()
        .filter_map(|(source, detail_type, detail)| {
            let document = event_document(source, detail_type, &Shape::of(&detail)?);
            let schema = Schema {
                registry: AWS_EVENTS.into(),
                name: schema_name(source, detail_type).into(),
                kind: SchemaKind::OpenApi3,
                description: Some(format!("Schema for event type {detail_type}, by {source}.")),
                tags: Tags::new(),
                modified: Timestamp::EPOCH,
                versions: vec![1],
                newest: 1,
                shape: None,
            };
            let content: Arc<str> = document.to_string().into();
            let (kind, created) = (SchemaKind::OpenApi3, Timestamp::EPOCH);
            Some((schema, SchemaVersion { number: 1, kind, content, created }))
        })
        .collect::<Vec<_>>();
    all.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    all
}

/// One event of each kind: source, detail type, detail.
fn samples() -> Vec<(&'static str, &'static str, Value)> {
    let mut samples = vec![
        ("aws.cloudwatch", "CloudWatch Alarm State Change", alarm()),
        ("aws.events", "Scheduled Event", json!({})),
        ("aws.synthetics", "Synthetics Canary TestRun Failure", run()),
        ("aws.synthetics", "Synthetics Canary TestRun Successful", run()),
    ];
    for detail_type in ["Schema Created", "Schema Version Created"] {
        samples.push(("aws.schemas", detail_type, schema_change()));
    }
    samples
}

fn alarm() -> Value {
    let state = json!({
        "value": "ALARM", "reason": "", "reasonData": "",
        "timestamp": "2026-01-01T00:00:00.000+0000",
    });
    let metric = json!({
        "metricStat": {
            "metric": {"namespace": "", "name": "", "dimensions": {}},
            "period": 60,
            "stat": "Average",
        },
        "id": "m1",
        "returnData": true,
    });
    json!({
        "alarmName": "",
        "state": state,
        "previousState": state,
        "configuration": {"description": "", "metrics": [metric]},
    })
}

fn run() -> Value {
    json!({
        "account-id": "", "canary-id": "", "canary-name": "", "canary-run-id": "",
        "artifact-location": "", "test-run-status": "PASSED", "state-reason": "",
        "canary-run-timeline": {"started": 0, "completed": 0},
        "message": "",
    })
}

fn schema_change() -> Value {
    json!({
        "SchemaName": "", "SchemaType": "OpenApi3", "RegistryName": "",
        "CreationDate": "2026-01-01T00:00:00Z", "Version": "1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_services_holds_what_canaries_and_alarms_send() {
        let names = all().into_iter().map(|(schema, _)| schema.name).collect::<Vec<_>>();
        assert!(names.contains(&"aws.cloudwatch@CloudWatchAlarmStateChange".into()), "{names:?}");
        assert!(names.contains(&"aws.synthetics@SyntheticsCanaryTestRunFailure".into()));
        assert!(names.is_sorted());
    }
}

use coalmine::store::{AuditAttribute, AuditQuery};
use coalmine::telemetry::{AuditKind, AuditRecord, Event, TelemetryBatch, TraceId, TraceSegment};
use coalmine::time::{TimeRange, Timestamp};
use serde_json::json;

use super::support::{NOON, TempStore, scope};

pub(super) fn event(n: i64) -> Event {
    Event {
        bus: "default".into(),
        id: format!("event-{n}").into(),
        source: "aws.synthetics".into(),
        detail_type: "t".into(),
        time: NOON.plus_millis(n),
        resources: vec!["arn:aws:x".into()],
        detail: json!({"n": n}),
        trace_header: (n % 2 == 0).then(|| "Root=1".into()),
    }
}

pub(super) fn record(n: i64, name: &str) -> AuditRecord {
    AuditRecord {
        event_id: format!("id-{n}").into(),
        event_time: NOON.plus_millis(n),
        event_name: name.into(),
        event_source: "monitoring.amazonaws.com".into(),
        username: (n == 1).then(|| "ann".into()),
        access_key_id: None,
        read_only: n % 2 == 0,
        kind: AuditKind::Management,
        resources: vec![("AWS::CloudWatch::Alarm".into(), format!("alarm-{n}").into())],
        record: json!({"eventVersion": "1.11", "n": n}),
    }
}

#[tokio::test]
async fn events_are_found_by_time_in_pages_wherever_they_lie() {
    let mut store = TempStore::new().await;
    let batch = |range: std::ops::Range<i64>| TelemetryBatch {
        events: range.map(event).collect(),
        ..TelemetryBatch::new(scope())
    };
    store.store.append(batch(3..6)).await.unwrap();
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    store.store.append(batch(0..3)).await.unwrap();
    let range = TimeRange::new(NOON.plus_millis(1), NOON.plus_millis(6));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let events = store.store.events();
        let found = events.find((&scope(), "default"), range, after.as_ref(), 2).await.unwrap();
        seen.extend(found.events.iter().map(|event| event.as_ref().clone()));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..6).map(event).collect::<Vec<_>>());
    let other = store.store.events().find((&scope(), "other"), range, None, 9).await.unwrap();
    assert!(other.events.is_empty());
}

#[tokio::test]
async fn audit_records_are_looked_up_newest_first() {
    let mut store = TempStore::new().await;
    let batch = |records| TelemetryBatch { audit: records, ..TelemetryBatch::new(scope()) };
    let flushed = vec![record(0, "PutMetricAlarm"), record(1, "DeleteAlarms")];
    store.store.append(batch(flushed)).await.unwrap();
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    store.store.append(batch(vec![record(2, "PutMetricAlarm")])).await.unwrap();
    let query = |attribute| AuditQuery { attribute, range: TimeRange::ALL, after: None, limit: 9 };
    let ids = |query: AuditQuery<'static>| {
        let store = store.store.clone();
        async move {
            let found = store.audit().lookup(&scope(), &query).await.unwrap();
            found.iter().map(|(_, record)| record.event_id.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids(query(None)).await, ["id-2", "id-1", "id-0"]);
    let by = |attribute| ids(query(Some(attribute)));
    assert_eq!(by(AuditAttribute::EventName("PutMetricAlarm".into())).await, ["id-2", "id-0"]);
    assert_eq!(by(AuditAttribute::Username("ann".into())).await, ["id-1"]);
    assert_eq!(by(AuditAttribute::ResourceName("alarm-1".into())).await, ["id-1"]);
    assert_eq!(by(AuditAttribute::ReadOnly(false)).await, ["id-1"]);
    let audit = store.store.audit();
    let first = audit.lookup(&scope(), &AuditQuery { limit: 1, ..query(None) }).await.unwrap();
    let next = AuditQuery { after: Some(&first[0].0), ..query(None) };
    let rest = audit.lookup(&scope(), &next).await.unwrap();
    assert_eq!(rest[0].1.as_ref(), &record(1, "DeleteAlarms"));
    assert_eq!(rest.len(), 2);
}

#[tokio::test]
async fn a_trace_is_the_last_document_of_each_segment() {
    let mut store = TempStore::new().await;
    let id = TraceId::new(NOON, [1; 12]);
    let start = NOON.as_secs_f64();
    let segment = |name: &str, end: Option<f64>, more: serde_json::Value| {
        let mut document = json!({"id": name, "name": "shop", "start_time": start});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TraceSegment {
            trace_id: id,
            id: name.into(),
            start_time: start,
            end_time: end,
            document: document.to_string().into(),
        }
    };
    let batch = |traces| TelemetryBatch { traces, ..TelemetryBatch::new(scope()) };
    store.store.append(batch(vec![segment("a", None, json!({}))])).await.unwrap();
    let summaries = |store: &TempStore, range| {
        let store = store.store.clone();
        async move { store.traces().summaries(&scope(), range).await.unwrap() }
    };
    let hour = TimeRange::new(NOON, NOON.plus_millis(3_600_000));
    assert!(summaries(&store, hour).await[0].is_partial);
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    let ended = segment("a", Some(start + 2.0), json!({"fault": true}));
    let child = segment("b", Some(start + 1.0), json!({"parent_id": "a"}));
    store.store.append(batch(vec![child, ended.clone()])).await.unwrap();
    store.store.flush().await.unwrap();
    let traces = store.store.traces().get(&scope(), &[id, TraceId::new(NOON, [2; 12])]).await;
    let traces = traces.unwrap();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].segments.len(), 2);
    assert!(traces[0].segments.iter().any(|segment| **segment == ended));
    let summary = &summaries(&store, hour).await[0];
    assert!(!summary.is_partial && summary.has_fault && !summary.has_error);
    assert_eq!((summary.duration, summary.response_time), (2.0, Some(2.0)));
    let before = TimeRange::new(Timestamp::EPOCH, NOON);
    assert!(summaries(&store, before).await.is_empty());
}

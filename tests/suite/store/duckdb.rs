//! Another engine reads the segments as they lie.

use std::process::Command;

use super::audit_events_traces::{event, record};
use super::support::{NOON, TempStore, datum, lines, metrics, scope};
use coalmine::telemetry::{TelemetryBatch, TraceId, TraceSegment};

const SCRIPT: &str = r#"
import sys, duckdb
root = sys.argv[1]
for query in [
    "select count(*), sum(sample_count), sum(sum), max(maximum), min(first)::text "
    "from '{}/metrics/*.parquet'",
    "select log_group, log_stream, count(*), min(timestamp)::text, "
    "string_agg(message, '' order by timestamp), max(\"$.level\"), avg(\"$.ms\"), "
    "sum(\"$.at.n\") from '{}/logs/*.parquet' group by all order by all",
    "select replace(shape, chr(26), '_'), typeof(\"$.ms\"), typeof(\"$.at.n\"), count(*) "
    "from '{}/logs/*.parquet' where shape is not null group by all",
    "select trace_id, id, end_time is null, document->>'$.id' from '{}/traces/*.parquet'",
    "select bus, detail_type, count(*), sum((detail->>'$.n')::int) "
    "from '{}/events/*.parquet' group by all",
    "select event_name, username, read_only from '{}/audit/*.parquet' order by event_time",
]:
    print(duckdb.sql("set timezone='UTC'; " + query.format(root)).fetchall())
"#;

#[tokio::test]
#[ignore = "needs a python3 with duckdb on PATH; scripts/test.sh has one"]
async fn duckdb_reads_every_table() {
    let store = TempStore::new().await;
    let data = (0..50).map(|n| datum("Duration", NOON.plus_millis(n * 60_000), 2.0)).collect();
    store.store.append(metrics(data)).await.unwrap();
    let slow = r#"{"level":"WARN","ms":2.5,"at":{"n":3}}"#;
    let fast = r#"{"level":"INFO","ms":0.5,"at":{"n":4}}"#;
    let texts = [(1, "a"), (2, "b"), (3, "c"), (4, slow), (5, fast)];
    store.store.append(lines("/g", "s", &texts)).await.unwrap();
    let segment = TraceSegment {
        trace_id: TraceId::from_bytes([1; 16]),
        id: "70de5b6f19ff9a0a".into(),
        start_time: NOON.as_secs_f64(),
        end_time: None,
        document: r#"{"id":"70de5b6f19ff9a0a"}"#.into(),
    };
    let batch = TelemetryBatch {
        traces: vec![segment],
        events: (0..4).map(event).collect(),
        audit: vec![record(0, "PutMetricAlarm"), record(1, "DeleteAlarms")],
        ..TelemetryBatch::new(scope())
    };
    store.store.append(batch).await.unwrap();
    store.store.flush().await.unwrap();
    let segments = store.folder.path().join("segments");
    let output = Command::new("python3").args(["-c", SCRIPT]).arg(&segments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let seen = String::from_utf8_lossy(&output.stdout);
    let expected = "\
[(1, 50.0, 100.0, 2.0, '2026-11-24 14:00:00+00')]
[('/g', 's', 5, '2026-11-24 14:00:01+00', 'abc', 'WARN', 1.5, 7)]
[('{\"level\":\"_\",\"ms\":_,\"at\":{\"n\":_}}', 'DOUBLE', 'BIGINT', 2)]
[('1-01010101-010101010101010101010101', '70de5b6f19ff9a0a', True, '70de5b6f19ff9a0a')]
[('default', 't', 4, 6)]
[('PutMetricAlarm', None, 1), ('DeleteAlarms', 'ann', 0)]
";
    assert_eq!(seen, expected, "{errors}");
}

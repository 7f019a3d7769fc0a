//! `coalmine logs`, `metrics`, `traces` and `events`, on a folder that a server has left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coalmine::store::{Store, StoreSettings};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{
    DEFAULT_EVENT_BUS, Dimensions, Event, LogBatch, LogEvent, MetricBatch, MetricDatum,
    MetricValue, Scope, StandardUnit, StorageResolution, TelemetryBatch,
};
use coalmine::time::{Clock, Period, SystemClock, Timestamp};
use serde_json::json;

use crate::program::{Finished, Server, coalmine, run_in};

/// A whole hour, two to three hours ago.
fn hour() -> Timestamp {
    SystemClock.now().floor(Period::HOUR).plus_millis(-2 * 3_600_000)
}

async fn fill(folder: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tasks = TaskGroup::new();
    let store = Store::open(StoreSettings::new(folder), clock, &tasks).await.expect("a new folder");
    let scope = Scope::default();
    store.logs().create_group(&scope, "/shop").await.expect("a new group");
    store.logs().create_stream(&scope, "/shop", "till").await.expect("a new stream");
    let mut batch = TelemetryBatch::new(scope);
    let datum = |minute: i64, name: &str, value: f64| MetricDatum {
        metric_name: name.into(),
        dimensions: Dimensions::of([("Till", "1")]),
        timestamp: hour().plus_millis(minute * 60_000),
        value: MetricValue::Value(value),
        unit: StandardUnit::Count,
        storage_resolution: StorageResolution::Standard,
    };
    let data = vec![
        datum(0, "Orders", 10.0),
        datum(1, "Orders", 20.0),
        datum(0, "Errors", 1.0),
        datum(1, "Errors", 5.0),
    ];
    batch.metrics.push(MetricBatch { namespace: "Shop".into(), data });
    let line = |minute: i64, status: u32| LogEvent {
        timestamp: hour().plus_millis(minute * 60_000),
        message: json!({"status": status, "path": "/cart"}).to_string(),
    };
    let events = vec![line(0, 200), line(1, 500), line(2, 200)];
    batch.logs.push(LogBatch { group: "/shop".into(), stream: "till".into(), events });
    batch.events.push(Event {
        bus: DEFAULT_EVENT_BUS.into(),
        id: "e1".into(),
        source: "shop".into(),
        detail_type: "Order Placed".into(),
        time: hour(),
        resources: Vec::new(),
        detail: json!({"sum": 12}),
        trace_header: None,
    });
    store.append(batch).await.expect("a small batch");
    store.close().await.expect("nothing is wrong");
    tasks.shutdown(Duration::from_secs(5)).await;
}

fn asked(folder: &Path, arguments: &[&str]) -> Finished {
    let finished = run_in(folder, &[arguments, &["--data-dir", "data", "--since", "4h"]].concat());
    assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.err);
    finished
}

/// The hour is another in every test run.
fn undated(text: &str) -> String {
    let shown = hour().to_rfc3339();
    let (iso, plain) = (&shown[..13], shown[..13].replace('T', " "));
    text.replace(iso, "HOUR").replace(&plain, "HOUR")
}

#[tokio::test]
async fn what_is_stored_is_found_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("data")).await;
    let told = |arguments: &[&str]| undated(&asked(folder.path(), arguments).out);
    assert_eq!(
        told(&[
            "metrics",
            "query",
            "b=Shop:Errors{Till=1}:Sum",
            "a=Shop:Orders{Till=1}:Sum",
            "100 * b / a"
        ]),
        "time                 q3\nHOUR:00:00  10.0\nHOUR:01:00  25.0\n"
    );
    assert_eq!(
        told(&["metrics", "query", "Shop:Orders{Till=1}:Sum", "--format", "csv"]),
        "time,Shop:Orders{Till=1}:Sum\nHOUR:00:00Z,10.0\nHOUR:01:00Z,20.0\n"
    );
    assert_eq!(
        told(&["logs", "tail", "/shop", "--filter", "{ $.status >= 500 }"]),
        "HOUR:01:00  {\"status\":500,\"path\":\"/cart\"}\n"
    );
    assert_eq!(
        told(&[
            "logs",
            "query",
            "stats count(*) as n by status | sort n desc",
            "-g",
            "/shop",
            "--format",
            "csv"
        ]),
        "status,n\n200,2\n500,1\n"
    );
    assert_eq!(
        told(&[
            "events",
            "find",
            r#"{"detail": {"sum": [{"numeric": [">", 10]}]}}"#,
            "--format",
            "csv"
        ]),
        "time,source,detail-type,detail\nHOUR:00:00Z,shop,Order Placed,\"{\"\"sum\"\":12}\"\n"
    );
    assert_eq!(told(&["events", "find", r#"{"source": ["bank"]}"#, "--format", "json"]), "");
    assert_eq!(told(&["traces", "find", "--format", "csv"]), "trace,start,seconds,outcome\n");
}

#[tokio::test]
async fn metrics_are_listed_with_their_dimensions_and_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("data")).await;
    let list = run_in(folder.path(), &["metrics", "list", "Shop", "--data-dir", "data"]);
    let expected =
        "namespace  metric  dimensions\nShop       Errors  Till=1\nShop       Orders  Till=1\n";
    assert_eq!((list.code, list.out.as_str()), (0, expected));
    for (arguments, told) in [
        (&["metrics", "query", "SELECT NONSENSE"][..], ""),
        (&["logs", "tail", "/nowhere"], "does not exist"),
        (&["logs", "query", "stats nonsense(", "-g", "/shop"], ""),
        (&["logs", "tail", "/shop", "--follow"], "nothing arrives in a folder"),
        (&["events", "find", "{"], "invalid event pattern"),
        (&["metrics", "query", "Shop:Orders", "--from", "1h", "--to", "2h"], "is not before"),
    ] {
        let finished = run_in(folder.path(), &[arguments, &["--data-dir", "data"]].concat());
        assert_eq!(finished.code, 2, "{arguments:?}: {} {}", finished.out, finished.err);
        assert!(finished.err.contains(told), "{arguments:?}: {}", finished.err);
    }
}

const CANARY: &str =
    "canary: shop\nsteps:\n  - step: home\n    http: { get: \"http://127.0.0.1:9/\" }\n";

#[test]
fn a_run_is_kept_in_a_folder_or_brought_to_a_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.yaml"), CANARY).unwrap();
    let failed = run_in(folder.path(), &["run", "shop.yaml", "--store", "data"]);
    assert_eq!(failed.code, 1, "{}", failed.err);
    let count = "CloudWatchSynthetics:SuccessPercent{CanaryName=shop}:SampleCount";
    let told = |arguments: &[&str]| {
        let ask = ["metrics", "query", count, "--period", "1h", "--format", "csv"];
        let told = run_in(folder.path(), &[&ask, arguments].concat());
        assert_eq!(told.code, 0, "{}", told.err);
        let sum = |line: &str| line.rsplit(',').next().and_then(|n| n.parse::<f64>().ok());
        told.out.lines().filter_map(sum).sum::<f64>()
    };
    assert!((told(&["--data-dir", "data"]) - 1.0).abs() < f64::EPSILON);
    let serve = ["serve", "--listen", "0", "--data-dir", "data"];
    let server = Server::start(coalmine(folder.path(), &serve));
    let url = server.ready_text("url").to_owned();
    let failed = run_in(folder.path(), &["run", "shop.yaml", "--push", &url]);
    assert_eq!(failed.code, 1, "{}", failed.err);
    assert!((told(&["--url", &url]) - 2.0).abs() < f64::EPSILON);
    let traces = run_in(folder.path(), &["traces", "find", "--url", &url, "--format", "csv"]);
    assert_eq!(traces.out.lines().count(), 3, "{}", traces.out);
    // A folder that is in use is known before anything is run.
    let refused = run_in(folder.path(), &["run", "shop.yaml", "--store", "data"]);
    assert_eq!((refused.code, refused.out.as_str()), (5, ""));
}

//! `coalmine alarms`, called as a user calls it, on a folder and on a server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coalmine::store::{Store, StoreSettings};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{
    Dimensions, MetricBatch, MetricDatum, MetricValue, Scope, StandardUnit, StorageResolution,
    TelemetryBatch,
};
use coalmine::time::{Clock, Period, SystemClock, Timestamp};
use serde_json::Value;

use crate::golden;
use crate::program::{Server, coalmine, run_in};

const DAY_MINUTES: i64 = 1_440;
/// Fewer than the days that data is kept by the minute.
const DAYS: i64 = 10;

/// Midnight, ten days ago.
fn start() -> Timestamp {
    let day = Period::new(86_400).expect("a whole day");
    SystemClock.now().floor(day).plus_millis(-DAYS * 86_400_000)
}

/// Response times of a shop that has its bad minutes.
fn latency(minute: i64) -> Option<f64> {
    let (day, of_day) = (minute / DAY_MINUTES, minute % DAY_MINUTES);
    let usual = 180.0 + f64::from(u32::try_from(minute * 37 % 60).expect("below sixty"));
    Some(match (day, of_day) {
        // An outage, a bad deployment, three blinks, a night without data.
        (2, 843..855) => 900.0,
        (5, 180..314) => 1_500.0,
        (3, 550..552) | (6, 1_200..1_202) | (8, 61..63) => 700.0,
        (7, 0..180) => return None,
        _ => usual,
    })
}

async fn fill(folder: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tasks = TaskGroup::new();
    let store = Store::open(StoreSettings::new(folder), clock, &tasks).await.expect("a new folder");
    let datum = |minute: i64| {
        Some(MetricDatum {
            metric_name: "Latency".into(),
            dimensions: Dimensions::of([("Shop", "lamps")]),
            timestamp: start().plus_millis(minute * 60_000),
            value: MetricValue::Value(latency(minute)?),
            unit: StandardUnit::Milliseconds,
            storage_resolution: StorageResolution::Standard,
        })
    };
    let mut batch = TelemetryBatch::new(Scope::default());
    let data = (0..DAYS * DAY_MINUTES).filter_map(datum).collect();
    batch.metrics.push(MetricBatch { namespace: "Shop".into(), data });
    store.append(batch).await.expect("a small batch");
    store.close().await.expect("nothing is wrong");
    tasks.shutdown(Duration::from_secs(5)).await;
}

const ALARM: &str = r#"{"AlarmName": "shop is slow", "Namespace": "Shop", "MetricName": "Latency",
    "Dimensions": [{"Name": "Shop", "Value": "lamps"}], "Statistic": "Average", "Period": 60,
    "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 500,
    "ComparisonOperator": "GreaterThanThreshold"}"#;

/// Dates differ from day to day; times of day do not.
fn undated(text: &str) -> String {
    let date = |day: i64| {
        start().plus_millis(day * 86_400_000).to_rfc3339().chars().take(10).collect::<String>()
    };
    (0..=DAYS)
        .fold(text.to_owned(), |text, day| text.replace(&date(day), &format!("day {day:>2}    ")))
}

fn range() -> [String; 4] {
    let day = |day: i64| start().plus_millis(day * 86_400_000).to_rfc3339();
    ["--from".to_owned(), day(0), "--to".to_owned(), day(DAYS)]
}

fn backtest<'a>(range: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["alarms", "--data-dir", "data", "backtest", "alarm.json"];
    arguments.extend(range.iter().map(String::as_str));
    arguments.extend(more);
    arguments
}

#[tokio::test]
async fn a_backtest_reads_as_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("data")).await;
    std::fs::write(folder.path().join("alarm.json"), ALARM).unwrap();
    let range = range();
    for (more, file) in [
        (&[][..], "tests/ui/cli/backtest.txt"),
        (&["--set", "Threshold=800"], "tests/ui/cli/backtest-beside.txt"),
        (
            &["--set", "TreatMissingData=breaching", "--set", "DatapointsToAlarm=3"],
            "tests/ui/cli/backtest-missing.txt",
        ),
        (&["--set", "Treshold=800"], "tests/ui/cli/backtest-refused.txt"),
    ] {
        let finished = run_in(folder.path(), &backtest(&range, more));
        golden::check(file, &undated(&(finished.out + &finished.err)));
    }
}

#[tokio::test]
async fn a_server_tells_what_its_folder_tells_and_keeps_the_folder_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("data")).await;
    std::fs::write(folder.path().join("alarm.json"), ALARM).unwrap();
    let range = range();
    let local = run_in(folder.path(), &backtest(&range, &["--json"]));
    assert_eq!((local.code, local.err.as_str()), (0, ""));
    let serve = ["serve", "--listen", "0", "--data-dir", "data"];
    let server = Server::start(coalmine(folder.path(), &serve));
    let url = server.ready_text("url").to_owned();
    let remote = run_in(folder.path(), &backtest(&range, &["--json", "--url", &url]));
    assert_eq!((remote.code, remote.err.as_str()), (0, ""));
    assert_eq!(local.out, remote.out);
    let told: Value = serde_json::from_str(&remote.out).unwrap();
    assert_eq!(told["original"]["pages"].as_array().unwrap().len(), 5);
    assert_eq!(told["original"]["flakes"], 3);
    let refused = run_in(folder.path(), &backtest(&range, &[]));
    assert_eq!(refused.code, 5);
    assert!(refused.err.contains("in use") && refused.err.contains("--url"), "{}", refused.err);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let none = run_in(folder.path(), &["alarms", "list"]);
    assert_eq!(none.code, 5);
    assert!(none.err.contains("coalmine-data is no data folder"), "{}", none.err);
    assert!(!folder.path().join("coalmine-data").exists());
    let unheard = run_in(folder.path(), &["alarms", "list", "--url", "http://127.0.0.1:9"]);
    assert_eq!(unheard.code, 4);
    assert!(unheard.err.contains("cannot ask http://127.0.0.1:9"), "{}", unheard.err);
}

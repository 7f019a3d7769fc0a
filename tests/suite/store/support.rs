use std::path::Path;
use std::sync::Arc;

use coalmine::store::{FlushPolicy, Store, StoreSettings};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{
    Dimensions, LogBatch, LogEvent, MetricBatch, MetricDatum, MetricId, Scope, StandardUnit,
    TelemetryBatch,
};
use coalmine::time::{Clock, ManualClock, Timestamp};

/// 2026-11-24T14:00:00Z: on the hour, so that every period is aligned.
pub(super) const NOON: Timestamp = Timestamp::from_millis(1_795_528_800_000);

/// A store in a folder of its own, with a clock that stands still and no upkeep of its own accord.
pub(super) struct TempStore {
    pub(super) store: Store,
    pub(super) clock: Arc<ManualClock>,
    pub(super) folder: tempfile::TempDir,
    tasks: TaskGroup,
}

pub(super) fn settings(directory: &Path) -> StoreSettings {
    let never = std::time::Duration::from_secs(1_000_000);
    StoreSettings {
        flush: FlushPolicy { look_every: never, ..FlushPolicy::default() },
        free_bytes_min: Some(0),
        ..StoreSettings::new(directory)
    }
}

impl TempStore {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::frozen(NOON));
        let tasks = TaskGroup::new();
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = Store::open(settings(folder.path()), shared, &tasks).await.unwrap();
        Self { store, clock, folder, tasks }
    }

    /// Closes the store and opens the folder again.
    pub(super) async fn reopen(mut self) -> Self {
        self.store.close().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        self.store = Store::open(settings(self.folder.path()), clock, &self.tasks).await.unwrap();
        self
    }
}

pub(super) fn scope() -> Scope {
    Scope::default()
}

pub(super) fn metric(name: &str) -> MetricId {
    MetricId {
        namespace: "Shop".into(),
        metric_name: name.into(),
        dimensions: Dimensions::of([("Canary", "checkout")]),
    }
}

pub(super) fn datum(name: &str, at: Timestamp, value: f64) -> MetricDatum {
    let dimensions = Dimensions::of([("Canary", "checkout")]);
    MetricDatum::sample(name, dimensions, at, (value, StandardUnit::Milliseconds))
}

pub(super) fn metrics(data: Vec<MetricDatum>) -> TelemetryBatch {
    let metrics = vec![MetricBatch { namespace: "Shop".into(), data }];
    TelemetryBatch { metrics, ..TelemetryBatch::new(scope()) }
}

pub(super) fn lines(group: &str, stream: &str, lines: &[(i64, &str)]) -> TelemetryBatch {
    let event = |(seconds, message): &(i64, &str)| LogEvent {
        timestamp: NOON.plus_millis(seconds * 1000),
        message: (*message).to_owned(),
    };
    let events = lines.iter().map(event).collect();
    let logs = vec![LogBatch { group: group.into(), stream: stream.into(), events }];
    TelemetryBatch { logs, ..TelemetryBatch::new(scope()) }
}

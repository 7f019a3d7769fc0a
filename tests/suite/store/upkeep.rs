use std::sync::Arc;

use coalmine::query::statistic::Statistic;
use coalmine::store::{Direction, LogSearch, Store, StreamSelection};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{MetricDatum, StorageResolution};
use coalmine::time::{Period, SystemClock, TimeRange, Timestamp};

use super::support::{NOON, TempStore, datum, lines, metric, metrics, scope, settings};

async fn sums(store: &TempStore, period: Period) -> Vec<(i64, f64, f64)> {
    let (form, range) = ((period, None), TimeRange::new(NOON, Timestamp::MAX));
    let metrics = store.store.metrics();
    let read = metrics.read(&scope(), &metric("Duration"), range, form).await;
    let p50: Statistic = "p50".parse().unwrap();
    let buckets = read.unwrap();
    let row = |b: &coalmine::store::Bucket| {
        (b.start.millis_since(NOON), b.summary.sum, p50.of(&b.summary).unwrap())
    };
    buckets.iter().map(row).collect()
}

#[tokio::test]
async fn compaction_changes_no_answer_and_sweeps_what_it_replaced() {
    let mut store = TempStore::new().await;
    for round in 0..9i64 {
        let data =
            (0..20).map(|n| datum("Duration", NOON.plus_millis(n * 30_000), 1.0 + round as f64));
        store.store.append(metrics(data.collect())).await.unwrap();
        store.store.append(lines("/g", "s", &[(9 - round, "line")])).await.unwrap();
        store.store.flush().await.unwrap();
    }
    let before = (sums(&store, Period::FIVE_MINUTES).await, found(&store).await);
    assert_eq!(before.1.len(), 9);
    assert_eq!(store.store.counters().segments, 18);
    store.store.tidy().await.unwrap();
    assert_eq!(store.store.counters().segments, 4, "8 of 9 became one, of both signals");
    assert_eq!((sums(&store, Period::FIVE_MINUTES).await, found(&store).await), before);
    assert_eq!(objects(&store), 20, "what was replaced waits for queries that still read it");
    store.clock.step_millis(700_000);
    store.store.tidy().await.unwrap();
    assert_eq!(objects(&store), 4);
    store = store.reopen().await;
    assert_eq!((sums(&store, Period::FIVE_MINUTES).await, found(&store).await), before);
}

async fn found(store: &TempStore) -> Vec<String> {
    let search = LogSearch {
        group: "/g",
        streams: StreamSelection::All,
        range: TimeRange::ALL,
        direction: Direction::OldestFirst,
        token: None,
        limit: 100,
    };
    let found = store.store.logs().filter_events(&scope(), &search, &|_| true).await.unwrap();
    found.events.iter().map(|event| event.id()).collect()
}

fn objects(store: &TempStore) -> usize {
    let tables = std::fs::read_dir(store.folder.path().join("segments")).unwrap();
    tables.map(|table| std::fs::read_dir(table.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn old_data_is_kept_ever_coarser_and_then_dropped() {
    let store = TempStore::new().await;
    let high = |n: i64| MetricDatum {
        storage_resolution: StorageResolution::High,
        ..datum("Duration", NOON.plus_millis(n * 1000), (n % 7) as f64)
    };
    store.store.append(metrics((0..7200).map(high).collect())).await.unwrap();
    store.store.flush().await.unwrap();
    let hour = sums(&store, Period::HOUR).await;
    assert_eq!(hour.len(), 2);
    let day = 86_400_000;
    for (after_days, finest, buckets) in [
        (0, Period::SECOND, 7200),
        (1, Period::MINUTE, 120),
        (16, Period::FIVE_MINUTES, 24),
        (64, Period::HOUR, 2),
    ] {
        store.clock.set(NOON.plus_millis(after_days * day));
        store.store.tidy().await.unwrap();
        assert_eq!(sums(&store, finest).await.len(), buckets, "after {after_days} days");
        let sum: f64 = sums(&store, Period::HOUR).await.iter().map(|(_, sum, _)| sum).sum();
        assert_eq!(sum, hour.iter().map(|(_, sum, _)| sum).sum::<f64>());
        if after_days == 1 {
            assert!(sums(&store, Period::SECOND).await.is_empty(), "no longer by the second");
        }
    }
    store.clock.set(NOON.plus_millis(456 * day));
    store.store.tidy().await.unwrap();
    assert!(sums(&store, Period::HOUR).await.is_empty());
}

#[tokio::test]
async fn a_full_disk_refuses_writes_at_once_and_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = TaskGroup::new();
    let mut settings = settings(folder.path());
    settings.free_bytes_min = Some(u64::MAX);
    let store = Store::open(settings.clone(), Arc::new(SystemClock), &tasks).await.unwrap();
    let batch = || metrics(vec![datum("Duration", NOON, 1.0)]);
    let error = store.append(batch()).await.unwrap_err();
    assert_eq!(error, coalmine::store::AppendError::ReadOnly);
    assert_eq!(store.counters().read_only, 1);
    store.resources().delete(&scope(), "alarm", "a").await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_changed_byte_in_a_segment_is_an_error_or_nothing_but_never_another_value() {
    let mut store = TempStore::new().await;
    let data = (0..500).map(|n| datum("Duration", NOON.plus_millis(n * 60_000), n as f64));
    store.store.append(metrics(data.collect())).await.unwrap();
    store.store.flush().await.unwrap();
    let expected = sums(&store, Period::FIVE_MINUTES).await;
    // Reopened, so that answers come from the file and not from what stays in memory.
    store = store.reopen().await;
    assert_eq!(sums(&store, Period::FIVE_MINUTES).await, expected);
    let folder = store.folder.path().join("segments/metrics");
    let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&path).unwrap();
    let mut errors = 0;
    for _ in 0..200 {
        let mut bytes = whole.clone();
        let at = fastrand::usize(..bytes.len());
        bytes[at] ^= 1 << fastrand::u32(..8);
        std::fs::write(&path, bytes).unwrap();
        let form = (Period::FIVE_MINUTES, None);
        let range = TimeRange::new(NOON, Timestamp::MAX);
        let metrics = store.store.metrics();
        match metrics.read(&scope(), &metric("Duration"), range, form).await {
            Ok(_) => assert_eq!(sums(&store, Period::FIVE_MINUTES).await, expected, "byte {at}"),
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains("is damaged in row group 0"), "{error}");
            }
        }
    }
    assert!(errors > 0);
    std::fs::remove_file(&path).unwrap();
    let (metrics, form) = (store.store.metrics(), (Period::HOUR, None));
    let read = metrics.read(&scope(), &metric("Duration"), TimeRange::ALL, form).await;
    assert!(read.unwrap_err().to_string().starts_with("cannot read segment metrics/l0-"));
}

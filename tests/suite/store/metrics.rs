use coalmine::query::statistic::{Statistic, Summary};
use coalmine::store::MetricFilter;
use coalmine::telemetry::{
    BatchId, Dimensions, MetricDatum, MetricValue, StandardUnit, StatisticSet, StorageResolution,
};
use coalmine::time::{Period, TimeRange, Timestamp};

use super::support::{NOON, TempStore, datum, metric, metrics, scope};

fn second(n: i64) -> Timestamp {
    NOON.plus_millis(n * 1000)
}

async fn read(store: &TempStore, name: &str, range: TimeRange, period: Period) -> Vec<String> {
    let metrics = store.store.metrics();
    let buckets = metrics.read(&scope(), &metric(name), range, (period, None)).await.unwrap();
    let p90: Statistic = "p90".parse().unwrap();
    let show = |summary: &Summary| {
        let p90 = p90.of(summary).map_or("-".to_owned(), |v| v.to_string());
        format!("n={} sum={} p90={p90}", summary.sample_count, summary.sum)
    };
    buckets
        .iter()
        .map(|b| format!("{} {} {}", b.start.millis_since(NOON) / 1000, b.unit, show(&b.summary)))
        .collect()
}

#[tokio::test]
async fn samples_fall_into_periods_wherever_they_lie_and_whenever_they_come() {
    let mut store = TempStore::new().await;
    let high = |n: i64, value: f64| MetricDatum {
        storage_resolution: StorageResolution::High,
        ..datum("Duration", second(n), value)
    };
    // Out of order, twice at one instant, in two batches, and the last one in another unit.
    let batch = vec![high(61, 5.0), high(0, 1.0), high(59, 3.0), high(0, 2.0)];
    store.store.append(metrics(batch)).await.unwrap();
    let seconds = MetricDatum { unit: StandardUnit::Seconds, ..high(5, 9.0) };
    store.store.append(metrics(vec![high(0, 2.0), seconds])).await.unwrap();
    let set = StatisticSet { sample_count: 4.0, sum: 20.0, minimum: 2.0, maximum: 9.0 };
    let set = MetricDatum { value: MetricValue::StatisticSet(set), ..high(130, 0.0) };
    store.store.append(metrics(vec![set])).await.unwrap();
    let range = TimeRange::new(NOON, second(3600));
    let expected = [
        "0 Seconds n=1 sum=9 p90=9",
        "0 Milliseconds n=4 sum=8 p90=3",
        "60 Milliseconds n=1 sum=5 p90=5",
        "120 Milliseconds n=4 sum=20 p90=-",
    ];
    assert_eq!(read(&store, "Duration", range, Period::MINUTE).await, expected);
    store.store.flush().await.unwrap();
    assert_eq!(read(&store, "Duration", range, Period::MINUTE).await, expected, "after a flush");
    store = store.reopen().await;
    assert_eq!(read(&store, "Duration", range, Period::MINUTE).await, expected, "after a restart");
    store.store.append(metrics(vec![high(60, 1.0)])).await.unwrap();
    let both = read(&store, "Duration", range, Period::MINUTE).await;
    assert_eq!(both[2], "60 Milliseconds n=2 sum=6 p90=5", "recent data and a segment add up");
    let by_second = read(&store, "Duration", range, Period::SECOND).await;
    assert_eq!(by_second[0], "0 Milliseconds n=3 sum=5 p90=2");
}

#[tokio::test]
async fn any_instant_is_taken_and_periods_count_from_the_start_asked_for() {
    let store = TempStore::new().await;
    let at = |millis| Timestamp::from_millis(millis);
    let instants = [i64::MIN / 2, -1, 0, 4_102_444_800_000, i64::MAX / 2];
    let data = instants.map(|millis| datum("Far", at(millis), 1.0)).to_vec();
    store.store.append(metrics(data)).await.unwrap();
    for flushed in [false, true] {
        if flushed {
            store.store.flush().await.unwrap();
        }
        let (metrics, form) = (store.store.metrics(), (Period::MINUTE, None));
        let all = metrics.read(&scope(), &metric("Far"), TimeRange::ALL, form).await.unwrap();
        assert_eq!(all.len(), 5, "flushed: {flushed}");
    }
    let range = TimeRange::new(second(-420), second(300));
    store.store.append(metrics(vec![datum("Odd", second(-300), 1.0)])).await.unwrap();
    let odd = read(&store, "Odd", range, Period::FIVE_MINUTES).await;
    assert_eq!(odd, ["-420 Milliseconds n=1 sum=1 p90=1"]);
}

#[tokio::test]
async fn data_by_the_minute_answers_no_finer_period() {
    let store = TempStore::new().await;
    store.store.append(metrics(vec![datum("Duration", second(30), 1.0)])).await.unwrap();
    let range = TimeRange::new(NOON, second(60));
    assert!(read(&store, "Duration", range, Period::SECOND).await.is_empty());
    let minute = read(&store, "Duration", range, Period::MINUTE).await;
    assert_eq!(minute, ["0 Milliseconds n=1 sum=1 p90=1"]);
}

#[tokio::test]
async fn a_batch_that_is_sent_again_counts_once_also_after_flush_and_restart() {
    let mut store = TempStore::new().await;
    let mut batch = metrics(vec![datum("Duration", NOON, 1.0)]);
    batch.id = Some(BatchId([7; 16]));
    let first = store.store.append(batch.clone()).await.unwrap();
    let again = tokio::join!(store.store.append(batch.clone()), store.store.append(batch.clone()));
    assert_eq!((again.0.unwrap(), again.1.unwrap()), (first, first));
    store = store.reopen().await;
    assert_eq!(store.store.append(batch.clone()).await.unwrap(), first, "after a restart");
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    assert_eq!(store.store.append(batch.clone()).await.unwrap(), first, "after a flush");
    let range = TimeRange::new(NOON, second(60));
    let seen = read(&store, "Duration", range, Period::MINUTE).await;
    assert_eq!(seen, ["0 Milliseconds n=1 sum=1 p90=1"]);
}

#[tokio::test]
async fn metrics_are_listed_by_filter_in_pages_also_after_a_restart() {
    let mut store = TempStore::new().await;
    let named = |name: &str, dimensions: &[(&str, &str)]| MetricDatum {
        dimensions: Dimensions::of(dimensions.iter().copied()),
        ..datum(name, NOON, 1.0)
    };
    let data = vec![
        named("A", &[("Canary", "x"), ("Step", "1")]),
        named("A", &[("Canary", "y")]),
        named("B", &[]),
    ];
    store.store.append(metrics(data)).await.unwrap();
    store.store.flush().await.unwrap();
    store = store.reopen().await;
    let list = |filter: &MetricFilter| store.store.metrics().list(&scope(), filter, None, 10);
    let none = MetricFilter::default();
    assert_eq!(list(&none).len(), 3);
    let by_name = MetricFilter { metric_name: Some("A".into()), ..none.clone() };
    assert_eq!(list(&by_name).len(), 2);
    let with_value = vec![("Canary".into(), Some("x".into()))];
    assert_eq!(list(&MetricFilter { dimensions: with_value, ..none.clone() }).len(), 1);
    let any_value = vec![("Canary".into(), None)];
    assert_eq!(list(&MetricFilter { dimensions: any_value, ..none.clone() }).len(), 2);
    let elsewhere = MetricFilter { namespace: Some("Shops".into()), ..none.clone() };
    assert!(list(&elsewhere).is_empty());
    let later = MetricFilter { active_since: Some(second(1)), ..none.clone() };
    assert!(list(&later).is_empty());
    let first = store.store.metrics().list(&scope(), &none, None, 2);
    let rest = store.store.metrics().list(&scope(), &none, first.last(), 2);
    assert_eq!([first, rest].concat(), list(&none));
}

#[tokio::test]
async fn new_metrics_are_refused_at_the_limit_and_known_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        coalmine::store::StoreSettings { series_max: 2, ..super::support::settings(folder.path()) };
    let tasks = coalmine::task::TaskGroup::new();
    let clock = std::sync::Arc::new(coalmine::time::SystemClock);
    let store = coalmine::store::Store::open(settings, clock, &tasks).await.unwrap();
    let batch = |names: &[&str]| metrics(names.iter().map(|n| datum(n, NOON, 1.0)).collect());
    store.append(batch(&["A", "B"])).await.unwrap();
    let error = store.append(batch(&["A", "C"])).await.unwrap_err();
    assert_eq!(error, coalmine::store::AppendError::TooManySeries { series_max: 2 });
    store.append(batch(&["B", "A", "B"])).await.unwrap();
    assert_eq!(store.metrics().list(&scope(), &MetricFilter::default(), None, 9).len(), 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn callers_wait_when_data_comes_faster_than_it_is_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = super::support::settings(folder.path());
    settings.flush.samples_max = 10;
    let tasks = coalmine::task::TaskGroup::new();
    let clock = std::sync::Arc::new(coalmine::time::SystemClock);
    let store = coalmine::store::Store::open(settings, clock, &tasks).await.unwrap();
    let batch = || metrics((0..50).map(|n| datum("A", second(n * 60), 1.0)).collect());
    store.append(batch()).await.unwrap();
    let error = store.append(batch()).await.unwrap_err();
    assert_eq!(error, coalmine::store::AppendError::Busy);
    store.flush().await.unwrap();
    store.append(batch()).await.unwrap();
    assert_eq!(store.counters().batches_throttled, 1);
    store.close().await.unwrap();
}

//! The monitor with a real store, real runs and real receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use coalmine::alarm::{HistoryItem, HistoryItemType, PutMetricAlarm, StateValue};
use coalmine::canary::report::RunOutcome;
use coalmine::monitor::{
    CanaryRow, CanaryRunRow, CanaryState, ForcedState, Monitor, MonitorHandle, MonitorParts,
    MonitorSettings, OutboxRow, Switched, kind,
};
use coalmine::notify::{ChannelSettings, Notifier, RetryPolicy, WebhookSettings};
use coalmine::runner::{Runner, RunnerSettings};
use coalmine::store::{RowPage, Store, StoreSettings};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{
    Dimensions, MetricBatch, MetricDatum, Scope, StandardUnit, TelemetryBatch,
};
use coalmine::time::{Clock, SystemClock, Timestamp};
use serde_json::json;

use crate::receiver::{Answer, Received, Receiver};
use crate::target::{Target, answer, ok};

/// A monitor over a data folder, with one channel called `oncall`.
struct House {
    store: Store,
    monitor: Monitor,
    tasks: TaskGroup,
}

impl House {
    async fn open(data: &Path, receiver: &Receiver, settings: MonitorSettings) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tasks = TaskGroup::new();
        let store =
            Store::open(StoreSettings::new(data), Arc::clone(&clock), &tasks).await.unwrap();
        let webhook = WebhookSettings {
            timeout: Duration::from_millis(250),
            ..WebhookSettings::plain(receiver.url())
        };
        let channels = BTreeMap::from([("oncall".into(), ChannelSettings::Webhook(webhook))]);
        let notifier = Notifier::new(channels, Arc::clone(&clock)).unwrap();
        let runner = Runner::new(RunnerSettings::default(), Arc::clone(&clock));
        let parts = MonitorParts { store: store.clone(), runner, notifier, bus: None, clock };
        let monitor = Monitor::start(settings, parts, &tasks).await.unwrap();
        Self { store, monitor, tasks }
    }

    fn handle(&self) -> &MonitorHandle {
        self.monitor.handle()
    }

    async fn close(self) {
        self.monitor.stop().await;
        self.store.close().await.unwrap();
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }

    async fn outbox(&self) -> usize {
        self.store.resources().everywhere::<OutboxRow>(kind::OUTBOX).await.unwrap().len()
    }

    /// The runs of a canary, newest first.
    async fn runs(&self, canary: &str) -> Vec<CanaryRunRow> {
        let page = RowPage::newest(usize::MAX);
        let resources = self.store.resources();
        let rows = resources.rows(&Scope::default(), kind::CANARY_RUN, canary, &page).await;
        rows.unwrap().into_iter().map(|(_, row)| row).collect()
    }

    async fn canary(&self, name: &str) -> Option<CanaryRow> {
        self.store.resources().get(&Scope::default(), kind::CANARY, name).await.unwrap()
    }

    async fn history(&self, alarm: &str) -> Vec<HistoryItem> {
        let page = RowPage::newest(usize::MAX);
        let resources = self.store.resources();
        let rows = resources.rows(&Scope::default(), kind::ALARM_HISTORY, alarm, &page).await;
        let mut items: Vec<HistoryItem> = rows.unwrap().into_iter().map(|(_, item)| item).collect();
        items.reverse();
        items
    }
}

fn impatient() -> MonitorSettings {
    let retry = RetryPolicy {
        first: Duration::from_millis(2),
        cap: Duration::from_millis(20),
        ..RetryPolicy::default()
    };
    MonitorSettings { retry, ..MonitorSettings::default() }
}

fn oncall() -> String {
    Scope::default().arn("sns", "oncall")
}

/// An alarm on `App/Errors`, 1 of 1 minutes, that nothing is known of.
fn alarm(name: &str) -> PutMetricAlarm {
    let input = json!({
        "AlarmName": name, "Namespace": "App", "MetricName": "Errors", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.0, "TreatMissingData": "ignore",
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [oncall()], "OKActions": [oncall()],
    });
    serde_json::from_value(input).unwrap()
}

async fn force(house: &House, name: &str, value: StateValue) {
    let forced =
        ForcedState { name: name.into(), value, reason: "test".to_owned(), reason_data: None };
    house.handle().alarms().set_state(&Scope::default(), forced).await.unwrap();
}

fn states_told(received: &[Received], alarm: &str) -> Vec<String> {
    let mut keys = BTreeSet::new();
    let mut states = Vec::new();
    for request in received.iter().filter(|request| request.is_acknowledged()) {
        let body = request.json();
        if body["alarm"] == alarm && keys.insert(request.key().to_owned()) {
            states.push(body["state"].as_str().unwrap().to_owned());
        }
    }
    states
}

/// T24: 200 transitions, a receiver that fails half of the time in four ways, and a new life of the
/// monitor after every twenty of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transition_is_told_at_least_once_and_in_order() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number| match number % 8 {
        1 => Answer::Status(500),
        3 => Answer::Silence,
        5 => Answer::Reset,
        7 => Answer::Endless(503),
        6 => Answer::Endless(200),
        _ => Answer::Status(200),
    })
    .await;
    let names: Vec<String> = (0..10).map(|number| format!("alarm-{number}")).collect();
    let mut house = House::open(data.path(), &receiver, impatient()).await;
    for name in &names {
        house.handle().alarms().put_metric(&Scope::default(), alarm(name)).await.unwrap();
    }
    for round in 0..20 {
        let value = if round % 2 == 0 { StateValue::Alarm } else { StateValue::Ok };
        for name in &names {
            force(&house, name, value).await;
        }
        if round % 2 == 1 {
            house.close().await;
            house = House::open(data.path(), &receiver, impatient()).await;
        }
    }
    let distinct = |all: &[Received]| {
        let told = all.iter().filter(|request| request.is_acknowledged());
        told.map(|request| request.key().to_owned()).collect::<BTreeSet<_>>().len()
    };
    let received = receiver.wait_for(|all| distinct(all) >= 200).await;
    assert_eq!(distinct(&received), 200);
    let expected: Vec<String> = (0..20)
        .map(|round| if round % 2 == 0 { "ALARM".to_owned() } else { "OK".to_owned() })
        .collect();
    for name in &names {
        assert_eq!(states_told(&received, name), expected, "{name}");
    }
    while house.outbox().await > 0 {
        tokio::task::yield_now().await;
    }
    let actions = house.history("alarm-3").await;
    let actions = actions.iter().filter(|item| item.item_type == HistoryItemType::Action);
    assert_eq!(actions.count(), 20);
    house.close().await;
}

fn errors(at: Timestamp, value: f64) -> TelemetryBatch {
    let datum = MetricDatum::sample("Errors", Dimensions::none(), at, (value, StandardUnit::Count));
    let metrics = vec![MetricBatch { namespace: "App".into(), data: vec![datum] }];
    TelemetryBatch { metrics, ..TelemetryBatch::new(Scope::default()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_a_period_that_is_over_is_looked_at_without_waiting_for_the_next_minute() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let house = House::open(data.path(), &receiver, impatient()).await;
    house.handle().alarms().put_metric(&Scope::default(), alarm("errors")).await.unwrap();
    let minute_ago = SystemClock.now().minus(Duration::from_secs(60));
    house.store.append(errors(minute_ago, 3.0)).await.unwrap();
    let received = receiver.wait_for(|all| !all.is_empty()).await;
    let body = received[0].json();
    assert_eq!(body["state"], "ALARM");
    assert_eq!(body["kind"], "alarm");
    let reason = body["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Threshold Crossed: 1 out of the last 1 datapoints [3.0 ("),
        "{reason}"
    );
    let history = house.history("errors").await;
    let summaries: Vec<&str> = history.iter().map(|item| item.summary.as_str()).collect();
    assert_eq!(
        summaries[..2],
        ["Alarm \"errors\" created", "Alarm updated from INSUFFICIENT_DATA to ALARM"]
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_states_and_tells_nothing_again() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let house = House::open(data.path(), &receiver, impatient()).await;
    house.handle().alarms().put_metric(&Scope::default(), alarm("a")).await.unwrap();
    force(&house, "a", StateValue::Alarm).await;
    receiver.wait_for(|all| all.len() == 1).await;
    while house.outbox().await > 0 {
        tokio::task::yield_now().await;
    }
    let before = house.handle().alarms().get(&Scope::default(), "a").unwrap();
    let history = house.history("a").await;
    house.close().await;

    let house = House::open(data.path(), &receiver, impatient()).await;
    let after = house.handle().alarms().get(&Scope::default(), "a").unwrap();
    assert_eq!(after, before);
    assert_eq!(house.history("a").await, history);
    assert_eq!(receiver.received().len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_nobody_carries_out_is_told_in_the_history() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let house = House::open(data.path(), &receiver, impatient()).await;
    let gone = Scope::default().arn("sns", "nobody");
    let input = PutMetricAlarm { alarm_actions: vec![gone.into()], ..alarm("a") };
    house.handle().alarms().put_metric(&Scope::default(), input).await.unwrap();
    force(&house, "a", StateValue::Alarm).await;
    let history = house.history("a").await;
    let last = history.last().unwrap();
    assert!(last.summary.starts_with("Failed to execute action arn:aws:sns:"), "{}", last.summary);
    assert!(last.data.contains("no channel is called nobody"), "{}", last.data);
    assert_eq!(house.outbox().await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_alarm_leaves_its_history_and_an_unknown_one_is_named() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let house = House::open(data.path(), &receiver, impatient()).await;
    let alarms = house.handle().alarms();
    let scope = Scope::default();
    alarms.put_metric(&scope, alarm("a")).await.unwrap();
    let error = alarms.delete(&scope, vec!["a".into(), "b".into()]).await.unwrap_err();
    assert_eq!(error.to_string(), "no alarm is called b");
    assert_eq!(alarms.get(&scope, "a"), None);
    let history = house.history("a").await;
    assert_eq!(history.last().unwrap().summary, "Alarm \"a\" deleted");
    house.close().await;
}

/// A target that is fine until it is told not to be.
async fn shop() -> (Target, Arc<AtomicBool>) {
    let is_fine = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_fine);
    let target = Target::http(move |_head| {
        if asked.load(Ordering::SeqCst) { ok("fine") } else { answer("500 Broken", "", b"no") }
    })
    .await;
    (target, is_fine)
}

fn canary(name: &str, target: &Target, more: &str) -> String {
    let url = target.url("/");
    format!(
        "canary: {name}\nschedule: rate(1 second)\nsteps:\n  - step: shop answers\n    \
         http: {{ get: '{url}' }}\n    expect: {{ status: 200 }}\n{more}"
    )
}

async fn until<T>(mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Some(found) = holds().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it should have happened by now")
}

/// From the file to the telephone: a canary fails, its alarm goes off while the period still lasts,
/// and the message says what a person needs; then it is mended, and the message says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_pages_within_a_second_of_its_end_and_is_resolved() {
    let (data, canaries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let (target, is_fine) = shop().await;
    let alarms = "alarms:\n  - when: SuccessPercent < 100 for 1 of 1 periods of 10s\n    \
                  notify: [oncall]\n";
    std::fs::write(canaries.path().join("shop.yaml"), canary("shop", &target, alarms)).unwrap();
    let folder = Some(canaries.path().to_owned());
    let settings = MonitorSettings { canaries: folder, ..impatient() };
    let house = House::open(data.path(), &receiver, settings).await;
    until(async || house.runs("shop").await.pop()).await;
    is_fine.store(false, Ordering::SeqCst);

    let received = receiver.wait_for(|all| !all.is_empty()).await;
    let page = received[0].json();
    assert_eq!(page["kind"], "alarm");
    assert_eq!(page["alarm"], "Synthetics-Alarm-shop-1");
    assert_eq!(page["canary"], "shop");
    assert_eq!(page["run"]["step"], "shop answers");
    assert_eq!(page["run"]["verdict"], "target");
    assert_eq!(page["run"]["check"]["actual"], "500");
    assert!(page["last_good_run"].is_i64());
    let failed = house.runs("shop").await;
    let id = page["run"]["id"].as_str().unwrap();
    let failed = failed.iter().find(|run| &*run.id.0 == id).unwrap();
    let paged_after = page["at"].as_i64().unwrap() - failed.completed.as_millis();
    assert!(paged_after < 1_000, "{paged_after} ms after the end of the run");

    is_fine.store(true, Ordering::SeqCst);
    let received = receiver.wait_for(|all| all.len() >= 2).await;
    let resolved = received[1].json();
    assert_eq!(resolved["kind"], "resolved");
    assert_eq!(resolved["incident"], page["incident"]);
    assert_eq!(resolved["since"], page["at"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folder_is_followed_and_a_broken_edit_changes_nothing() {
    let (data, canaries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let (target, _) = shop().await;
    let file = canaries.path().join("a.yaml");
    std::fs::write(&file, canary("a", &target, "")).unwrap();
    let settings = MonitorSettings {
        canaries: Some(canaries.path().to_owned()),
        look_every: Duration::from_millis(20),
        ..impatient()
    };
    let house = House::open(data.path(), &receiver, settings).await;
    until(async || house.runs("a").await.pop()).await;

    std::fs::write(&file, "canary: a\nstepps: []\n").unwrap();
    let faults =
        until(async || Some(house.handle().folder_faults()).filter(|faults| !faults.is_empty()));
    assert!(faults.await[0].file.name().ends_with("a.yaml"));
    assert_eq!(house.handle().canaries().len(), 1);
    let runs = house.runs("a").await.len();
    until(async || (house.runs("a").await.len() > runs).then_some(())).await;

    std::fs::write(canaries.path().join("b.yaml"), canary("b", &target, "")).unwrap();
    until(async || house.runs("b").await.pop()).await;
    std::fs::remove_file(&file).unwrap();
    let row =
        until(async || house.canary("a").await.filter(|row| row.state == CanaryState::Stopped));
    assert!(row.await.stopped.is_some());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_under_way_when_the_monitor_stops_is_cancelled_and_kept() {
    let (data, canaries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let silent = Target::serve(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    std::fs::write(canaries.path().join("a.yaml"), canary("a", &silent, "")).unwrap();
    let settings = MonitorSettings {
        canaries: Some(canaries.path().to_owned()),
        grace: Duration::ZERO,
        ..impatient()
    };
    let house = House::open(data.path(), &receiver, settings.clone()).await;
    until(async || (silent.connections() > 0).then_some(())).await;
    house.close().await;

    let idle = MonitorSettings { canaries: None, ..settings };
    let house = House::open(data.path(), &receiver, idle).await;
    let outcomes: Vec<RunOutcome> =
        house.runs("a").await.into_iter().map(|run| run.outcome).collect();
    assert!(outcomes.contains(&RunOutcome::Cancelled), "{outcomes:?}");
    house.close().await;
}

/// A canary that somebody took off its schedule stays off over a restart and an edit of its file,
/// runs when it is told to, and goes on when it is put on again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_canary_stays_paused_until_it_is_resumed() {
    let (data, canaries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let (target, _) = shop().await;
    let file = canaries.path().join("a.yaml");
    std::fs::write(&file, canary("a", &target, "")).unwrap();
    let settings = MonitorSettings {
        canaries: Some(canaries.path().to_owned()),
        look_every: Duration::from_millis(20),
        ..impatient()
    };
    let house = House::open(data.path(), &receiver, settings.clone()).await;
    until(async || house.runs("a").await.pop()).await;
    assert_eq!(house.handle().pause("none").await, Switched::Unknown);
    assert_eq!(house.handle().pause("a").await, Switched::Done);
    assert_eq!(house.handle().pause("a").await, Switched::Already);
    house.close().await;

    let house = House::open(data.path(), &receiver, settings).await;
    until(async || house.handle().canaries().pop()).await;
    let row = house.canary("a").await.unwrap();
    assert_eq!((row.state, row.paused), (CanaryState::Stopped, true));
    std::fs::write(&file, canary("a", &target, "description: edited\n")).unwrap();
    until(async || house.canary("a").await.filter(|row| row.description.is_some())).await;
    let before = house.runs("a").await.len();
    assert!(house.handle().run_now("a").await);
    until(async || (house.runs("a").await.len() > before).then_some(())).await;
    assert_eq!(house.runs("a").await.len(), before + 1);
    assert_eq!(house.handle().resume("a").await, Switched::Done);
    until(async || (house.runs("a").await.len() > before + 3).then_some(())).await;
    assert_eq!(house.canary("a").await.unwrap().state, CanaryState::Running);
    let silent = house.handle().alarms().get(&Scope::default(), "Synthetics-Alarm-a-silent");
    assert_eq!(silent.unwrap().state(), StateValue::Ok);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_starts_in_a_maintenance_window_and_each_is_told() {
    let (data, canaries) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let (target, _) = shop().await;
    let window = "maintenance:\n  - { starts: cron(0 0 * * ? *), lasts: 25h }\n";
    std::fs::write(canaries.path().join("a.yaml"), canary("a", &target, window)).unwrap();
    let settings = MonitorSettings { canaries: Some(canaries.path().to_owned()), ..impatient() };
    let house = House::open(data.path(), &receiver, settings).await;
    let runs = until(async || Some(house.runs("a").await).filter(|runs| runs.len() >= 2)).await;
    assert!(runs.iter().all(|run| run.outcome == RunOutcome::Skipped));
    assert_eq!(runs[0].reason.as_deref(), Some("skipped: maintenance"));
    assert_eq!(target.connections(), 0);
    house.close().await;
}

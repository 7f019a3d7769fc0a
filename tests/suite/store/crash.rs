//! A real process is killed, at random moments and at every named one, and its folder is opened
//! again: nothing that was acknowledged is lost, nothing counts twice, no batch is there in part.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use coalmine::store::{
    AppendError, CrashPoints, Direction, FlushPolicy, LogSearch, ResourceChanges, RowPage, SortKey,
    Store, StoreSettings, StreamSelection,
};
use coalmine::task::TaskGroup;
use coalmine::telemetry::{BatchId, Event, TelemetryBatch};
use coalmine::time::{Period, SystemClock, TimeRange, Timestamp};

use super::support::{NOON, datum, lines, metric, metrics, scope, settings};

const WRITERS: u64 = 4;
const DIRECTORY: &str = "COALMINE_CRASH_DIRECTORY";
const POINT: &str = "COALMINE_CRASH_POINT";
/// How many random kills; a long run sets more.
const ROUNDS: &str = "COALMINE_CRASH_ROUNDS";

fn batch(writer: u64, number: u64) -> (TelemetryBatch, ResourceChanges) {
    let name = format!("writer-{writer}");
    let at = NOON.plus_millis(i64::try_from(number).unwrap() * 1000);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&writer.to_le_bytes());
    id[8..].copy_from_slice(&number.to_le_bytes());
    let event = Event {
        bus: name.as_str().into(),
        id: number.to_string().into(),
        source: "test".into(),
        detail_type: "t".into(),
        time: at,
        resources: vec![],
        detail: serde_json::json!({ "n": number }),
        trace_header: None,
    };
    let batch = TelemetryBatch {
        id: Some(BatchId(id)),
        logs: lines("/crash", &name, &[(0, &number.to_string())]).logs,
        events: vec![event],
        ..metrics(vec![datum(&name, at, 1.0)])
    };
    let row = SortKey::at(at, number);
    (batch, ResourceChanges::new().put_row("run", &name, row, &number).unwrap())
}

/// The process that is killed. It runs as a test of this binary that is otherwise ignored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the tests below"]
async fn child_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = PathBuf::from(directory);
    let policy = FlushPolicy {
        bytes_max: 16 * 1024,
        look_every: Duration::from_millis(10),
        ..FlushPolicy::default()
    };
    let settings = StoreSettings {
        flush: policy,
        crash_points: crash_points(std::env::var_os(POINT)),
        ..settings(&directory.join("store"))
    };
    let tasks = TaskGroup::new();
    let store = Store::open(settings, Arc::new(SystemClock), &tasks).await.unwrap();
    println!("ready");
    for writer in 0..WRITERS {
        let (store, path) = (store.clone(), directory.join(format!("acks-{writer}")));
        tasks.spawn("writer", move |_stop| async move {
            let mut next = acknowledged(&path);
            let mut acks = OpenOptions::new().append(true).create(true).open(&path).unwrap();
            loop {
                // The first one may be a retry of the last one before the kill.
                let (batch, changes) = batch(writer, next);
                match store.append_with(batch, changes).await {
                    Ok(_lsn) => {
                        acks.write_all(b".").unwrap();
                        next += 1;
                    }
                    // Flushes are behind, so nothing was taken: the same batch is sent again.
                    Err(AppendError::Busy) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    loop {
        store.tidy().await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// `name` or `name/n`: dies by its own hand when it passes the place for the n-th time.
fn crash_points(armed: Option<std::ffi::OsString>) -> CrashPoints {
    let Some(armed) = armed.as_deref().and_then(OsStr::to_str).map(str::to_owned) else {
        return CrashPoints::default();
    };
    let left = AtomicU32::new(fastrand::u32(1..4));
    CrashPoints::new(move |name| {
        if name == armed && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
            std::thread::park();
        }
    })
}

fn acknowledged(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn start(directory: &Path, point: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["store::crash::child_writes_until_it_is_killed", "--exact", "--ignored"]);
    command.args(["--nocapture", "--test-threads", "1"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(point) = point {
        command.env(POINT, point);
    }
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let is_ready =
        |line: &std::io::Result<String>| line.as_ref().is_ok_and(|l| l.contains("ready"));
    // A child that dies before it is ready was killed while it opened; that counts too.
    let _ready = output.lines().find(is_ready);
    child
}

/// Opens what the kill left and compares every signal with the acknowledgements.
async fn check(directory: &Path, round: &str) {
    let tasks = TaskGroup::new();
    let store = Store::open(settings(&directory.join("store")), Arc::new(SystemClock), &tasks);
    let store = store.await.unwrap();
    assert_eq!(store.counters().blocks_damaged, 0, "{round}");
    for writer in 0..WRITERS {
        let name = format!("writer-{writer}");
        let acked = acknowledged(&directory.join(format!("acks-{writer}")));
        let texts = log_texts(&store, &name).await;
        let found = texts.len() as u64;
        let expected: Vec<String> = (0..found).map(|n| n.to_string()).collect();
        assert_eq!(texts, expected, "{round}: lines of {name} are not each there once");
        assert!(found == acked || found == acked + 1, "{round}: {acked} acked, {found} found");
        let (metrics, form) = (store.metrics(), (Period::MINUTE, None));
        let buckets = metrics.read(&scope(), &metric(&name), TimeRange::ALL, form).await.unwrap();
        let samples: f64 = buckets.iter().map(|bucket| bucket.summary.sample_count).sum();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let found_samples = found as f64;
        assert_eq!(samples, found_samples, "{round}: samples of {name}");
        let (events, bus) = (store.events(), (&scope(), name.as_str()));
        let events = events.find(bus, TimeRange::ALL, None, usize::MAX).await.unwrap().events;
        assert_eq!(events.len() as u64, found, "{round}: events of {name}");
        let page = RowPage::newest(usize::MAX);
        let rows = store.resources().rows::<u64>(&scope(), "run", &name, &page).await.unwrap();
        assert_eq!(rows.len() as u64, found, "{round}: rows of {name}");
    }
    store.close().await.unwrap();
}

async fn log_texts(store: &Store, stream: &str) -> Vec<String> {
    let (mut texts, mut token) = (Vec::new(), None::<String>);
    if store.logs().stream(&scope(), "/crash", stream).is_none() {
        return texts;
    }
    loop {
        let search = LogSearch {
            group: "/crash",
            streams: StreamSelection::Named(&[stream]),
            range: TimeRange::new(Timestamp::EPOCH, Timestamp::MAX),
            direction: Direction::OldestFirst,
            token: token.as_deref(),
            limit: 10_000,
        };
        let found = store.logs().filter_events(&scope(), &search, &|_| true).await.unwrap();
        texts.extend(found.events.iter().map(|event| event.message.to_string()));
        token = found.next_token;
        if token.is_none() {
            return texts;
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let rounds = std::env::var_os(ROUNDS).and_then(|n| n.to_str()?.parse().ok()).unwrap_or(10);
    for round in 0..rounds {
        let mut child = start(directory.path(), None);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..400))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        check(directory.path(), &format!("round {round}")).await;
    }
}

#[tokio::test]
async fn a_kill_at_every_named_point_loses_nothing_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for point in CrashPoints::ALL {
        // A sweep waits ten minutes for queries; the model test passes that point.
        if *point == "sweep::after_delete" {
            continue;
        }
        let mut child = start(directory.path(), Some(point));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            assert!(tokio::time::Instant::now() < deadline, "{point} was not passed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        check(directory.path(), point).await;
    }
}

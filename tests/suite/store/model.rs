//! The store against a model in memory: any sequence of appends, deletions, retention changes,
//! flushes, rewrites, restarts and crashes, the last at every named point, gives the same answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use coalmine::store::{CrashPoints, Direction, LogSearch, Store, StoreSettings, StreamSelection};
use coalmine::task::TaskGroup;
use coalmine::time::{Clock, ManualClock, Period, TimeRange, Timestamp};
use proptest::prelude::*;

use super::support::{NOON, datum, lines, metric, metrics, scope, settings};

const METRICS: [&str; 3] = ["A", "B", "C"];
const GROUPS: [&str; 2] = ["/one", "/two"];
const STREAMS: [&str; 2] = ["s", "t"];
const HOUR: i64 = 3_600_000;

#[derive(Clone, Debug)]
enum Op {
    Samples(Vec<(usize, i64, i32)>),
    Lines {
        group: usize,
        stream: usize,
        hours: Vec<i64>,
    },
    DeleteGroup(usize),
    DeleteStream(usize, usize),
    Retain(usize, Option<u32>),
    Pass {
        hours: i64,
    },
    Flush,
    Tidy,
    Reopen,
    /// A page of the catalog is overwritten while the store is closed.
    DamageCatalog {
        page: usize,
    },
    /// The folder as it is at a named point becomes the store; the flag is whether it was armed
    /// before the append or before the upkeep.
    Crash {
        point: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let sample = (0..METRICS.len(), -400i64..400, -50i32..50);
    prop_oneof![
        6 => proptest::collection::vec(sample, 1..30).prop_map(Op::Samples),
        6 => (0..2usize, 0..2usize, proptest::collection::vec(-100i64..10, 1..8))
            .prop_map(|(group, stream, hours)| Op::Lines { group, stream, hours }),
        1 => (0..2usize).prop_map(Op::DeleteGroup),
        1 => (0..2usize, 0..2usize).prop_map(|(group, stream)| Op::DeleteStream(group, stream)),
        1 => (0..2usize, proptest::option::of(1u32..5)).prop_map(|(g, days)| Op::Retain(g, days)),
        1 => (1i64..60).prop_map(|hours| Op::Pass { hours }),
        5 => Just(Op::Flush),
        3 => Just(Op::Tidy),
        2 => Just(Op::Reopen),
        1 => (0..64usize).prop_map(|page| Op::DamageCatalog { page }),
        3 => (0..CrashPoints::ALL.len()).prop_map(|point| Op::Crash { point }),
    ]
}

/// What must be answered.
#[derive(Debug, Default)]
struct Model {
    samples: BTreeMap<(usize, i64), Vec<i32>>,
    groups: BTreeMap<usize, Group>,
    appended: u64,
}

#[derive(Debug)]
struct Group {
    days: Option<u32>,
    horizon: Timestamp,
    /// Stream, instant, order of arrival, text.
    lines: Vec<(usize, Timestamp, u64, String)>,
}

impl Group {
    fn cutoff(&self, now: Timestamp) -> Timestamp {
        let days = self.days.map(|days| now.plus_millis(-24 * HOUR * i64::from(days)));
        days.map_or(self.horizon, |cutoff| self.horizon.max(cutoff))
    }
}

struct World {
    store: Store,
    settings: StoreSettings,
    clock: Arc<ManualClock>,
    tasks: TaskGroup,
    folders: Vec<tempfile::TempDir>,
    armed: Arc<Mutex<Option<&'static str>>>,
    snapshot: Arc<Mutex<Option<tempfile::TempDir>>>,
    model: Model,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::frozen(NOON));
        let (tasks, armed, snapshot) = (TaskGroup::new(), Arc::default(), Arc::default());
        let settings = settings(folder.path());
        let settings = with_crash_points(settings, &armed, &snapshot);
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = Store::open(settings.clone(), shared, &tasks).await.unwrap();
        let (folders, model) = (vec![folder], Model::default());
        Self { store, settings, clock, tasks, folders, armed, snapshot, model }
    }

    async fn open(&mut self) {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        self.store = Store::open(self.settings.clone(), clock, &self.tasks).await.unwrap();
    }

    async fn run(&mut self, op: &Op) {
        match op {
            Op::Samples(samples) => self.samples(samples).await,
            Op::Lines { group, stream, hours } => self.lines(*group, *stream, hours).await,
            Op::DeleteGroup(group) => {
                let deleted = self.store.logs().delete_group(&scope(), GROUPS[*group]).await;
                assert_eq!(deleted.is_ok(), self.model.groups.remove(group).is_some());
            }
            Op::DeleteStream(group, stream) => {
                let (group_name, name) = (GROUPS[*group], STREAMS[*stream]);
                let _missing =
                    self.store.logs().delete_stream(&scope(), group_name, name).await.is_err();
                if let Some(group) = self.model.groups.get_mut(group) {
                    group.lines.retain(|line| line.0 != *stream);
                }
            }
            Op::Retain(group, days) => {
                let set = self.store.logs().set_retention(&scope(), GROUPS[*group], *days).await;
                let now = self.clock.now();
                let known = self.model.groups.get_mut(group);
                assert_eq!(set.is_ok(), known.is_some());
                if let Some(group) = known {
                    let old = group.cutoff(now);
                    group.days = *days;
                    group.horizon = old.max(group.cutoff(now));
                }
            }
            Op::Pass { hours } => self.clock.step_millis(hours * HOUR),
            Op::Flush => self.store.flush().await.unwrap(),
            Op::Tidy => self.store.tidy().await.unwrap(),
            Op::Reopen => {
                self.store.close().await.unwrap();
                self.open().await;
            }
            Op::DamageCatalog { page } => {
                self.store.close().await.unwrap();
                damage_page(&self.settings.directory.join("catalog.db"), *page);
                self.open().await;
            }
            Op::Crash { point } => self.crash(CrashPoints::ALL[*point]).await,
        }
    }

    async fn samples(&mut self, samples: &[(usize, i64, i32)]) {
        let at = |minutes: i64| NOON.plus_millis(minutes * 60_000);
        let data = samples
            .iter()
            .map(|(metric, minutes, value)| datum(METRICS[*metric], at(*minutes), (*value).into()));
        self.store.append(metrics(data.collect())).await.unwrap();
        for (metric, minutes, value) in samples {
            let hour = minutes.div_euclid(60);
            self.model.samples.entry((*metric, hour)).or_default().push(*value);
        }
    }

    async fn lines(&mut self, group: usize, stream: usize, hours: &[i64]) {
        self.model.appended += 1;
        let number = self.model.appended;
        let texts: Vec<String> = (0..hours.len()).map(|n| format!("{number}.{n}")).collect();
        let pairs: Vec<(i64, &str)> =
            hours.iter().zip(&texts).map(|(hour, text)| (hour * 3600, text.as_str())).collect();
        self.store.append(lines(GROUPS[group], STREAMS[stream], &pairs)).await.unwrap();
        let known = self.model.groups.entry(group).or_insert_with(|| Group {
            days: None,
            horizon: Timestamp::MIN,
            lines: Vec::new(),
        });
        for (n, (hour, text)) in hours.iter().zip(texts).enumerate() {
            let order = number * 100 + n as u64;
            known.lines.push((stream, NOON.plus_millis(hour * HOUR), order, text));
        }
    }

    /// Passes `point`, then goes on from the folder as it was there.
    async fn crash(&mut self, point: &'static str) {
        *self.armed.lock().unwrap() = Some(point);
        self.store.flush().await.unwrap();
        self.store.tidy().await.unwrap();
        if point.starts_with("ingest::") {
            // The batch is in the copy only once it was committed; then the model has it too.
            let before = self.model.samples.clone();
            self.samples(&[(0, 0, 1)]).await;
            if point == "ingest::before_commit" {
                self.model.samples = before;
            }
        }
        *self.armed.lock().unwrap() = None;
        let Some(folder) = self.snapshot.lock().unwrap().take() else { return };
        self.store.close().await.unwrap();
        self.settings.directory = folder.path().to_path_buf();
        self.folders.push(folder);
        self.open().await;
    }

    async fn check(&self, after: &Op) {
        for (number, name) in METRICS.iter().enumerate() {
            let (metrics, range) = (
                self.store.metrics(),
                TimeRange::new(NOON.plus_millis(-HOUR * 24), Timestamp::MAX),
            );
            let form = (Period::HOUR, None);
            let found = metrics.read(&scope(), &metric(name), range, form).await.unwrap();
            let found: Vec<(i64, f64, f64, f64, f64)> = found
                .iter()
                .map(|b| {
                    let s = &b.summary;
                    let hour = b.start.millis_since(NOON) / HOUR;
                    (hour, s.sample_count, s.sum, s.minimum, s.maximum)
                })
                .collect();
            let expected: Vec<(i64, f64, f64, f64, f64)> = self
                .model
                .samples
                .iter()
                .filter(|((metric, _), _)| *metric == number)
                .map(|((_, hour), values)| {
                    let floats = || values.iter().map(|v| f64::from(*v));
                    let (low, high) =
                        (floats().fold(f64::MAX, f64::min), floats().fold(f64::MIN, f64::max));
                    (*hour, floats().count() as f64, floats().sum(), low, high)
                })
                .collect();
            assert_eq!(found, expected, "metric {name} after {after:?}");
        }
        for (number, name) in GROUPS.iter().enumerate() {
            let found = self.found(name, Direction::OldestFirst).await;
            let now = self.clock.now();
            let expected = self.model.groups.get(&number).map(|group| {
                let cutoff = group.cutoff(now);
                let mut lines: Vec<_> = group.lines.iter().filter(|l| l.1 >= cutoff).collect();
                lines.sort_by_key(|line| (line.1, line.2));
                lines.iter().map(|line| line.3.clone()).collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "group {name} after {after:?}");
            let mut backward = self.found(name, Direction::NewestFirst).await;
            if let Some(lines) = &mut backward {
                lines.reverse();
            }
            assert_eq!(backward, expected, "group {name} backward after {after:?}");
        }
    }

    async fn found(&self, group: &str, direction: Direction) -> Option<Vec<String>> {
        let (mut texts, mut token) = (Vec::new(), None::<String>);
        self.store.logs().group(&scope(), group)?;
        loop {
            let search = LogSearch {
                group,
                streams: StreamSelection::All,
                range: TimeRange::ALL,
                direction,
                token: token.as_deref(),
                limit: 7,
            };
            let page = self.store.logs().filter_events(&scope(), &search, &|_| true).await.unwrap();
            texts.extend(page.events.iter().map(|event| event.message.to_string()));
            token = page.next_token;
            if token.is_none() {
                return Some(texts);
            }
        }
    }
}

fn with_crash_points(
    settings: StoreSettings,
    armed: &Arc<Mutex<Option<&'static str>>>,
    snapshot: &Arc<Mutex<Option<tempfile::TempDir>>>,
) -> StoreSettings {
    let (armed, snapshot) = (Arc::clone(armed), Arc::clone(snapshot));
    let directory = settings.directory.clone();
    // After a crash the store lies elsewhere; the place is the newest copy.
    let place: Mutex<PathBuf> = Mutex::new(directory);
    let crash_points = CrashPoints::new(move |name| {
        if *armed.lock().unwrap() == Some(name) {
            *armed.lock().unwrap() = None;
            let copy = tempfile::tempdir().unwrap();
            let mut place = place.lock().unwrap();
            copy_folder(&place, copy.path());
            *place = copy.path().to_path_buf();
            *snapshot.lock().unwrap() = Some(copy);
        }
    });
    StoreSettings { crash_points, ..settings }
}

fn damage_page(path: &Path, page: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let pages = bytes.len() / 4096;
    let start = page % pages * 4096;
    bytes[start..start + 4096].fill(0xaa);
    std::fs::write(path, bytes).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_gives_the_answers_of_the_model(ops in proptest::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for op in &ops {
                world.run(op).await;
                world.check(op).await;
            }
            world.store.close().await.unwrap();
        });
    }
}

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After the disk has it: survives a kill and a power cut.
    #[default]
    Sync,
    /// After the operating system has it: survives a kill; a power cut loses at most a second.
    Os,
}

/// What an operator may change about the store.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Where the store lives; created when absent, locked while open.
    pub directory: PathBuf,
    /// When an append is acknowledged.
    pub durability: Durability,
    /// How long each kind of data is kept.
    pub retention: Retention,
    /// When recent data moves to segments.
    pub flush: FlushPolicy,
    /// Below this many free bytes the store only reads and deletes. `None`: the larger of 256 MiB
    /// and 2 % of the disk, but at most an eighth of it.
    pub free_bytes_min: Option<u64>,
    /// How many metrics there may be; a batch that would add more is refused.
    pub series_max: usize,
    /// Bytes of metric chunks that stay in memory after they were flushed.
    pub resident_bytes_max: u64,
    /// Where a test may stop the process.
    pub crash_points: CrashPoints,
}

impl StoreSettings {
    /// The defaults, in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::default(),
            retention: Retention::default(),
            flush: FlushPolicy::default(),
            free_bytes_min: None,
            series_max: 1_000_000,
            resident_bytes_max: 64 * 1024 * 1024,
            crash_points: CrashPoints::default(),
        }
    }
}

/// When recent data moves to segments: at whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// So many bytes of it.
    pub bytes_max: u64,
    /// So many metric samples.
    pub samples_max: u64,
    /// Data this old.
    pub age_max: Duration,
    /// How often to look.
    pub look_every: Duration,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self {
            bytes_max: 32 * 1024 * 1024,
            samples_max: 1_000_000,
            age_max: Duration::from_secs(3600),
            look_every: Duration::from_secs(1),
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// How long each kind of data is kept. Log groups have their own, in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Metric data finer than a minute; then it is kept by the minute.
    pub metrics_by_second: Duration,
    /// Metric data by the minute; then by five minutes.
    pub metrics_by_minute: Duration,
    /// Metric data by five minutes; then by the hour.
    pub metrics_by_five_minutes: Duration,
    /// Metric data by the hour; then it is gone.
    pub metrics_by_hour: Duration,
    /// Traces.
    pub traces: Duration,
    /// Events.
    pub events: Duration,
    /// Audit records.
    pub audit: Duration,
    /// Artifacts that were not put again.
    pub artifacts: Duration,
}

impl Default for Retention {
    /// AWS's own schedule.
    ///
    /// Source: CloudWatch User Guide, "Metrics retention"; X-Ray and CloudTrail FAQs.
    fn default() -> Self {
        Self {
            metrics_by_second: Duration::from_secs(3 * 3600),
            metrics_by_minute: 15 * DAY,
            metrics_by_five_minutes: 63 * DAY,
            metrics_by_hour: 455 * DAY,
            traces: 30 * DAY,
            events: 90 * DAY,
            audit: 90 * DAY,
            artifacts: 30 * DAY,
        }
    }
}

/// Named places where a test may stop the process; in production nobody listens.
#[derive(Clone, Default)]
pub struct CrashPoints(Option<Arc<dyn Fn(&'static str) + Send + Sync>>);

impl CrashPoints {
    /// Every name, in the order a flush and a compaction pass them.
    pub const ALL: &[&str] = &[
        "ingest::before_commit",
        "ingest::after_commit",
        "ingest::after_catalog",
        "flush::after_rotate",
        "flush::after_object",
        "flush::before_commit",
        "flush::after_commit",
        "flush::after_copy",
        "flush::after_trim",
        "compact::after_object",
        "compact::before_commit",
        "compact::after_commit",
        "sweep::after_delete",
    ];

    /// Calls `reached` with the name of each place as it is passed.
    pub fn new(reached: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(reached)))
    }

    pub(super) fn pass(&self, name: &'static str) {
        if let Some(reached) = &self.0 {
            reached(name);
        }
    }
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "CrashPoints(armed)" } else { "CrashPoints" })
    }
}

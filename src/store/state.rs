use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::catalog::CatalogReader;
use super::counters::Counting;
use super::directory::Directory;
use super::folder::Folder;
use super::follow::Follower;
use super::lsn::Lsn;
use super::recent::{Generation, MetricHead};
use super::segment::{Objects, Segment};
use super::series::SeriesIndex;
use super::settings::StoreSettings;
use crate::time::Clock;

/// What every handle, the writer and the upkeep share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: StoreSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) folder: Folder,
    pub(super) segments: Objects,
    pub(super) artifacts: Objects,
    pub(super) buckets: Objects,
    pub(super) catalog: CatalogReader,
    pub(super) series: SeriesIndex,
    pub(super) counting: Counting,
    pub(super) visible: watch::Sender<Lsn>,
    /// Upkeep that rewrites or deletes holds the one permit.
    pub(super) upkeep: Semaphore,
    pub(super) closing: CancellationToken,
    /// Looks at events before they are written.
    pub(super) follower: Follower,
    directory: RwLock<Directory>,
    view: RwLock<View>,
    read_only: AtomicBool,
}

/// Where data is at one moment: a query takes a view and sees each row in exactly one place.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) active: Arc<Generation>,
    /// What a flush is moving to segments.
    pub(super) frozen: Option<Arc<Generation>>,
    pub(super) segments: Arc<[LiveSegment]>,
}

/// A live segment, and for metrics that were flushed lately their chunks in memory.
#[derive(Clone, Debug)]
pub(super) struct LiveSegment {
    pub(super) segment: Arc<Segment>,
    pub(super) resident: Option<Arc<RwLock<MetricHead>>>,
}

impl View {
    /// Recent data, oldest first.
    pub(super) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.frozen.iter().chain([&self.active])
    }

    /// Segments of one table, oldest first.
    pub(super) fn of_table(&self, table: &str) -> impl Iterator<Item = &LiveSegment> {
        self.segments.iter().filter(move |live| live.segment.row.table == table)
    }
}

/// What a store is opened with, beside its settings.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) folder: Folder,
    pub(super) segments: Objects,
    pub(super) artifacts: Objects,
    pub(super) buckets: Objects,
    pub(super) series: SeriesIndex,
    pub(super) directory: Directory,
    pub(super) view: View,
    pub(super) last_lsn: Lsn,
}

impl Shared {
    pub(super) fn new(settings: StoreSettings, clock: Arc<dyn Clock>, parts: Parts) -> Self {
        Self {
            settings,
            clock,
            catalog: CatalogReader::new(parts.folder.catalog()),
            folder: parts.folder,
            segments: parts.segments,
            artifacts: parts.artifacts,
            buckets: parts.buckets,
            series: parts.series,
            counting: Counting::default(),
            visible: watch::channel(parts.last_lsn).0,
            upkeep: Semaphore::new(1),
            closing: CancellationToken::new(),
            follower: Follower::default(),
            directory: RwLock::new(parts.directory),
            view: RwLock::new(parts.view),
            read_only: AtomicBool::new(false),
        }
    }

    pub(super) fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes where data is, in one step for every reader.
    pub(super) fn change_view<T>(&self, change: impl FnOnce(&mut View) -> T) -> T {
        change(&mut self.view.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Looks at the disk and notes whether there is room to write.
    pub(super) fn look_at_disk(&self) {
        let Ok((free, total)) = self.folder.space() else { return };
        let least = self.settings.free_bytes_min.unwrap_or_else(|| free_min(total));
        self.set_read_only(free < least);
    }

    pub(super) fn set_read_only(&self, read_only: bool) {
        if self.read_only.swap(read_only, Ordering::Relaxed) != read_only {
            tracing::warn!(read_only, "disk space crossed its limit");
        }
        self.counting.read_only.store(read_only.into(), Ordering::Relaxed);
    }
}

/// How many bytes of a disk this large stay free.
///
/// A quarter of a GiB, or 2 % where that is more; on a small disk an eighth, so that it is of use.
fn free_min(total: u64) -> u64 {
    const SPARE: u64 = 256 * 1024 * 1024;
    SPARE.max(total / 50).min(total / 8)
}

#[cfg(test)]
mod tests {
    use super::free_min;

    #[test]
    fn a_small_disk_is_of_use_and_a_large_one_keeps_two_percent() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(free_min(64 * MIB), 8 * MIB);
        assert_eq!(free_min(10 * 1024 * MIB), 256 * MIB);
        assert_eq!(free_min(100_000 * MIB), 2_000 * MIB);
    }
}

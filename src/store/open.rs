use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, CatalogChange, Progress, is_damage, restore};
use super::codec::Record;
use super::counters::add;
use super::directory::Directory;
use super::error::OpenError;
use super::folder::Folder;
use super::ingest::{IngestLog, Packer, Replay};
use super::lsn::Lsn;
use super::recent::Generation;
use super::segment::{Objects, Segment};
use super::series::{Numbered, SeriesIndex};
use super::settings::StoreSettings;
use super::state::{LiveSegment, Parts, Shared, View};
use super::writer::{KnownBatches, Writer, apply_to_memory, forget_deleted, is_full};
use crate::telemetry::{MetricBatch, Scope};
use crate::time::{Clock, Timestamp};

/// Opens a data folder and replays what no segment holds. Blocking.
pub(super) fn open(
    settings: StoreSettings,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, Writer), OpenError> {
    let (folder, lock) = Folder::open(&settings.directory)?;
    let database = |path: &Path| {
        let path = path.to_path_buf();
        move |source| OpenError::Database { path: path.clone(), source }
    };
    let mut loaded = load_or_restore(&folder)?;
    let progress = loaded.progress;
    let (log, replay) = IngestLog::open(
        &folder.ingest_log(),
        progress.checkpoint,
        settings.durability,
        &folder.quarantine(),
    )
    .map_err(database(&folder.ingest_log()))?;
    let last_lsn = replay.last_lsn.max(progress.checkpoint).max(progress.applied);
    let objects = |path: &Path| {
        let directory = path.to_path_buf();
        Objects::in_folder(path).map_err(|source| OpenError::Segments { directory, source })
    };
    let view = View {
        active: Arc::new(Generation::new()),
        frozen: None,
        segments: std::mem::take(&mut loaded.segments).into(),
    };
    let parts = Parts {
        segments: objects(&folder.segments())?,
        artifacts: objects(&folder.artifacts())?,
        buckets: objects(&folder.buckets())?,
        folder: folder.clone(),
        series: loaded.series,
        directory: loaded.directory,
        view,
        last_lsn,
    };
    let shared = Arc::new(Shared::new(settings, clock, parts));
    shared.look_at_disk();
    let behind = replay_blocks(&shared, &replay, progress, &mut loaded.known);
    let unnumbered = loaded.catalog.unnumbered_series();
    shared.series.load(unnumbered.map_err(database(&folder.catalog()))?);
    let mut behind = Vec::from_iter(behind);
    if let Some(change) = behind.first() {
        match loaded.catalog.apply(change) {
            Ok(()) => behind.clear(),
            // The log has it, and the writer tries again before the next change.
            Err(error) if is_full(&error) => shared.set_read_only(true),
            Err(error) => return Err(database(&folder.catalog())(error)),
        }
    }
    let writer = Writer {
        shared: Arc::clone(&shared),
        log,
        packer: Packer::default(),
        catalog: loaded.catalog,
        next_lsn: last_lsn.plus(1),
        known: loaded.known,
        behind,
        _lock: lock,
    };
    Ok((shared, writer))
}

/// What the catalog holds of what is kept in memory.
struct Loaded {
    catalog: Catalog,
    progress: Progress,
    directory: Directory,
    series: SeriesIndex,
    known: KnownBatches,
    segments: Vec<LiveSegment>,
    /// Segments whose rows are not what was written.
    damaged: usize,
}

/// Reads the catalog; its copy, when it is damaged.
fn load_or_restore(folder: &Folder) -> Result<Loaded, OpenError> {
    let path = folder.catalog();
    let failed = |source| OpenError::Database { path: path.clone(), source };
    let damage = match load(&path) {
        Ok(loaded) if loaded.damaged == 0 => return Ok(loaded),
        Ok(_) => None,
        Err(error) if is_damage(&error) => Some(error),
        Err(error) => return Err(failed(error)),
    };
    let fault = damage.map_or_else(|| "a segment's row".to_owned(), |error| error.to_string());
    tracing::error!(path = %path.display(), fault, "catalog is damaged; its copy takes its place");
    let restored = restore(&path, &folder.quarantine());
    restored.map_err(|source| OpenError::Folder { path: path.clone(), source })?;
    let loaded = load(&path).map_err(failed)?;
    Ok(loaded)
}

fn load(path: &Path) -> rusqlite::Result<Loaded> {
    let catalog = Catalog::open(path)?;
    catalog.check_if_small()?;
    let progress = catalog.progress()?;
    let (mut directory, series) = (Directory::default(), SeriesIndex::default());
    let mut known = KnownBatches::default();
    for (scope, id, lsn) in catalog.load(&mut directory, &series)? {
        known.note(&scope, id, lsn);
    }
    let (mut segments, mut damaged) = (Vec::new(), 0);
    for row in catalog.segments()? {
        let path = row.path.clone();
        match Segment::new(row) {
            Ok(segment) => {
                segments.push(LiveSegment { segment: Arc::new(segment), resident: None });
            }
            // Its file is kept: the row stays in the catalog, and nothing sweeps a live path.
            Err(fault) => {
                damaged += 1;
                tracing::error!(path, %fault, "segment cannot be read and is left out");
            }
        }
    }
    Ok(Loaded { catalog, progress, directory, series, known, segments, damaged })
}

/// Brings memory, and what of the catalog is behind, up to the end of the log.
fn replay_blocks(
    shared: &Shared,
    replay: &Replay,
    progress: Progress,
    known: &mut KnownBatches,
) -> Option<CatalogChange> {
    for damage in &replay.damages {
        let (path, first_lsn) = (damage.path.display(), damage.first_lsn);
        tracing::error!(%path, %first_lsn, fault = %damage.fault, "ingest log is damaged");
    }
    add(&shared.counting.blocks_damaged, replay.damages.len() as u64);
    let mut behind = CatalogChange::default();
    let mut of_format_1 = Vec::new();
    for block in &replay.blocks {
        for (n, bytes) in (0u64..).zip(&block.records) {
            let lsn = block.first_lsn.plus(n);
            match Record::decode(bytes) {
                Ok(mut record) => {
                    if !record.batch.metrics.is_empty() {
                        let metrics = std::mem::take(&mut record.batch.metrics);
                        of_format_1.push((record.at, record.batch.scope.clone(), metrics));
                    }
                    if let Some(id) = record.batch.id {
                        known.note(&record.batch.scope, id, lsn);
                    }
                    let place = (lsn, progress, bytes.len());
                    replay_record(shared, place, &record, &mut behind);
                }
                // The block's checksum holds, so this build cannot read what another wrote.
                Err(fault) => tracing::error!(%lsn, %fault, "batch cannot be read"),
            }
        }
    }
    for (at, scope, metrics) in of_format_1 {
        take_unnumbered(shared, at, &scope, metrics);
    }
    (!behind.is_empty()).then_some(behind)
}

/// Takes data of a record of format 1, whose metrics have no numbers.
///
/// ORDER: after all records with numbers, so that none of theirs is given to another metric.
fn take_unnumbered(shared: &Shared, at: Timestamp, scope: &Scope, metrics: Vec<MetricBatch>) {
    // What was acknowledged is taken whatever the limit is today.
    match shared.series.number(scope, metrics, usize::MAX) {
        Ok(Numbered { samples, .. }) => {
            shared.view().active.add_samples(&samples, at, &shared.series);
        }
        Err(error) => tracing::error!(%error, "metrics of an older log cannot be read"),
    }
}

fn replay_record(
    shared: &Shared,
    (lsn, progress, size): (Lsn, Progress, usize),
    record: &Record,
    behind: &mut CatalogChange,
) {
    if lsn > progress.applied {
        let writes = shared.directory_mut().apply(lsn, record);
        forget_deleted(&shared.view(), &writes);
        behind.applied = lsn;
        behind.directory.extend(writes);
        let scope = &record.batch.scope;
        let resources = record.resources.iter().cloned();
        behind.resources.extend(resources.map(|change| (lsn, scope.clone(), change)));
    }
    // Also of records that the catalog has applied: their names may have been lost with it.
    if !record.fresh.is_empty() {
        behind.applied = behind.applied.max(lsn);
        behind.name_series(&record.batch.scope, &record.fresh);
        shared.series.define(&record.batch.scope, &record.fresh);
    }
    apply_to_memory(shared, lsn, record, size);
}

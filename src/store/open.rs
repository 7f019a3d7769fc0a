use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, CatalogChange, Progress};
use super::codec::Record;
use super::counters::add;
use super::directory::Directory;
use super::error::OpenError;
use super::folder::Folder;
use super::ingest::{IngestLog, Replay};
use super::lsn::Lsn;
use super::recent::Generation;
use super::segment::{Objects, Segment};
use super::series::SeriesIndex;
use super::settings::StoreSettings;
use super::state::{LiveSegment, Parts, Shared, View};
use super::writer::{KnownBatches, Writer, apply_to_memory, forget_deleted};
use crate::time::Clock;

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
    let catalog = Catalog::open(&folder.catalog()).map_err(database(&folder.catalog()))?;
    let progress = catalog.progress().map_err(database(&folder.catalog()))?;
    let (log, replay) = IngestLog::open(
        &folder.ingest_log(),
        progress.checkpoint,
        settings.durability,
        &folder.quarantine(),
    )
    .map_err(database(&folder.ingest_log()))?;
    let mut known = KnownBatches::default();
    let shared = load(settings, clock, &folder, (&catalog, progress), &mut known)
        .map_err(|error| error.in_folder(&folder))?;
    shared.look_at_disk();
    let last_lsn = replay.last_lsn.max(progress.checkpoint).max(progress.applied);
    let mut writer = Writer {
        shared: Arc::clone(&shared),
        log,
        catalog,
        next_lsn: last_lsn.plus(1),
        known,
        behind: Vec::new(),
        _lock: lock,
    };
    let behind = replay_blocks(&shared, &replay, progress, &mut writer.known);
    if let Some(change) = behind {
        writer.catalog.apply(&change).map_err(database(&folder.catalog()))?;
    }
    shared.visible.send_replace(last_lsn);
    Ok((shared, writer))
}

enum LoadError {
    Catalog(rusqlite::Error),
    Objects(object_store::Error),
}

impl LoadError {
    fn in_folder(self, folder: &Folder) -> OpenError {
        match self {
            Self::Catalog(source) => OpenError::Database { path: folder.catalog(), source },
            Self::Objects(source) => OpenError::Segments { directory: folder.segments(), source },
        }
    }
}

fn load(
    settings: StoreSettings,
    clock: Arc<dyn Clock>,
    folder: &Folder,
    (catalog, progress): (&Catalog, Progress),
    known: &mut KnownBatches,
) -> Result<Arc<Shared>, LoadError> {
    let mut directory = Directory::default();
    let series = SeriesIndex::default();
    let batches = catalog.load(&mut directory, &series).map_err(LoadError::Catalog)?;
    for (scope, id, lsn) in batches {
        known.note(&scope, id, lsn);
    }
    let mut segments = Vec::new();
    for row in catalog.segments().map_err(LoadError::Catalog)? {
        let path = row.path.clone();
        match Segment::new(row) {
            Ok(segment) => {
                segments.push(LiveSegment { segment: Arc::new(segment), resident: None });
            }
            // Its file is kept: the row stays in the catalog, and nothing sweeps a live path.
            Err(fault) => tracing::error!(path, %fault, "segment cannot be read and is left out"),
        }
    }
    let view =
        View { active: Arc::new(Generation::new()), frozen: None, segments: segments.into() };
    let parts = Parts {
        folder: folder.clone(),
        segments: Objects::in_folder(&folder.segments()).map_err(LoadError::Objects)?,
        artifacts: Objects::in_folder(&folder.artifacts()).map_err(LoadError::Objects)?,
        series,
        directory,
        view,
        last_lsn: progress.checkpoint,
    };
    Ok(Arc::new(Shared::new(settings, clock, parts)))
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
    for block in &replay.blocks {
        for (n, bytes) in (0u64..).zip(&block.records) {
            let lsn = block.first_lsn.plus(n);
            match Record::decode(bytes) {
                Ok(record) => {
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
    (!behind.is_empty()).then_some(behind)
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
    apply_to_memory(shared, lsn, record, size);
}

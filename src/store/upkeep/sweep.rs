use std::collections::HashSet;
use std::time::Duration;

use super::super::catalog::SegmentChange;
use super::super::counters::add;
use super::super::error::{AppendError, ReadError, UpkeepError};
use super::super::handle::Store;
use super::super::lsn::Lsn;
use super::super::read::{ARTIFACT_KIND, ArtifactId, ArtifactNote, Page};
use super::super::resource::ResourceChanges;
use super::super::writer::{Command, Commit};
use crate::telemetry::Scope;

/// A removed segment's object stays this long: longer than any query that may still read it.
pub(super) const GRACE: Duration = Duration::from_secs(600);
/// Artifacts that one round expires at most.
const ARTIFACTS_A_ROUND: usize = 1000;

/// A fresh name for a segment. Only this module makes and knows such names.
pub(super) fn new_path(table: &str, level: u8, lsn: Lsn) -> String {
    let unique = fastrand::u64(..);
    format!("{table}/l{level}-{:020}-{unique:016x}.parquet", lsn.get())
}

/// Whether `path` is a name that `new_path` makes.
fn is_ours(path: &str) -> bool {
    let parse = || {
        let (table, name) = path.split_once('/')?;
        let (level, rest) = name.strip_prefix('l')?.split_once('-')?;
        let (lsn, unique) = rest.strip_suffix(".parquet")?.split_once('-')?;
        let is_hex = unique.len() == 16 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = lsn.len() == 20 && lsn.parse::<u64>().is_ok();
        let is_table = super::super::segment::TABLES.contains(&table);
        (is_table && is_number && is_hex && level.parse::<u8>().is_ok()).then_some(())
    };
    parse().is_some()
}

/// Deletes objects that nothing refers to any more.
///
/// ORDER: the catalog forgot a segment before its object goes, and the tombstone goes last, so a
/// crash at any point leaves at worst an object that the next round deletes. Objects that a crash
/// left before their commit are in no list: they are told by their names. No flush runs beside a
/// sweep, so none of them is about to become live.
pub(super) async fn run(store: &Store) -> Result<(), UpkeepError> {
    let shared = &store.shared;
    let before = shared.clock.now().minus(GRACE);
    let catalog = shared.catalog.clone();
    let lists = move || Ok((catalog.live_paths()?, catalog.tombstones()?));
    let lists = tokio::task::spawn_blocking(lists).await;
    let lists = lists.map_err(|_gone| UpkeepError::Read(ReadError::Stopped))?;
    let (live, buried) = lists.map_err(|source| UpkeepError::Read(ReadError::Catalog(source)))?;
    let failed = |path: &str| {
        let path = path.into();
        move |source| UpkeepError::Segment { path, source }
    };
    if buried.iter().any(|(_, after)| *after <= before) {
        // ORDER: a copy that still lists these segments must not outlive their objects.
        super::flush::copy_catalog(shared).await?;
    }
    let mut swept = Vec::new();
    for (path, _) in buried.iter().filter(|(_, after)| *after <= before) {
        shared.segments.delete(path).await.map_err(failed(path))?;
        shared.settings.crash_points.pass("sweep::after_delete");
        swept.push(path.clone());
    }
    let known: HashSet<&str> =
        live.iter().map(String::as_str).chain(buried.iter().map(|(path, _)| &**path)).collect();
    let mut deleted = swept.len() as u64;
    for path in shared.segments.list().await.map_err(failed(""))? {
        if is_ours(&path) && !known.contains(&*path) {
            shared.segments.delete(&path).await.map_err(failed(&path))?;
            deleted += 1;
        }
    }
    if !swept.is_empty() {
        let change = SegmentChange { swept, ..SegmentChange::default() };
        let publish = Box::new(|_: &mut _| {});
        let commit = |answer| Command::Commit(Box::new(Commit { change, publish, answer }));
        store.ask(commit).await.map_err(UpkeepError::Commit)?;
    }
    add(&shared.counting.objects_swept, deleted);
    artifacts(store).await
}

/// Deletes artifacts that were not put again within their retention.
async fn artifacts(store: &Store) -> Result<(), UpkeepError> {
    let shared = &store.shared;
    let before = shared.clock.now().minus(shared.settings.retention.artifacts);
    let scope = Scope::default();
    let mut after: Option<String> = None;
    loop {
        let page = Page { prefix: "", after: after.as_deref(), limit: ARTIFACTS_A_ROUND };
        let noted = store.resources().list::<ArtifactNote>(&scope, ARTIFACT_KIND, &page).await?;
        let Some((last, _)) = noted.last() else { return Ok(()) };
        after = Some(last.clone());
        let mut changes = ResourceChanges::new();
        for (name, _) in noted.iter().filter(|(_, note)| note.last_put < before) {
            if let Ok(id) = name.parse::<ArtifactId>() {
                let deleted = shared.artifacts.delete(&id.path()).await;
                let path = || name.as_str().into();
                deleted.map_err(|source| UpkeepError::Segment { path: path(), source })?;
            }
            changes = changes.delete(ARTIFACT_KIND, name);
        }
        if !changes.is_empty() {
            let taken: Result<_, AppendError> = store.resources().apply(&scope, changes).await;
            taken.map_err(UpkeepError::Commit)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_swept() {
        assert!(is_ours(&new_path("logs", 2, Lsn::new(77))));
        for path in ["logs/notes.txt", "thesis/l0-1-2.parquet", "logs/l0-1-2.parquet", "x"] {
            assert!(!is_ours(path), "{path}");
        }
    }
}

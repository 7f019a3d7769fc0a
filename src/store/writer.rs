use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::catalog::{Catalog, CatalogChange, SegmentChange};
use super::codec::{LogChange, Record};
use super::counters::add;
use super::directory::DirectoryWrite;
use super::error::AppendError;
use super::folder::FolderLock;
use super::follow::Taken;
use super::ingest::{Block, IngestLog, Packer, group_bytes};
use super::lsn::Lsn;
use super::recent::Generation;
use super::resource::{Condition, ResourceChange};
use super::state::{Shared, View};
use crate::telemetry::{BatchId, Scope};

/// A group stops growing at this many bytes.
const GROUP_BYTES_MAX: usize = 1024 * 1024;
/// So many batch ids are remembered; a retry comes within seconds.
const BATCH_IDS_KEPT: usize = 200_000;

/// How one caller is answered.
pub(super) type Answer<T> = oneshot::Sender<Result<T, AppendError>>;

/// What the writer thread is asked to do.
pub(super) enum Command {
    Append(Box<Append>),
    /// Freezes the active generation for a flush and begins the next; answers the frozen one.
    Rotate(Answer<Option<Arc<Generation>>>),
    /// Changes the set of live segments, then what readers see.
    Commit(Box<Commit>),
    /// Deletes what segments hold from the log.
    Trim(Lsn, Answer<()>),
    /// Pushes what the operating system holds to the disk.
    Sync,
    Close(Answer<()>),
}

/// One append, encoded by its caller.
pub(super) struct Append {
    pub(super) record: Record,
    pub(super) encoded: Vec<u8>,
    pub(super) answer: Answer<Lsn>,
    /// Told once it is visible.
    pub(super) taken: Option<Taken>,
    /// The bytes it holds of the budget of waiting appends.
    pub(super) _budget: OwnedSemaphorePermit,
}

/// A change of live segments.
pub(super) struct Commit {
    pub(super) change: SegmentChange,
    pub(super) publish: Box<dyn FnOnce(&mut View) + Send>,
    pub(super) answer: Answer<()>,
}

/// Owns both databases; the only thread that writes them.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) log: IngestLog,
    pub(super) packer: Packer,
    pub(super) catalog: Catalog,
    pub(super) next_lsn: Lsn,
    pub(super) known: KnownBatches,
    /// Changes that are durable in the log and did not reach the catalog yet.
    pub(super) behind: Vec<CatalogChange>,
    pub(super) _lock: FolderLock,
}

/// Batch ids that were seen, newest last.
#[derive(Debug, Default)]
pub(super) struct KnownBatches {
    lsns: HashMap<(Scope, BatchId), Lsn>,
    order: VecDeque<(Scope, BatchId)>,
}

impl KnownBatches {
    pub(super) fn note(&mut self, scope: &Scope, id: BatchId, lsn: Lsn) {
        if self.lsns.insert((scope.clone(), id), lsn).is_none() {
            self.order.push_back((scope.clone(), id));
        }
        // BOUND: the oldest ids are forgotten; a retry that late would count twice.
        while self.order.len() > BATCH_IDS_KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.lsns.remove(&oldest);
            }
        }
    }

    fn get(&self, scope: &Scope, id: BatchId) -> Option<Lsn> {
        self.lsns.get(&(scope.clone(), id)).copied()
    }
}

/// Appends that share one commit.
#[derive(Default)]
struct Group {
    appends: Vec<(Record, Answer<Lsn>)>,
    encoded: Vec<Vec<u8>>,
    budgets: Vec<OwnedSemaphorePermit>,
    taken: Vec<Taken>,
    /// Retries of appends in this very group, by their place in it.
    repeats: Vec<(usize, Answer<Lsn>)>,
}

/// The log or the catalog failed in a way that forbids another write.
struct Stopped;

impl Writer {
    /// Runs until it is closed, every handle is gone, or a write fails for good.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            match self.serve(command, &mut queue) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(answer)) => {
                    // The lock goes with `self`, before the caller is told.
                    drop(self);
                    queue.close();
                    return drop(answer.send(Ok(())));
                }
                Err(Stopped) => {
                    drop(self);
                    return refuse(queue);
                }
            }
        }
    }

    fn serve(
        &mut self,
        first: Command,
        queue: &mut mpsc::Receiver<Command>,
    ) -> Result<ControlFlow<Answer<()>>, Stopped> {
        let mut group = Group::default();
        let mut next = Some(first);
        // Whoever waits while the disk works becomes the next group: one sync serves them all.
        while let Some(command) = next.take() {
            match command {
                Command::Append(append) => self.take(*append, &mut group)?,
                other => {
                    self.commit(&mut group)?;
                    if let ControlFlow::Break(answer) = self.other(other)? {
                        return Ok(ControlFlow::Break(answer));
                    }
                }
            }
            if group_bytes(&group.encoded) < GROUP_BYTES_MAX {
                next = queue.try_recv().ok();
            }
        }
        self.commit(&mut group)?;
        Ok(ControlFlow::Continue(()))
    }

    fn other(&mut self, command: Command) -> Result<ControlFlow<Answer<()>>, Stopped> {
        match command {
            Command::Append(_) => {}
            Command::Rotate(answer) => drop(answer.send(Ok(self.rotate()))),
            Command::Commit(commit) => self.commit_segments(*commit)?,
            Command::Trim(up_to, answer) => {
                if let Err(error) = self.log.trim(up_to) {
                    // Harmless: the checkpoint hides these blocks, and the next trim gets them.
                    tracing::warn!(%error, "cannot trim the ingest log");
                }
                drop(answer.send(Ok(())));
            }
            Command::Sync => self.log.checkpoint().map_err(|error| stop("wal.db", &error))?,
            Command::Close(answer) => {
                if let Err(error) = self.log.checkpoint() {
                    tracing::warn!(%error, "cannot fold the ingest log at close");
                }
                return Ok(ControlFlow::Break(answer));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Puts an append into the group, or answers it at once.
    fn take(&mut self, append: Append, group: &mut Group) -> Result<(), Stopped> {
        let Append { record, encoded, answer, taken, _budget: budget } = append;
        if let Some(id) = record.batch.id {
            if let Some(lsn) = self.known.get(&record.batch.scope, id) {
                add(&self.shared.counting.batches_repeated, 1);
                drop(answer.send(Ok(lsn)));
                return Ok(());
            }
            let is_same = |(other, _): &(Record, Answer<Lsn>)| {
                other.batch.id == Some(id) && other.batch.scope == record.batch.scope
            };
            if let Some(place) = group.appends.iter().position(is_same) {
                group.repeats.push((place, answer));
                return Ok(());
            }
        }
        if !record.logs.is_empty() || record.resources.iter().any(|c| c.condition().is_some()) {
            // Conditions are judged against what every earlier append left.
            self.commit(group)?;
            match self.unmet(&record) {
                Ok(None) => {}
                Ok(Some(error)) => {
                    add(&self.shared.counting.batches_rejected, 1);
                    drop(answer.send(Err(error)));
                    return Ok(());
                }
                Err(error) => return Err(stop("catalog.db", &error)),
            }
        }
        group.appends.push((record, answer));
        group.encoded.push(encoded);
        group.budgets.push(budget);
        group.taken.extend(taken);
        Ok(())
    }

    fn unmet(&self, record: &Record) -> rusqlite::Result<Option<AppendError>> {
        let scope = &record.batch.scope;
        let unmet = self.catalog.first_unmet(scope, &record.resources)?;
        if let Some((key, condition)) = unmet {
            return Ok(Some(match condition {
                Condition::Present => AppendError::Missing { kind: key.kind, name: key.name },
                _ => AppendError::Conflict { kind: key.kind, name: key.name },
            }));
        }
        let directory = self.shared.directory();
        let has_group = |group: &Arc<str>| directory.group(scope, group).is_some();
        let has_stream = |group: &Arc<str>, stream: &Arc<str>| {
            directory.group(scope, group).is_some_and(|group| group.streams.contains_key(stream))
        };
        let missing = |kind: &str, name: &Arc<str>| AppendError::Missing {
            kind: kind.into(),
            name: Arc::clone(name),
        };
        let conflict = |kind: &str, name: &Arc<str>| AppendError::Conflict {
            kind: kind.into(),
            name: Arc::clone(name),
        };
        Ok(record.logs.iter().find_map(|change| match change {
            LogChange::CreateGroup { group } => {
                has_group(group).then(|| conflict("log group", group))
            }
            LogChange::DeleteGroup { group } | LogChange::SetRetention { group, .. } => {
                (!has_group(group)).then(|| missing("log group", group))
            }
            LogChange::CreateStream { group, .. } if !has_group(group) => {
                Some(missing("log group", group))
            }
            LogChange::CreateStream { group, stream } => {
                has_stream(group, stream).then(|| conflict("log stream", stream))
            }
            LogChange::DeleteStream { group, stream } => {
                (!has_stream(group, stream)).then(|| missing("log stream", stream))
            }
        }))
    }

    /// Makes the group durable, then visible, then acknowledges it.
    fn commit(&mut self, group: &mut Group) -> Result<(), Stopped> {
        let Group { appends, encoded, budgets, taken, repeats } = std::mem::take(group);
        if appends.is_empty() {
            return Ok(());
        }
        let crash = |name| self.shared.settings.crash_points.pass(name);
        let sizes: Vec<usize> = encoded.iter().map(Vec::len).collect();
        let block = Block { first_lsn: self.next_lsn, records: encoded };
        let bytes = block.encode(&mut self.packer);
        crash("ingest::before_commit");
        // ORDER: durable (the log), then visible (catalog and memory), then acknowledged. A crash
        // between the first two is healed by replay; one after can only repeat an answer.
        match self.log.append(&block, &bytes) {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                // Nothing was written and nothing failed to sync: this group alone is refused.
                self.shared.set_read_only(true);
                add(&self.shared.counting.batches_refused_read_only, appends.len() as u64);
                let repeated = repeats.into_iter().map(|(_, answer)| answer);
                let answers = appends.into_iter().map(|(_, answer)| answer).chain(repeated);
                answers.for_each(|answer| drop(answer.send(Err(AppendError::ReadOnly))));
                return Ok(());
            }
            // After a failed sync the page cache cannot be trusted: refuse, do not retry.
            Err(error) => return Err(stop("wal.db", &error)),
        }
        crash("ingest::after_commit");
        self.next_lsn = block.last_lsn().plus(1);
        let numbered = || (0u64..).map(|n| block.first_lsn.plus(n)).zip(&appends);
        let in_catalog = self.apply_to_catalog(numbered().map(|(lsn, (record, _))| (lsn, record)));
        self.shared.settings.crash_points.pass("ingest::after_catalog");
        for ((lsn, (record, _)), size) in numbered().zip(sizes) {
            self.apply_to_memory(lsn, record, size);
        }
        self.shared.visible.send_replace(block.last_lsn());
        let counting = &self.shared.counting;
        add(&counting.commits, 1);
        add(&counting.ingest_bytes, bytes.len() as u64);
        add(&counting.batches_accepted, appends.len() as u64);
        add(&counting.batches_repeated, repeats.len() as u64);
        drop(budgets);
        taken.into_iter().for_each(|taken| taken());
        for (place, answer) in repeats {
            drop(answer.send(Ok(block.first_lsn.plus(place as u64))));
        }
        for (lsn, (record, answer)) in (0u64..).map(|n| block.first_lsn.plus(n)).zip(appends) {
            let is_whole = in_catalog || (record.resources.is_empty() && record.logs.is_empty());
            // Durable but not visible yet: the caller must not count on reading it back.
            let outcome = if is_whole { Ok(lsn) } else { Err(AppendError::ReadOnly) };
            drop(answer.send(outcome));
        }
        Ok(())
    }

    /// Brings the catalog up to these records; says whether it got there.
    fn apply_to_catalog<'a>(&mut self, records: impl Iterator<Item = (Lsn, &'a Record)>) -> bool {
        let mut change = CatalogChange::default();
        let mut directory = self.shared.directory_mut();
        for (lsn, record) in records {
            change.applied = lsn;
            change.directory.append(&mut directory.apply(lsn, record));
            let scope = &record.batch.scope;
            let resources = record.resources.iter().cloned();
            change.resources.extend(resources.map(|change| (lsn, scope.clone(), change)));
            change.name_series(scope, &record.fresh);
            self.shared.series.define(scope, &record.fresh);
        }
        drop(directory);
        forget_deleted(&self.shared.view(), &change.directory);
        if !change.is_empty() {
            self.behind.push(change);
        }
        while let Some(change) = self.behind.first() {
            if let Err(error) = self.catalog.apply(change) {
                tracing::error!(%error, "catalog did not take a change; it is tried again");
                return false;
            }
            self.behind.remove(0);
        }
        true
    }

    fn apply_to_memory(&mut self, lsn: Lsn, record: &Record, size: usize) {
        if let Some(id) = record.batch.id {
            self.known.note(&record.batch.scope, id, lsn);
        }
        apply_to_memory(&self.shared, lsn, record, size);
    }

    fn rotate(&self) -> Option<Arc<Generation>> {
        self.shared.change_view(|view| {
            if view.frozen.is_none() && view.active.last_lsn() > Lsn::ZERO {
                view.frozen =
                    Some(std::mem::replace(&mut view.active, Arc::new(Generation::new())));
            }
            view.frozen.clone()
        })
    }

    fn commit_segments(&mut self, commit: Commit) -> Result<(), Stopped> {
        let Commit { change, publish, answer } = commit;
        let points = self.shared.settings.crash_points.clone();
        let crash = |name| points.pass(name);
        let is_flush = change.checkpoint.is_some();
        crash(if is_flush { "flush::before_commit" } else { "compact::before_commit" });
        // ORDER: objects are on the disk (the job wrote them before it asked), then one catalog
        // transaction makes them live and moves the checkpoint, then readers see them instead of
        // memory. A crash before the transaction leaves orphans, which are swept; after it, replay
        // starts at the new checkpoint whether or not the log was trimmed. So every row is found
        // in exactly one place.
        // The checkpoint must not pass a change that only the log holds.
        if !self.apply_to_catalog(std::iter::empty()) {
            drop(answer.send(Err(AppendError::ReadOnly)));
            return Ok(());
        }
        if let Err(error) = self.catalog.commit_segments(&change) {
            let is_full = is_full(&error);
            drop(answer.send(Err(if is_full {
                AppendError::ReadOnly
            } else {
                AppendError::Stopped
            })));
            return if is_full { Ok(()) } else { Err(stop("catalog.db", &error)) };
        }
        crash(if is_flush { "flush::after_commit" } else { "compact::after_commit" });
        self.shared.change_view(publish);
        drop(answer.send(Ok(())));
        Ok(())
    }
}

/// Makes one durable record visible; also used by replay.
pub(super) fn apply_to_memory(shared: &Shared, lsn: Lsn, record: &Record, size: usize) {
    let view = shared.view();
    if !record.has_no_telemetry() || record.batch.id.is_some() {
        let mut directory = shared.directory_mut();
        view.active.apply((lsn, size), record, &mut directory, &shared.series);
    }
    view.active.pass(lsn);
}

/// Forgets lines of groups and streams that a change deleted.
pub(super) fn forget_deleted(view: &View, writes: &[DirectoryWrite]) {
    for write in writes {
        let (group, stream) = match write {
            DirectoryWrite::ForgetGroup { id } => (*id, None),
            DirectoryWrite::ForgetStream { group, id } => (*group, Some(*id)),
            DirectoryWrite::Group { .. } | DirectoryWrite::Stream { .. } => continue,
        };
        view.generations().for_each(|generation| generation.forget_logs(group, stream));
    }
}

/// Whether it failed for want of space alone: nothing was written.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn stop(file: &str, error: &rusqlite::Error) -> Stopped {
    tracing::error!(file, %error, "write failed; the store takes no more");
    Stopped
}

/// Answers everyone, now and later, that the store has stopped.
fn refuse(mut queue: mpsc::Receiver<Command>) {
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Append(append) => drop(append.answer.send(Err(AppendError::Stopped))),
            Command::Rotate(answer) => drop(answer.send(Err(AppendError::Stopped))),
            Command::Commit(commit) => drop(commit.answer.send(Err(AppendError::Stopped))),
            Command::Trim(_, answer) => drop(answer.send(Err(AppendError::Stopped))),
            Command::Sync => {}
            Command::Close(answer) => drop(answer.send(Ok(()))),
        }
    }
}

/// Whether a record may be taken while the disk is nearly full.
pub(super) fn only_frees_space(record: &Record) -> bool {
    let frees = |change: &LogChange| {
        matches!(
            change,
            LogChange::DeleteGroup { .. }
                | LogChange::DeleteStream { .. }
                | LogChange::SetRetention { .. }
        )
    };
    record.has_no_telemetry()
        && record.resources.iter().all(ResourceChange::only_frees_space)
        && record.logs.iter().all(frees)
}

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::codec::{LogChange, Record};
use super::counters::{Counters, add};
use super::error::{AppendError, OpenError, UpkeepError};
use super::follow::Following;
use super::lsn::Lsn;
use super::read::{Artifacts, Audit, Buckets, Events, Logs, Metrics, Resources, Traces};
use super::resource::ResourceChanges;
use super::series::Numbered;
use super::settings::StoreSettings;
use super::state::Shared;
use super::writer::{Answer, Append, Command, only_frees_space};
use super::{open, upkeep};
use crate::task::TaskGroup;
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// So many appends may wait for the disk; the next is refused as `Busy`.
pub(super) const COMMANDS_WAITING_MAX: usize = 4096;
/// So many bytes of appends may wait for the disk.
const WAITING_KIB_MAX: usize = 64 * 1024;
/// The largest append; a request body is far smaller.
const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Records shorter than this are encoded where they are made.
const ENCODE_INLINE_MAX: usize = 1000;

/// The store: telemetry, resources and artifacts of one data folder. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
    queue: mpsc::Sender<Command>,
    budget: Arc<Semaphore>,
}

impl Store {
    /// Opens a data folder, made when it is absent, and starts its upkeep in `tasks`.
    ///
    /// Errors: `Locked` while another process has it, `TooNew` for a folder of a newer build.
    /// Cancel safety: no; an open that nobody waits for any more may keep the folder locked.
    pub async fn open(
        settings: StoreSettings,
        clock: Arc<dyn Clock>,
        tasks: &TaskGroup,
    ) -> Result<Self, OpenError> {
        let directory = settings.directory.clone();
        let gone = || OpenError::Folder {
            path: directory.clone(),
            source: std::io::Error::other("the runtime is stopping"),
        };
        let open = tokio::task::spawn_blocking(move || open::open(settings, clock));
        let (shared, writer) = open.await.map_err(|_gone| gone())??;
        let (queue, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("store writer".to_owned());
        thread
            .spawn(move || writer.run(commands))
            .map_err(|source| OpenError::Folder { path: directory.clone(), source })?;
        let store = Self { shared, queue, budget: Arc::new(Semaphore::new(WAITING_KIB_MAX)) };
        upkeep::start(&store, tasks);
        Ok(store)
    }

    /// Makes `batch` durable and visible, then returns its place in the log.
    ///
    /// A batch whose id was taken before is not taken again: its first place is returned.
    /// Errors: `Busy` when too many appends wait, `ReadOnly` while the disk is nearly full,
    /// `Stopped` once a write has failed for good.
    /// Cancel safety: a caller that stops waiting does not undo the append.
    pub async fn append(&self, batch: TelemetryBatch) -> Result<Lsn, AppendError> {
        self.append_with(batch, ResourceChanges::new()).await
    }

    /// Takes a batch and changes to resources of its scope together, or neither.
    ///
    /// Errors: as `append`; `Conflict` or `Missing` when a condition of a change does not hold.
    /// Cancel safety: a caller that stops waiting does not undo the append.
    pub async fn append_with(
        &self,
        batch: TelemetryBatch,
        changes: ResourceChanges,
    ) -> Result<Lsn, AppendError> {
        let at = self.shared.clock.now();
        self.submit(Record { resources: changes.0, ..Record::new(at, batch) }).await
    }

    /// Tells of each new batch as it becomes visible.
    pub fn watch(&self) -> watch::Receiver<Lsn> {
        self.shared.visible.subscribe()
    }

    /// Has `follow` look at every batch with events before it is written; what it says is taken
    /// together with the batch. At most one function can follow a store.
    pub fn follow_events(
        &self,
        follow: impl Fn(&TelemetryBatch, Timestamp) -> Following + Send + Sync + 'static,
    ) {
        self.shared.follower.set(follow);
    }

    /// What the store did since it was opened.
    pub fn counters(&self) -> Counters {
        let view = self.shared.view();
        Counters {
            segments: view.segments.len() as u64,
            segment_bytes: view.segments.iter().map(|live| live.segment.row.bytes).sum(),
            recent_bytes: view.generations().map(|generation| generation.bytes()).sum(),
            ..self.shared.counting.read()
        }
    }

    /// Moves all recent data to segments.
    ///
    /// Errors: nothing is lost by one; the next flush tries again.
    pub async fn flush(&self) -> Result<(), UpkeepError> {
        upkeep::flush(self).await
    }

    /// Rolls up, compacts, expires and sweeps what is due now, without waiting for its time.
    ///
    /// Errors: nothing is lost by one; the next round tries again.
    pub async fn tidy(&self) -> Result<(), UpkeepError> {
        upkeep::tidy(self).await
    }

    /// Stops taking appends, ends the upkeep, closes the databases and lets go of the folder.
    ///
    /// Errors: `Stopped` when it had stopped before.
    pub async fn close(&self) -> Result<(), AppendError> {
        self.shared.closing.cancel();
        let _no_upkeep_runs = self.shared.upkeep.acquire().await;
        self.ask(Command::Close).await
    }

    /// Metric data and names.
    pub const fn metrics(&self) -> Metrics<'_> {
        Metrics(self)
    }

    /// Log groups, streams and lines.
    pub const fn logs(&self) -> Logs<'_> {
        Logs(self)
    }

    /// Traces.
    pub const fn traces(&self) -> Traces<'_> {
        Traces(self)
    }

    /// Events of the buses.
    pub const fn events(&self) -> Events<'_> {
        Events(self)
    }

    /// Audit records.
    pub const fn audit(&self) -> Audit<'_> {
        Audit(self)
    }

    /// Typed documents: canaries, alarms, runs, histories.
    pub const fn resources(&self) -> Resources<'_> {
        Resources(self)
    }

    /// Files that runs leave, by the hash of their content.
    pub const fn artifacts(&self) -> Artifacts<'_> {
        Artifacts(self)
    }

    /// Objects by bucket and key.
    pub const fn buckets(&self) -> Buckets<'_> {
        Buckets(self)
    }

    pub(super) async fn change_logs(
        &self,
        scope: &Scope,
        change: LogChange,
    ) -> Result<Lsn, AppendError> {
        let at = self.shared.clock.now();
        let batch = TelemetryBatch::new(scope.clone());
        self.submit(Record { logs: vec![change], ..Record::new(at, batch) }).await
    }

    async fn submit(&self, record: Record) -> Result<Lsn, AppendError> {
        let counting = &self.shared.counting;
        if self.shared.is_read_only() && !only_frees_space(&record) {
            add(&counting.batches_refused_read_only, 1);
            return Err(AppendError::ReadOnly);
        }
        let has_nothing = record.resources.is_empty() && record.logs.is_empty();
        if has_nothing && record.batch.is_empty() && record.batch.id.is_none() {
            return Ok(*self.shared.visible.borrow());
        }
        if self.has_too_much_unflushed() {
            add(&counting.batches_throttled, 1);
            return Err(AppendError::Busy);
        }
        let Following { changes, taken } = self.shared.follower.follow(&record.batch, record.at);
        let mut record = record;
        record.resources.extend(changes.0);
        let (record, encoded) = self.encode(record).await?;
        let bytes = encoded.len();
        if bytes > APPEND_BYTES_MAX {
            add(&counting.batches_rejected, 1);
            return Err(AppendError::TooLarge { bytes, bytes_max: APPEND_BYTES_MAX });
        }
        let busy = || {
            add(&counting.batches_throttled, 1);
            AppendError::Busy
        };
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        let budget =
            Arc::clone(&self.budget).try_acquire_many_owned(kib).map_err(|_full| busy())?;
        let (answer, done) = oneshot::channel();
        let append = Append { record, encoded, answer, taken, _budget: budget };
        match self.queue.try_send(Command::Append(Box::new(append))) {
            Ok(()) => done.await.map_err(|_gone| AppendError::Stopped)?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(busy()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AppendError::Stopped),
        }
    }

    /// Numbers a record's metrics and encodes it; a long one where blocking is right.
    async fn encode(&self, record: Record) -> Result<(Record, Vec<u8>), AppendError> {
        let batch = &record.batch;
        let items = batch.metrics.iter().map(|metrics| metrics.data.len()).sum::<usize>()
            + batch.logs.iter().map(|logs| logs.events.len()).sum::<usize>()
            + batch.traces.len();
        if items <= ENCODE_INLINE_MAX {
            return number_and_encode(&self.shared, record);
        }
        let shared = Arc::clone(&self.shared);
        let encode = move || number_and_encode(&shared, record);
        tokio::task::spawn_blocking(encode).await.map_err(|_gone| AppendError::Stopped)?
    }

    /// Whether recent data grows faster than it is flushed.
    ///
    /// BOUND: callers wait, memory does not grow; it ends as soon as a flush is through.
    fn has_too_much_unflushed(&self) -> bool {
        const FLUSHES_BEHIND: u64 = 4;
        let policy = &self.shared.settings.flush;
        let recent = self.shared.view().active;
        recent.bytes() > policy.bytes_max.saturating_mul(FLUSHES_BEHIND)
            || recent.samples() > policy.samples_max.saturating_mul(FLUSHES_BEHIND)
    }

    /// Asks the writer thread and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(Answer<T>) -> Command,
    ) -> Result<T, AppendError> {
        let (answer, done) = oneshot::channel();
        self.tell(command(answer)).await?;
        done.await.map_err(|_gone| AppendError::Stopped)?
    }

    pub(super) async fn tell(&self, command: Command) -> Result<(), AppendError> {
        self.queue.send(command).await.map_err(|_closed| AppendError::Stopped)
    }
}

fn number_and_encode(
    shared: &Shared,
    mut record: Record,
) -> Result<(Record, Vec<u8>), AppendError> {
    let metrics = std::mem::take(&mut record.batch.metrics);
    let numbered = shared.series.number(&record.batch.scope, metrics, shared.settings.series_max);
    match numbered {
        Ok(Numbered { samples, fresh }) => {
            (record.samples, record.fresh) = (samples, fresh);
            let encoded = record.encode();
            Ok((record, encoded))
        }
        Err(error) => {
            add(&shared.counting.batches_rejected, 1);
            Err(error)
        }
    }
}

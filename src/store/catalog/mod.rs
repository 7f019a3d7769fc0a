//! The catalog: resources, log groups and streams, metric names, live segments, in one SQLite file.
//!
//! Main types: [`Catalog`], owned by the writer thread, and [`CatalogReader`], for everyone else.
//! Everything but the segments is a view of the ingest log: `applied` says how far it got, and
//! replay brings it up to date. Segments and the checkpoint are the truth and are committed with a
//! full sync.

mod backup;
mod reader;
mod rows;
mod segments;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::codec::SeriesNumber;
use super::directory::{Directory, DirectoryWrite, Stream};
use super::folder::{CATALOG_ID, FORMAT};
use super::lsn::Lsn;
use super::resource::{Condition, ResourceChange, ResourceKey};
use super::series::{KnownSeries, SeriesIndex};
use crate::telemetry::{BatchId, MetricId, Scope};
use crate::time::Timestamp;
pub(super) use backup::{copy, is_damage, restore};
pub(super) use reader::{CatalogReader, Document, RowsQuery};
pub(super) use rows::{dimensions_of, dimensions_text};
pub(super) use segments::{SegmentChange, SegmentRow};

const SCHEMA: &str = include_str!("schema.sql");

/// The writer's connection to the catalog.
#[derive(Debug)]
pub(super) struct Catalog {
    connection: Connection,
}

/// How far the catalog got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Every resource and group change up to this batch is in it.
    pub(super) applied: Lsn,
    /// Every batch up to this one is in segments.
    pub(super) checkpoint: Lsn,
}

/// What one group of appends changes in the catalog.
#[derive(Debug, Default)]
pub(super) struct CatalogChange {
    pub(super) applied: Lsn,
    pub(super) resources: Vec<(Lsn, Scope, ResourceChange)>,
    pub(super) directory: Vec<DirectoryWrite>,
    pub(super) series: Vec<(SeriesNumber, Scope, MetricId)>,
}

impl CatalogChange {
    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.directory.is_empty() && self.series.is_empty()
    }

    /// Names metrics that the log names.
    pub(super) fn name_series(&mut self, scope: &Scope, fresh: &[(SeriesNumber, MetricId)]) {
        let fresh = fresh.iter().cloned();
        self.series.extend(fresh.map(|(number, metric)| (number, scope.clone(), metric)));
    }
}

impl Catalog {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        mark(&connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    /// Looks for damaged pages, when that takes milliseconds.
    ///
    /// Errors: `DatabaseCorrupt` when there are some.
    pub(super) fn check_if_small(&self) -> rusqlite::Result<()> {
        const PAGES_MAX: i64 = 1024;
        let pages: i64 = self.connection.query_row("pragma page_count", [], |row| row.get(0))?;
        if pages > PAGES_MAX {
            return Ok(());
        }
        let check = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let found = self.connection.query_row("pragma quick_check(1)", [], check)?;
        if found == "ok" {
            return Ok(());
        }
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(rusqlite::Error::SqliteFailure(corrupt, Some(found)))
    }

    pub(super) fn progress(&self) -> rusqlite::Result<Progress> {
        let number = |name: &str| -> rusqlite::Result<Lsn> {
            let sql = "select value from progress where name = ?1";
            let value = self.connection.query_row(sql, [name], |row| row.get(0)).optional()?;
            Ok(value.map_or(Lsn::ZERO, Lsn::from_sql))
        };
        Ok(Progress { applied: number("applied")?, checkpoint: number("checkpoint")? })
    }

    /// Whether there is a resource of this key.
    pub(super) fn holds(&self, scope: &Scope, key: &ResourceKey) -> rusqlite::Result<bool> {
        let sql = "select 1 from resource where account = ?1 and region = ?2 and kind = ?3
                   and name = ?4 and sort = ?5";
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let key = params![account, region, &*key.kind, &*key.name, key.sort_text()];
        self.connection.prepare_cached(sql)?.exists(key)
    }

    /// The condition of `changes` that does not hold, if there is one.
    pub(super) fn first_unmet(
        &self,
        scope: &Scope,
        changes: &[ResourceChange],
    ) -> rusqlite::Result<Option<(ResourceKey, Condition)>> {
        for (key, condition) in changes.iter().filter_map(ResourceChange::condition) {
            if self.holds(scope, key)? != (condition == Condition::Present) {
                return Ok(Some((key.clone(), condition)));
            }
        }
        Ok(None)
    }

    /// Applies what a group of appends changes; all of it or nothing.
    pub(super) fn apply(&mut self, change: &CatalogChange) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for (lsn, scope, change) in &change.resources {
            apply_resource(&transaction, *lsn, scope, change)?;
        }
        for write in &change.directory {
            apply_directory(&transaction, write)?;
        }
        rows::name_series(&transaction, &change.series)?;
        set_progress(&transaction, "applied", change.applied)?;
        transaction.commit()
    }

    /// Reads what the writer keeps in memory.
    pub(super) fn load(
        &self,
        directory: &mut Directory,
        series: &SeriesIndex,
    ) -> rusqlite::Result<Vec<(Scope, BatchId, Lsn)>> {
        rows::load_directory(&self.connection, directory)?;
        series.load(rows::load_series(&self.connection)?);
        rows::load_batches(&self.connection)
    }

    /// Metrics of format 1, which have no number.
    pub(super) fn unnumbered_series(&self) -> rusqlite::Result<Vec<KnownSeries>> {
        rows::load_unnumbered_series(&self.connection)
    }

    /// Makes segments live, forgets others, notes what a flush covered and moves the checkpoint,
    /// in one transaction that the disk has when this returns.
    pub(super) fn commit_segments(&mut self, change: &SegmentChange) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", "full")?;
        let outcome = self.segment_transaction(change);
        self.connection.pragma_update(None, "synchronous", "normal")?;
        outcome
    }

    fn segment_transaction(&mut self, change: &SegmentChange) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        segments::apply(&transaction, change)?;
        rows::save_batches(&transaction, &change.batches, change.forget_batches_before)?;
        rows::save_series(&transaction, &change.series)?;
        rows::save_stream_times(&transaction, &change.streams)?;
        if let Some(checkpoint) = change.checkpoint {
            set_progress(&transaction, "checkpoint", checkpoint)?;
        }
        transaction.commit()
    }

    pub(super) fn segments(&self) -> rusqlite::Result<Vec<SegmentRow>> {
        segments::load(&self.connection)
    }
}

/// Says in the file's header whose it is, so that the folder is known by it too.
///
/// ORDER: before there is a write-ahead log, so that the header itself is written.
fn mark(connection: &Connection) -> rusqlite::Result<()> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let is_ours = number("pragma application_id")? == i64::from(CATALOG_ID);
    if is_ours && number("pragma user_version")? == i64::from(FORMAT) {
        return Ok(());
    }
    connection.pragma_update(None, "application_id", CATALOG_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)
}

fn set_progress(transaction: &Transaction<'_>, name: &str, lsn: Lsn) -> rusqlite::Result<()> {
    // A replay may pass older batches again; progress never goes back.
    let sql = "insert into progress (name, value) values (?1, ?2)
               on conflict (name) do update set value = max(value, excluded.value)";
    transaction.prepare_cached(sql)?.execute(params![name, lsn.to_sql()])?;
    Ok(())
}

fn apply_resource(
    transaction: &Transaction<'_>,
    lsn: Lsn,
    scope: &Scope,
    change: &ResourceChange,
) -> rusqlite::Result<()> {
    let (account, region) = (scope.account.as_str(), scope.region.as_str());
    match change {
        ResourceChange::Put { key, body, .. } => {
            let sql = "insert into resource
                       (account, region, kind, name, sort, version, body, checksum)
                       values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                       on conflict (account, region, kind, name, sort) do update set
                       version = excluded.version, body = excluded.body,
                       checksum = excluded.checksum";
            transaction.prepare_cached(sql)?.execute(params![
                account,
                region,
                &*key.kind,
                &*key.name,
                key.sort_text(),
                lsn.to_sql(),
                &**body,
                crc32c::crc32c(body.as_bytes()),
            ])?;
        }
        ResourceChange::Delete { key, .. } => {
            let sql = "delete from resource where account = ?1 and region = ?2 and kind = ?3
                       and name = ?4 and sort = ?5";
            let row = params![account, region, &*key.kind, &*key.name, key.sort_text()];
            transaction.prepare_cached(sql)?.execute(row)?;
        }
        ResourceChange::DeleteRowsBefore { kind, name, before } => {
            let sql = "delete from resource where account = ?1 and region = ?2 and kind = ?3
                       and name = ?4 and sort > '' and sort < ?5";
            let row = params![account, region, &**kind, &**name, before.as_str()];
            transaction.prepare_cached(sql)?.execute(row)?;
        }
        ResourceChange::DeleteRows { kind, name } => {
            let sql = "delete from resource where account = ?1 and region = ?2 and kind = ?3
                       and name = ?4 and sort > ''";
            transaction.prepare_cached(sql)?.execute(params![account, region, &**kind, &**name])?;
        }
    }
    Ok(())
}

fn apply_directory(transaction: &Transaction<'_>, write: &DirectoryWrite) -> rusqlite::Result<()> {
    match write {
        DirectoryWrite::Group { scope, name, id, created, retention_days, horizon } => {
            let sql = "insert into log_group
                       (id, account, region, name, created, retention_days, horizon)
                       values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                       on conflict (id) do update set retention_days = excluded.retention_days,
                       horizon = excluded.horizon";
            let (account, region) = (scope.account.as_str(), scope.region.as_str());
            transaction.prepare_cached(sql)?.execute(params![
                rows::id_to_sql(*id),
                account,
                region,
                &**name,
                created.as_millis(),
                retention_days,
                horizon.as_millis(),
            ])?;
        }
        DirectoryWrite::Stream { group, name, id, created } => {
            let sql = "insert into log_stream (id, log_group, name, created)
                       values (?1, ?2, ?3, ?4) on conflict (id) do nothing";
            let (id, group) = (rows::id_to_sql(*id), rows::id_to_sql(*group));
            let row = params![id, group, &**name, created.as_millis()];
            transaction.prepare_cached(sql)?.execute(row)?;
        }
        DirectoryWrite::ForgetGroup { id } => {
            let id = [rows::id_to_sql(*id)];
            let sql = "delete from log_stream where log_group = ?1";
            transaction.prepare_cached(sql)?.execute(id)?;
            transaction.prepare_cached("delete from log_group where id = ?1")?.execute(id)?;
        }
        DirectoryWrite::ForgetStream { id, .. } => {
            let sql = "delete from log_stream where id = ?1";
            transaction.prepare_cached(sql)?.execute([rows::id_to_sql(*id)])?;
        }
    }
    Ok(())
}

/// When the lines of a stream came, for the catalog.
#[derive(Clone, Debug)]
pub(super) struct StreamTimes {
    pub(super) id: u64,
    pub(super) first_event: Option<Timestamp>,
    pub(super) last_event: Option<Timestamp>,
    pub(super) last_ingestion: Option<Timestamp>,
}

impl From<&Stream> for StreamTimes {
    fn from(stream: &Stream) -> Self {
        Self {
            id: stream.id,
            first_event: stream.first_event,
            last_event: stream.last_event,
            last_ingestion: stream.last_ingestion,
        }
    }
}

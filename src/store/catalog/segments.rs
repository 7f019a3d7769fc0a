use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

use super::StreamTimes;
use crate::store::lsn::Lsn;
use crate::store::series::SeriesEntry;
use crate::telemetry::{BatchId, Scope};
use crate::time::Timestamp;

/// A live segment as the catalog knows it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct SegmentRow {
    /// Under the segments' root; names are never used twice.
    pub(in crate::store) path: String,
    pub(in crate::store) table: String,
    pub(in crate::store) level: u8,
    pub(in crate::store) first: Timestamp,
    pub(in crate::store) last: Timestamp,
    pub(in crate::store) rows: u64,
    pub(in crate::store) bytes: u64,
    /// Bytes of its rows before encoding.
    pub(in crate::store) raw_bytes: u64,
    pub(in crate::store) created: Timestamp,
    /// The Parquet footer, so that a query goes straight to its row groups.
    pub(in crate::store) footer: Vec<u8>,
    /// Its row groups: place, checksum, keys and times.
    pub(in crate::store) parts: Vec<u8>,
}

/// One change of the set of live segments, and what it stands for.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct SegmentChange {
    pub(in crate::store) add: Vec<SegmentRow>,
    pub(in crate::store) remove: Vec<String>,
    pub(in crate::store) removed_at: Timestamp,
    /// Objects that have been deleted.
    pub(in crate::store) swept: Vec<String>,
    /// Set by a flush: every batch up to this one is in segments.
    pub(in crate::store) checkpoint: Option<Lsn>,
    pub(in crate::store) batches: Vec<(Scope, BatchId, Lsn, Timestamp)>,
    pub(in crate::store) forget_batches_before: Timestamp,
    pub(in crate::store) series: Vec<Arc<SeriesEntry>>,
    pub(in crate::store) streams: Vec<StreamTimes>,
}

pub(super) fn apply(transaction: &Transaction<'_>, change: &SegmentChange) -> rusqlite::Result<()> {
    let sql = "insert into segment
               (path, tbl, level, t_lo, t_hi, rows, bytes, raw_bytes, created, footer, parts)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let mut insert = transaction.prepare_cached(sql)?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    for row in &change.add {
        insert.execute(params![
            row.path,
            row.table,
            row.level,
            row.first.as_millis(),
            row.last.as_millis(),
            number(row.rows),
            number(row.bytes),
            number(row.raw_bytes),
            row.created.as_millis(),
            row.footer,
            row.parts,
        ])?;
    }
    let mut remove = transaction.prepare_cached("delete from segment where path = ?1")?;
    let sql = "insert or replace into tombstone (path, after) values (?1, ?2)";
    let mut bury = transaction.prepare_cached(sql)?;
    for path in &change.remove {
        remove.execute([path])?;
        bury.execute(params![path, change.removed_at.as_millis()])?;
    }
    let mut swept = transaction.prepare_cached("delete from tombstone where path = ?1")?;
    for path in &change.swept {
        swept.execute([path])?;
    }
    Ok(())
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<SegmentRow>> {
    let sql = "select path, tbl, level, t_lo, t_hi, rows, bytes, raw_bytes, created, footer, parts
               from segment order by created, path";
    let mut statement = connection.prepare(sql)?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let rows = statement.query_map([], |row| {
        Ok(SegmentRow {
            path: row.get(0)?,
            table: row.get(1)?,
            level: row.get(2)?,
            first: Timestamp::from_millis(row.get(3)?),
            last: Timestamp::from_millis(row.get(4)?),
            rows: number(row.get(5)?),
            bytes: number(row.get(6)?),
            raw_bytes: number(row.get(7)?),
            created: Timestamp::from_millis(row.get(8)?),
            footer: row.get(9)?,
            parts: row.get(10)?,
        })
    })?;
    rows.collect()
}

pub(super) fn live_paths(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("select path from segment")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Removed segments, each with when it was removed.
pub(super) fn tombstones(connection: &Connection) -> rusqlite::Result<Vec<(String, Timestamp)>> {
    let mut statement = connection.prepare("select path, after from tombstone")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)));
    let rows = statement.query_map([], read)?;
    rows.collect()
}

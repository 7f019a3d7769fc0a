use std::sync::Arc;

use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;

use super::columns::{Column, Columns, LastText, arrivals, numbers, scopes, texts, times};
use super::lines::WholeLines;
use super::parts::{Key, Span};
use super::shred;
use super::table::Table;
use crate::store::codec::Fault;
use crate::store::recent::{LogKey, LogLine};
use crate::telemetry::Scope;

/// One log line, with the names it was received under.
#[derive(Clone, Debug)]
pub(in crate::store) struct LogRow {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) group_name: Arc<str>,
    pub(in crate::store) stream_name: Arc<str>,
    pub(in crate::store) group: u64,
    pub(in crate::store) key: LogKey,
    pub(in crate::store) line: LogLine,
}

pub(in crate::store) fn log_key(group: u64) -> Key {
    Key::default().number(group)
}

#[derive(Debug)]
pub(in crate::store) struct LogTable;

impl Table for LogTable {
    type Row = LogRow;
    const NAME: &'static str = "logs";
    const ROWS_MAX: usize = 64 * 1024;
    const UNIQUE_COLUMNS: &'static [&'static str] = &["timestamp", "ordinal"];

    fn span(row: &LogRow) -> Span {
        Span { key: log_key(row.group), first: row.key.at, last: row.key.at }
    }

    fn bytes(row: &LogRow) -> usize {
        row.line.message.len() + 26
    }

    fn columns(rows: &[LogRow]) -> Vec<Column> {
        let mut columns: Vec<Column> = scopes(rows.iter().map(|row| &row.scope)).into();
        columns.extend([
            texts("log_group", rows.iter().map(|row| &*row.group_name)),
            texts("log_stream", rows.iter().map(|row| &*row.stream_name)),
            times("timestamp", rows.iter().map(|row| row.key.at)),
            times("ingestion_time", rows.iter().map(|row| row.line.received)),
            numbers::<UInt64Type>("group_id", rows.iter().map(|row| row.group)),
            numbers::<UInt64Type>("stream_id", rows.iter().map(|row| row.line.stream)),
        ]);
        columns.extend(arrivals(rows.iter().map(|row| row.key.arrival)));
        columns
    }

    fn derived(rows: &[LogRow]) -> Vec<(Field, ArrayRef)> {
        let lines: Vec<&str> = rows.iter().map(|row| &*row.line.message).collect();
        shred::columns(&lines)
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<LogRow>, Fault> {
        let columns = Columns(batch);
        let (mut scope, arrival) = (columns.scope()?, columns.arrival()?);
        let (group_name, stream_name) = (columns.text("log_group")?, columns.text("log_stream")?);
        let (at, received) = (columns.time("timestamp")?, columns.time("ingestion_time")?);
        let lines = WholeLines::read(batch)?;
        let group = columns.number::<UInt64Type>("group_id")?;
        let stream = columns.number::<UInt64Type>("stream_id")?;
        let (mut groups, mut streams) = (LastText::default(), LastText::default());
        let row = |row| {
            Ok(LogRow {
                scope: scope(row)?,
                group_name: groups.share(group_name(row)),
                stream_name: streams.share(stream_name(row)),
                group: group(row),
                key: LogKey { at: at(row), arrival: arrival(row) },
                line: LogLine {
                    stream: stream(row),
                    received: received(row),
                    message: Arc::from(&*lines.line(row)?),
                },
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

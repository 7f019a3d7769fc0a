use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::types::UInt8Type;

use super::columns::{Column, Columns, arrivals, numbers, optional_texts, scopes, texts, times};
use super::event::json;
use super::parts::{Key, Span};
use super::table::Table;
use crate::store::codec::Fault;
use crate::store::recent::AuditKey;
use crate::telemetry::{AuditKind, AuditRecord};

/// One audit record.
#[derive(Clone, Debug)]
pub(in crate::store) struct AuditRow {
    pub(in crate::store) key: AuditKey,
    pub(in crate::store) record: Arc<AuditRecord>,
}

#[derive(Debug)]
pub(in crate::store) struct AuditTable;

impl Table for AuditTable {
    type Row = AuditRow;
    const NAME: &'static str = "audit";
    const ROWS_MAX: usize = 8 * 1024;
    const UNIQUE_COLUMNS: &'static [&'static str] = &["event_id", "record"];

    fn span(row: &AuditRow) -> Span {
        Span { key: Key::of_scope(&row.key.scope), first: row.key.at, last: row.key.at }
    }

    fn bytes(_row: &AuditRow) -> usize {
        // A CloudTrail record is about this long.
        1024
    }

    fn columns(rows: &[AuditRow]) -> Vec<Column> {
        let resources: Vec<String> =
            rows.iter().map(|row| serde_json::json!(row.record.resources).to_string()).collect();
        let records: Vec<String> = rows.iter().map(|row| row.record.record.to_string()).collect();
        let mut columns: Vec<Column> = scopes(rows.iter().map(|row| &row.key.scope)).into();
        columns.extend([
            texts("event_id", rows.iter().map(|row| &*row.record.event_id)),
            times("event_time", rows.iter().map(|row| row.record.event_time)),
            texts("event_name", rows.iter().map(|row| &*row.record.event_name)),
            texts("event_source", rows.iter().map(|row| &*row.record.event_source)),
            optional_texts("username", rows.iter().map(|row| row.record.username.as_deref())),
            optional_texts(
                "access_key_id",
                rows.iter().map(|row| row.record.access_key_id.as_deref()),
            ),
            numbers::<UInt8Type>("read_only", rows.iter().map(|row| row.record.read_only.into())),
            numbers::<UInt8Type>(
                "is_data",
                rows.iter().map(|row| (row.record.kind == AuditKind::Data).into()),
            ),
            texts("resources", resources.iter().map(String::as_str)),
            texts("record", records.iter().map(String::as_str)),
        ]);
        columns.extend(arrivals(rows.iter().map(|row| row.key.arrival)));
        columns
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<AuditRow>, Fault> {
        let columns = Columns(batch);
        let (mut scope, arrival) = (columns.scope()?, columns.arrival()?);
        let (id, at) = (columns.text("event_id")?, columns.time("event_time")?);
        let (name, source) = (columns.text("event_name")?, columns.text("event_source")?);
        let username = columns.optional_text("username")?;
        let access_key_id = columns.optional_text("access_key_id")?;
        let (read_only, is_data) = (columns.flag("read_only")?, columns.flag("is_data")?);
        let (resources, record) = (columns.text("resources")?, columns.text("record")?);
        let row = |row| {
            let kind = if is_data(row) { AuditKind::Data } else { AuditKind::Management };
            let record = AuditRecord {
                event_id: id(row).into(),
                event_time: at(row),
                event_name: name(row).into(),
                event_source: source(row).into(),
                username: username(row).map(Arc::from),
                access_key_id: access_key_id(row).map(Arc::from),
                read_only: read_only(row),
                kind,
                resources: json(resources(row))?,
                record: json(record(row))?,
            };
            let key = AuditKey { scope: scope(row)?, at: record.event_time, arrival: arrival(row) };
            Ok(AuditRow { key, record: Arc::new(record) })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::types::Float64Type;

use super::columns::{Column, Columns, arrivals, numbers, optional_floats, scopes, texts};
use super::parts::{Key, Span};
use super::table::Table;
use crate::store::codec::Fault;
use crate::store::recent::TraceKey;
use crate::telemetry::{Scope, TraceId, TraceSegment};
use crate::time::Timestamp;

/// One trace segment as it was received.
#[derive(Clone, Debug)]
pub(in crate::store) struct TraceRow {
    pub(in crate::store) key: TraceKey,
    pub(in crate::store) segment: Arc<TraceSegment>,
}

pub(in crate::store) fn trace_key(scope: &Scope, trace: TraceId) -> Key {
    Key::of_scope(scope).raw(trace.as_bytes())
}

#[derive(Debug)]
pub(in crate::store) struct TraceTable;

impl Table for TraceTable {
    type Row = TraceRow;
    const NAME: &'static str = "traces";
    const ROWS_MAX: usize = 4 * 1024;
    const UNIQUE_COLUMNS: &'static [&'static str] = &["id", "document", "start_time", "end_time"];

    fn span(row: &TraceRow) -> Span {
        let start = Timestamp::from_secs_f64(row.segment.start_time);
        let end = row.segment.end_time.map_or(start, Timestamp::from_secs_f64);
        Span { key: trace_key(&row.key.scope, row.key.trace), first: start, last: end.max(start) }
    }

    fn bytes(row: &TraceRow) -> usize {
        row.segment.document.len() + 64
    }

    fn columns(rows: &[TraceRow]) -> Vec<Column> {
        let ids: Vec<String> = rows.iter().map(|row| row.key.trace.to_string()).collect();
        let mut columns: Vec<Column> = scopes(rows.iter().map(|row| &row.key.scope)).into();
        columns.extend([
            texts("trace_id", ids.iter().map(String::as_str)),
            texts("id", rows.iter().map(|row| &*row.segment.id)),
            numbers::<Float64Type>("start_time", rows.iter().map(|row| row.segment.start_time)),
            optional_floats("end_time", rows.iter().map(|row| row.segment.end_time)),
            texts("document", rows.iter().map(|row| &*row.segment.document)),
        ]);
        columns.extend(arrivals(rows.iter().map(|row| row.key.arrival)));
        columns
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<TraceRow>, Fault> {
        let columns = Columns(batch);
        let (mut scope, arrival) = (columns.scope()?, columns.arrival()?);
        let (trace, id) = (columns.text("trace_id")?, columns.text("id")?);
        let start = columns.number::<Float64Type>("start_time")?;
        let (end, document) = (columns.optional_float("end_time")?, columns.text("document")?);
        let row = |row| {
            let trace = TraceId::parse(trace(row)).map_err(|_not_one| Fault::Value)?;
            Ok(TraceRow {
                key: TraceKey { scope: scope(row)?, trace, arrival: arrival(row) },
                segment: Arc::new(TraceSegment {
                    trace_id: trace,
                    id: id(row).into(),
                    start_time: start(row),
                    end_time: end(row),
                    document: document(row).into(),
                }),
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

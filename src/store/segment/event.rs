use std::sync::Arc;

use arrow_array::RecordBatch;

use super::columns::{Column, Columns, arrivals, optional_texts, scopes, texts, times};
use super::parts::{Key, Span};
use super::table::Table;
use crate::store::codec::Fault;
use crate::store::recent::EventKey;
use crate::telemetry::{Event, Scope};

/// One event.
#[derive(Clone, Debug)]
pub(in crate::store) struct EventRow {
    pub(in crate::store) key: EventKey,
    pub(in crate::store) event: Arc<Event>,
}

pub(in crate::store) fn event_key(scope: &Scope, bus: &str) -> Key {
    Key::of_scope(scope).text(bus)
}

#[derive(Debug)]
pub(in crate::store) struct EventTable;

impl Table for EventTable {
    type Row = EventRow;
    const NAME: &'static str = "events";
    const ROWS_MAX: usize = 16 * 1024;
    const UNIQUE_COLUMNS: &'static [&'static str] = &["id", "detail"];

    fn span(row: &EventRow) -> Span {
        let key = event_key(&row.key.scope, &row.key.bus);
        Span { key, first: row.key.at, last: row.key.at }
    }

    fn bytes(row: &EventRow) -> usize {
        // The detail is a tree; its text is about this long.
        256 + row.event.resources.iter().map(|arn| arn.len()).sum::<usize>()
    }

    fn columns(rows: &[EventRow]) -> Vec<Column> {
        let resources: Vec<String> =
            rows.iter().map(|row| serde_json::json!(row.event.resources).to_string()).collect();
        let details: Vec<String> = rows.iter().map(|row| row.event.detail.to_string()).collect();
        let mut columns: Vec<Column> = scopes(rows.iter().map(|row| &row.key.scope)).into();
        columns.extend([
            texts("bus", rows.iter().map(|row| &*row.event.bus)),
            texts("id", rows.iter().map(|row| &*row.event.id)),
            texts("source", rows.iter().map(|row| &*row.event.source)),
            texts("detail_type", rows.iter().map(|row| &*row.event.detail_type)),
            times("time", rows.iter().map(|row| row.event.time)),
            texts("resources", resources.iter().map(String::as_str)),
            texts("detail", details.iter().map(String::as_str)),
            optional_texts(
                "trace_header",
                rows.iter().map(|row| row.event.trace_header.as_deref()),
            ),
        ]);
        columns.extend(arrivals(rows.iter().map(|row| row.key.arrival)));
        columns
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<EventRow>, Fault> {
        let columns = Columns(batch);
        let (mut scope, arrival) = (columns.scope()?, columns.arrival()?);
        let (bus, id, source) =
            (columns.text("bus")?, columns.text("id")?, columns.text("source")?);
        let (kind, at) = (columns.text("detail_type")?, columns.time("time")?);
        let (resources, detail) = (columns.text("resources")?, columns.text("detail")?);
        let header = columns.optional_text("trace_header")?;
        let row = |row| {
            let event = Event {
                bus: bus(row).into(),
                id: id(row).into(),
                source: source(row).into(),
                detail_type: kind(row).into(),
                time: at(row),
                resources: json(resources(row))?,
                detail: json(detail(row))?,
                trace_header: header(row).map(Arc::from),
            };
            let (scope, bus) = (scope(row)?, Arc::clone(&event.bus));
            let key = EventKey { scope, bus, at: event.time, arrival: arrival(row) };
            Ok(EventRow { key, event: Arc::new(event) })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

pub(super) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_not_json| Fault::Value)
}

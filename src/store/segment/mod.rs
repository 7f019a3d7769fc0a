//! Immutable Parquet segments on an object store, and the five tables they hold.
//!
//! Main types: [`Table`], how rows of one signal become columns and back, and [`Segment`], one live
//! file. Any engine that reads Parquet reads them as they lie. Which segments are live is the
//! catalog's knowledge; when they are written, the flush's.

mod audit;
mod columns;
mod event;
mod lines;
mod log;
mod metric;
mod objects;
mod parts;
mod shape;
mod shred;
mod table;
mod trace;

pub(super) use audit::{AuditRow, AuditTable};
pub(super) use event::{EventRow, EventTable, event_key};
pub(super) use lines::{Shapes, Values, form_of};
pub(super) use log::{LogRow, LogTable, log_key};
pub(super) use metric::{MetricRow, MetricTable, metric_key};
pub(super) use objects::Objects;
pub(super) use parts::{Key, Part};
pub(super) use shape::Place;
pub(super) use shred::{FIELD_PREFIX, MESSAGE, SHAPE};
pub(super) use table::{Encoded, PartReader, Segment, Table, encode};
pub(super) use trace::{TraceRow, TraceTable, trace_key};

/// The tables by number, as the set of live segments is kept.
pub(super) const TABLES: [&str; 5] =
    [MetricTable::NAME, LogTable::NAME, TraceTable::NAME, EventTable::NAME, AuditTable::NAME];

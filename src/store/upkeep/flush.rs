use std::sync::Arc;

use super::super::catalog::{SegmentChange, SegmentRow, StreamTimes, copy};
use super::super::codec::Fault;
use super::super::counters::add;
use super::super::error::{ReadError, UpkeepError};
use super::super::handle::Store;
use super::super::lsn::Lsn;
use super::super::recent::Generation;
use super::super::segment::{
    AuditRow, AuditTable, Encoded, EventRow, EventTable, LogRow, LogTable, MetricRow, MetricTable,
    Segment, Table, TraceRow, TraceTable, encode,
};
use super::super::state::{LiveSegment, Shared, View};
use super::super::writer::{Command, Commit};
use crate::time::Timestamp;

/// How long a batch id is remembered across restarts.
const BATCH_IDS_KEPT: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// Moves the active generation to segments.
///
/// ORDER: freeze, write objects, then one catalog transaction that makes them live and moves the
/// checkpoint. Until then the frozen generation answers queries, after it the segments do.
pub(super) async fn run(store: &Store) -> Result<(), UpkeepError> {
    let shared = &store.shared;
    let crash = |name| shared.settings.crash_points.pass(name);
    let Some(frozen) = store.ask(Command::Rotate).await.map_err(UpkeepError::Commit)? else {
        return Ok(());
    };
    crash("flush::after_rotate");
    let checkpoint = frozen.last_lsn();
    let work = {
        let (shared, frozen) = (Arc::clone(shared), Arc::clone(&frozen));
        move || encode_all(&shared, &frozen)
    };
    let encoded = tokio::task::spawn_blocking(work).await;
    let encoded = encoded.map_err(|_gone| UpkeepError::Read(ReadError::Stopped))??;
    let mut change = SegmentChange {
        checkpoint: Some(checkpoint),
        batches: frozen.batches(),
        forget_batches_before: shared.clock.now().minus(BATCH_IDS_KEPT),
        series: frozen
            .first_at()
            .map_or_else(Vec::new, |since| shared.series.received_since(since)),
        streams: stream_times(shared, &frozen),
        ..SegmentChange::default()
    };
    let mut live = Vec::new();
    for (table, encoded) in encoded {
        let row = write(shared, (table, 0, checkpoint), shared.clock.now(), encoded).await?;
        crash("flush::after_object");
        let segment = segment(row.clone())?;
        let resident = (table == MetricTable::NAME).then(|| frozen.metric_head());
        live.push(LiveSegment { segment, resident });
        change.add.push(row);
    }
    let resident_bytes_max = shared.settings.resident_bytes_max;
    let publish = Box::new(move |view: &mut View| {
        view.frozen = None;
        let segments = view.segments.iter().cloned().chain(live).collect::<Vec<_>>();
        view.segments = within_budget(segments, resident_bytes_max).into();
    });
    let commit = |answer| Command::Commit(Box::new(Commit { change, publish, answer }));
    store.ask(commit).await.map_err(UpkeepError::Commit)?;
    add(&shared.counting.flushes, 1);
    // ORDER: the catalog is copied before the log is trimmed. Whichever of the two is damaged
    // later, the other holds what it lacks.
    copy_catalog(shared).await?;
    crash("flush::after_copy");
    let trim = |answer| Command::Trim(checkpoint, answer);
    store.ask(trim).await.map_err(UpkeepError::Commit)?;
    crash("flush::after_trim");
    Ok(())
}

/// Copies the catalog, so that a damaged one can be replaced.
pub(super) async fn copy_catalog(shared: &Shared) -> Result<(), UpkeepError> {
    let path = shared.folder.catalog();
    let copied = tokio::task::spawn_blocking(move || copy(&path)).await;
    let copied = copied.map_err(|_gone| UpkeepError::Read(ReadError::Stopped))?;
    copied.map_err(|source| UpkeepError::Read(ReadError::Catalog(source)))
}

/// Writes one segment object and answers its catalog row.
pub(super) async fn write(
    shared: &Shared,
    (table, level, lsn): (&str, u8, Lsn),
    created: Timestamp,
    encoded: Encoded,
) -> Result<SegmentRow, UpkeepError> {
    let path = super::sweep::new_path(table, level, lsn);
    let first = encoded.parts.iter().map(|part| part.first).min().unwrap_or_default();
    let last = encoded.parts.iter().map(|part| part.last).max().unwrap_or_default();
    let row = SegmentRow {
        table: table.to_owned(),
        level,
        first,
        last,
        rows: encoded.parts.iter().map(|part| part.rows).sum(),
        bytes: encoded.file.len() as u64,
        raw_bytes: encoded.raw_bytes,
        created,
        parts: Segment::encode_parts(&encoded.parts, &encoded.footer),
        footer: encoded.footer,
        path,
    };
    let written = shared.segments.create(&row.path, encoded.file).await;
    written.map_err(|source| UpkeepError::Segment { path: row.path.as_str().into(), source })?;
    Ok(row)
}

/// The live segment of a row that was just made.
pub(super) fn segment(row: SegmentRow) -> Result<Arc<Segment>, UpkeepError> {
    let path: Arc<str> = row.path.as_str().into();
    let damaged = |source| UpkeepError::Read(ReadError::Damaged { path, row_group: 0, source });
    Segment::new(row).map(Arc::new).map_err(damaged)
}

/// Lets go of the oldest metric data in memory until what stays is within the budget.
fn within_budget(mut segments: Vec<LiveSegment>, bytes_max: u64) -> Vec<LiveSegment> {
    let mut held = 0;
    for live in segments.iter_mut().rev() {
        let Some(head) = &live.resident else { continue };
        held += head.read().unwrap_or_else(std::sync::PoisonError::into_inner).memory();
        if held > bytes_max {
            live.resident = None;
        }
    }
    segments
}

fn stream_times(shared: &Shared, frozen: &Generation) -> Vec<StreamTimes> {
    let groups: Vec<u64> = frozen.logs().groups().map(|(group, _)| group).collect();
    let directory = shared.directory();
    let groups = groups.into_iter().filter_map(|id| directory.by_id(id));
    groups.flat_map(|(_, _, group)| group.streams.values().map(StreamTimes::from)).collect()
}

type EncodedTables = Vec<(&'static str, Encoded)>;

fn encode_all(shared: &Shared, frozen: &Generation) -> Result<EncodedTables, UpkeepError> {
    let mut encoded = Vec::new();
    push::<MetricTable>(&mut encoded, &metric_rows(frozen)?)?;
    push::<LogTable>(&mut encoded, &log_rows(shared, frozen))?;
    let traces = frozen.traces();
    let traces = traces.iter().map(|(key, segment)| {
        let segment = Arc::clone(segment);
        TraceRow { key: key.clone(), segment }
    });
    push::<TraceTable>(&mut encoded, &sorted::<TraceTable>(traces.collect()))?;
    let events = frozen.events();
    let events = events.iter().map(|(key, event)| {
        let event = Arc::clone(event);
        EventRow { key: key.clone(), event }
    });
    push::<EventTable>(&mut encoded, &sorted::<EventTable>(events.collect()))?;
    let audit = frozen.audit();
    let audit = audit.iter().map(|(key, record)| {
        let record = Arc::clone(record);
        AuditRow { key: key.clone(), record }
    });
    push::<AuditTable>(&mut encoded, &sorted::<AuditTable>(audit.collect()))?;
    Ok(encoded)
}

fn push<T: Table>(encoded: &mut EncodedTables, rows: &[T::Row]) -> Result<(), UpkeepError> {
    let segment = encode::<T>(rows).map_err(UpkeepError::Encode)?;
    encoded.extend(segment.map(|segment| (T::NAME, segment)));
    Ok(())
}

/// Rows in the order of a segment.
pub(super) fn sorted<T: Table>(mut rows: Vec<T::Row>) -> Vec<T::Row> {
    rows.sort_by_cached_key(|row| {
        let span = T::span(row);
        (span.key, span.first)
    });
    rows
}

fn metric_rows(frozen: &Generation) -> Result<Vec<MetricRow>, UpkeepError> {
    let damaged = |source: Fault| {
        UpkeepError::Read(ReadError::Damaged { path: "recent data".into(), row_group: 0, source })
    };
    let mut rows = Vec::new();
    for series in frozen.metrics().to_series().map_err(damaged)? {
        for chunk in series.chunks {
            let form = (series.unit, series.resolution_secs);
            let (scope, metric) = (series.entry.scope.clone(), series.entry.metric.clone());
            rows.push(MetricRow::new(scope, metric, form, chunk).map_err(damaged)?);
        }
    }
    Ok(sorted::<MetricTable>(rows))
}

/// Lines with their names. Those of a group or stream that was deleted meanwhile are left out.
fn log_rows(shared: &Shared, frozen: &Generation) -> Vec<LogRow> {
    let directory = shared.directory();
    let logs = frozen.logs();
    let mut groups: Vec<_> = logs.groups().collect();
    groups.sort_unstable_by_key(|(group, _)| *group);
    let mut rows = Vec::new();
    for (id, lines) in groups {
        let Some((scope, name, group)) = directory.by_id(id) else { continue };
        for (key, line) in lines {
            let Some(stream) = group.stream_names.get(&line.stream) else { continue };
            rows.push(LogRow {
                scope: scope.clone(),
                group_name: Arc::clone(name),
                stream_name: Arc::clone(stream),
                group: id,
                key: *key,
                line: line.clone(),
            });
        }
    }
    rows
}

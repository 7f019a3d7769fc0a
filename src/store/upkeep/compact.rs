use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::catalog::SegmentChange;
use super::super::codec::{Chunk, Fault, Point};
use super::super::counters::add;
use super::super::error::{ReadError, UpkeepError};
use super::super::handle::Store;
use super::super::lsn::Lsn;
use super::super::recent::disjoint;
use super::super::segment::{
    AuditTable, EventTable, LogTable, MetricRow, MetricTable, Segment, Table, TraceTable, encode,
};
use super::super::settings::Retention;
use super::super::state::{LiveSegment, Shared, View};
use super::super::writer::{Command, Commit};
use super::expire::{age_from, is_log_part_expired};
use super::flush::{segment, sorted, write};
use crate::telemetry::{MetricId, Scope, StandardUnit};
use crate::time::Timestamp;

/// So many segments of one level become one of the next.
const SEGMENTS_IN: usize = 8;
/// Segments together larger than this are not made into one: it is built in memory.
const RAW_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Levels end here: every byte is rewritten twice at most.
const LEVEL_MAX: u8 = 2;
/// Metric segments of this level and above were rolled up: to a minute, five minutes, an hour.
const LEVEL_MINUTE: u8 = 10;

/// Rewrites what is due: many small segments into one, old metric data by the minute and coarser,
/// log segments of which most can no longer be read.
pub(super) async fn run(store: &Store) -> Result<(), UpkeepError> {
    roll_up(store).await?;
    level_up::<MetricTable>(store, merge_metrics).await?;
    level_up::<LogTable>(store, keep_readable).await?;
    level_up::<TraceTable>(store, as_they_are).await?;
    level_up::<EventTable>(store, as_they_are).await?;
    level_up::<AuditTable>(store, as_they_are).await?;
    shrink_logs(store).await
}

/// What a rewrite does with the rows it read.
type Rewrite<T> = fn(&Shared, Vec<<T as Table>::Row>) -> Result<Vec<<T as Table>::Row>, Fault>;

/// The outcome of a rewrite always says that all rows were handled the same way.
fn as_they_are<R>(_shared: &Shared, rows: Vec<R>) -> Result<Vec<R>, Fault> {
    Ok(rows)
}

async fn level_up<T: Table>(store: &Store, rewrite: Rewrite<T>) -> Result<(), UpkeepError> {
    for level in 0..LEVEL_MAX {
        let view = store.shared.view();
        let is_here =
            |live: &&LiveSegment| live.segment.row.level == level && !live.segment.is_damaged();
        let mut inputs: Vec<Arc<Segment>> = Vec::new();
        let mut raw_bytes = 0;
        for live in view.of_table(T::NAME).filter(is_here) {
            if inputs.len() == SEGMENTS_IN || raw_bytes + live.segment.row.raw_bytes > RAW_BYTES_MAX
            {
                break;
            }
            raw_bytes += live.segment.row.raw_bytes;
            inputs.push(Arc::clone(&live.segment));
        }
        let at_level = view.of_table(T::NAME).filter(is_here);
        // A level that is full of large segments moves up as it is, one by one.
        let is_due =
            inputs.len() == SEGMENTS_IN || (at_level.count() >= SEGMENTS_IN && !inputs.is_empty());
        if is_due {
            rewrite_segments::<T>(store, inputs, level + 1, rewrite).await?;
        }
    }
    Ok(())
}

async fn roll_up(store: &Store) -> Result<(), UpkeepError> {
    let now = store.shared.clock.now();
    let retention = store.shared.settings.retention;
    for live in store.shared.view().of_table(MetricTable::NAME) {
        let due = tier_due(age_from(&live.segment), &retention, now);
        let is_due = |level: &u8| live.segment.row.level < *level && !live.segment.is_damaged();
        if let Some(level) = due.filter(is_due) {
            let inputs = vec![Arc::clone(&live.segment)];
            let rewrite: Rewrite<MetricTable> = match level {
                LEVEL_MINUTE => |_, rows| merge(rows, 60),
                11 => |_, rows| merge(rows, 300),
                _ => |_, rows| merge(rows, 3600),
            };
            rewrite_segments::<MetricTable>(store, inputs, level, rewrite).await?;
        }
    }
    Ok(())
}

fn tier_due(from: Timestamp, retention: &Retention, now: Timestamp) -> Option<u8> {
    let tiers = [
        (retention.metrics_by_second, LEVEL_MINUTE),
        (retention.metrics_by_minute, LEVEL_MINUTE + 1),
        (retention.metrics_by_five_minutes, LEVEL_MINUTE + 2),
    ];
    tiers.iter().rev().find(|(kept, _)| from < now.minus(*kept)).map(|(_, level)| *level)
}

/// Rewrites log segments of which at least half of the rows cannot be read any more.
async fn shrink_logs(store: &Store) -> Result<(), UpkeepError> {
    let now = store.shared.clock.now();
    for live in store.shared.view().of_table(LogTable::NAME) {
        let expired: u64 = {
            let directory = store.shared.directory();
            let parts = live.segment.parts.iter();
            let expired = parts.filter(|part| is_log_part_expired(part, &directory, now));
            expired.map(|part| part.rows).sum()
        };
        let is_due = expired > 0 && expired * 2 >= live.segment.row.rows;
        if is_due && !live.segment.is_damaged() {
            let (inputs, level) = (vec![Arc::clone(&live.segment)], live.segment.row.level);
            rewrite_segments::<LogTable>(store, inputs, level, keep_readable).await?;
        }
    }
    Ok(())
}

async fn rewrite_segments<T: Table>(
    store: &Store,
    inputs: Vec<Arc<Segment>>,
    level: u8,
    rewrite: Rewrite<T>,
) -> Result<(), UpkeepError> {
    let shared = &store.shared;
    let mut rows = Vec::new();
    for input in &inputs {
        for number in 0..input.parts.len() {
            rows.append(&mut input.read::<T>(&shared.segments, number).await?);
        }
    }
    let paths: Vec<String> = inputs.iter().map(|input| input.row.path.clone()).collect();
    let first_path: Arc<str> = paths.first().map_or("", String::as_str).into();
    let work = {
        let shared = Arc::clone(shared);
        move || {
            let damaged = |source| ReadError::Damaged { path: first_path, row_group: 0, source };
            let rows = sorted::<T>(rewrite(&shared, rows).map_err(damaged)?);
            encode::<T>(&rows).map_err(UpkeepError::Encode)
        }
    };
    let encoded = tokio::task::spawn_blocking(work).await;
    let encoded = encoded.map_err(|_gone| UpkeepError::Read(ReadError::Stopped))??;
    let created = inputs.iter().map(|input| input.row.created).max().unwrap_or_default();
    let removed_at = shared.clock.now();
    let mut change = SegmentChange { remove: paths, removed_at, ..SegmentChange::default() };
    let mut live = None;
    if let Some(encoded) = encoded {
        let row = write(shared, (T::NAME, level, Lsn::ZERO), created, encoded).await?;
        shared.settings.crash_points.pass("compact::after_object");
        live = Some(LiveSegment { segment: segment(row.clone())?, resident: None });
        change.add.push(row);
    }
    let gone = change.remove.clone();
    // The new segment stands where the first of the old ones stood: oldest first stays true.
    let publish = Box::new(move |view: &mut View| {
        let mut segments = Vec::with_capacity(view.segments.len());
        for old in view.segments.iter() {
            if gone.contains(&old.segment.row.path) {
                segments.extend(live.take());
            } else {
                segments.push(old.clone());
            }
        }
        view.segments = segments.into();
    });
    let commit = |answer| Command::Commit(Box::new(Commit { change, publish, answer }));
    store.ask(commit).await.map_err(UpkeepError::Commit)?;
    add(&shared.counting.segments_compacted, inputs.len() as u64);
    Ok(())
}

/// Lines that can still be read.
fn keep_readable(
    shared: &Shared,
    rows: Vec<<LogTable as Table>::Row>,
) -> Result<Vec<<LogTable as Table>::Row>, Fault> {
    let now = shared.clock.now();
    let directory = shared.directory();
    let is_readable = |row: &<LogTable as Table>::Row| {
        directory.by_id(row.group).is_some_and(|(_, _, group)| {
            row.key.at >= group.cutoff(now) && group.stream_names.contains_key(&row.line.stream)
        })
    };
    let mut rows = rows;
    rows.retain(is_readable);
    // Inputs overlap in time; rows of one group must come in the order of their keys.
    rows.sort_by_key(|row| (row.group, row.key));
    Ok(rows)
}

fn merge_metrics(_shared: &Shared, rows: Vec<MetricRow>) -> Result<Vec<MetricRow>, Fault> {
    merge(rows, 1)
}

/// Adds up the chunks of each series, in buckets of at least `resolution_min` seconds.
fn merge(rows: Vec<MetricRow>, resolution_min: u32) -> Result<Vec<MetricRow>, Fault> {
    let mut series: BTreeMap<(Scope, MetricId, StandardUnit, u32), Vec<Chunk>> = BTreeMap::new();
    for row in rows {
        let resolution = row.resolution_secs.max(resolution_min);
        let chunk = if row.resolution_secs < resolution {
            coarser(&row.chunk, i64::from(resolution))?
        } else {
            row.chunk
        };
        series.entry((row.scope, row.metric, row.unit, resolution)).or_default().push(chunk);
    }
    let mut merged = Vec::new();
    for ((scope, metric, unit, resolution), chunks) in series {
        for chunk in disjoint(chunks)? {
            let form = (unit, resolution);
            merged.push(MetricRow::new(scope.clone(), metric.clone(), form, chunk)?);
        }
    }
    Ok(merged)
}

fn coarser(chunk: &Chunk, width: i64) -> Result<Chunk, Fault> {
    let mut points: Vec<(i64, Point)> = Vec::new();
    for (start, point) in chunk.decode()? {
        let start = start.div_euclid(width).saturating_mul(width);
        match points.last_mut() {
            Some((last, sum)) if *last == start => {
                let mut summary = sum.to_summary();
                summary.merge(&point.to_summary());
                *sum = Point::of(summary);
            }
            _ => points.push((start, point)),
        }
    }
    Chunk::encode(&points).ok_or(Fault::Value)
}

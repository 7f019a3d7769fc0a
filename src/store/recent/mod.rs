//! Recent data: what was appended and is in no segment yet.
//!
//! Main type: [`Generation`], filled by the writer thread and read by everyone. A flush takes a
//! whole generation; the next one is begun before. How it became durable is not known here.

mod metrics;
mod ordered;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::codec::{Record, Sample};
use super::directory::Directory;
use super::lsn::{Arrival, Lsn};
use super::series::SeriesIndex;
use crate::telemetry::{BatchId, Scope};
use crate::time::Timestamp;
pub(super) use metrics::{MetricHead, disjoint};
pub(super) use ordered::{AuditKey, EventKey, LogKey, LogLine, LogTail, Ordered, TraceKey};

/// Everything that was appended between two flushes.
#[derive(Debug, Default)]
pub(super) struct Generation {
    metrics: Arc<RwLock<MetricHead>>,
    logs: RwLock<LogTail>,
    traces: RwLock<Ordered<TraceKey, crate::telemetry::TraceSegment>>,
    events: RwLock<Ordered<EventKey, crate::telemetry::Event>>,
    audit: RwLock<Ordered<AuditKey, crate::telemetry::AuditRecord>>,
    batches: RwLock<Vec<(Scope, BatchId, Lsn, Timestamp)>>,
    bytes: AtomicU64,
    samples: AtomicU64,
    last_lsn: AtomicU64,
    first_at: AtomicI64,
}

impl Generation {
    pub(super) fn new() -> Self {
        Self { first_at: AtomicI64::new(i64::MAX), ..Self::default() }
    }

    /// Makes a batch visible. Its log groups and streams are in `directory` already; lines of a
    /// group that is no longer there are dropped with it.
    pub(super) fn apply(
        &self,
        (lsn, bytes): (Lsn, usize),
        record: &Record,
        directory: &mut Directory,
        series: &SeriesIndex,
    ) {
        let (at, batch) = (record.at, &record.batch);
        let scope = &batch.scope;
        let arrival =
            |ordinal: usize| Arrival { lsn, ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX) };
        if !record.samples.is_empty() {
            let samples = write(&self.metrics).append(&record.samples, at, series);
            self.samples.fetch_add(samples, Ordering::Relaxed);
        }
        if !batch.logs.is_empty() {
            let mut tail = write(&self.logs);
            let mut ordinal = 0;
            for lines in &batch.logs {
                let place = directory.received(scope, lines, lsn, at);
                for event in &lines.events {
                    if let Some((group, stream)) = place {
                        let key = LogKey { at: event.timestamp, arrival: arrival(ordinal) };
                        tail.insert(group, key, LogLine::new(stream, at, &event.message));
                    }
                    ordinal += 1;
                }
            }
        }
        if !batch.traces.is_empty() {
            let rows = batch.traces.iter().enumerate().map(|(n, segment)| {
                (
                    TraceKey { scope: scope.clone(), trace: segment.trace_id, arrival: arrival(n) },
                    segment,
                )
            });
            write(&self.traces).extend(rows);
        }
        if !batch.events.is_empty() {
            let rows = batch.events.iter().enumerate().map(|(n, event)| {
                let (scope, bus) = (scope.clone(), Arc::clone(&event.bus));
                (EventKey { scope, bus, at: event.time, arrival: arrival(n) }, event)
            });
            write(&self.events).extend(rows);
        }
        if !batch.audit.is_empty() {
            let rows = batch.audit.iter().enumerate().map(|(n, record)| {
                (
                    AuditKey { scope: scope.clone(), at: record.event_time, arrival: arrival(n) },
                    record,
                )
            });
            write(&self.audit).extend(rows);
        }
        if let Some(id) = batch.id {
            write(&self.batches).push((scope.clone(), id, lsn, at));
        }
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.first_at.fetch_min(at.as_millis(), Ordering::Relaxed);
        self.last_lsn.fetch_max(lsn.get(), Ordering::Relaxed);
    }

    /// Takes samples of a record that was applied without them.
    pub(super) fn add_samples(&self, samples: &[Sample], at: Timestamp, series: &SeriesIndex) {
        let samples = write(&self.metrics).append(samples, at, series);
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.first_at.fetch_min(at.as_millis(), Ordering::Relaxed);
    }

    /// Notes a record that carries no telemetry, so that a flush covers it.
    pub(super) fn pass(&self, lsn: Lsn) {
        self.last_lsn.fetch_max(lsn.get(), Ordering::Relaxed);
    }

    /// Forgets the lines of a deleted group or stream.
    pub(super) fn forget_logs(&self, group: u64, stream: Option<u64>) {
        write(&self.logs).forget(group, stream);
    }

    pub(super) fn metrics(&self) -> RwLockReadGuard<'_, MetricHead> {
        read(&self.metrics)
    }

    /// The metric data alone, to stay in memory after a flush.
    pub(super) fn metric_head(&self) -> Arc<RwLock<MetricHead>> {
        Arc::clone(&self.metrics)
    }

    pub(super) fn logs(&self) -> RwLockReadGuard<'_, LogTail> {
        read(&self.logs)
    }

    pub(super) fn traces(
        &self,
    ) -> RwLockReadGuard<'_, Ordered<TraceKey, crate::telemetry::TraceSegment>> {
        read(&self.traces)
    }

    pub(super) fn events(&self) -> RwLockReadGuard<'_, Ordered<EventKey, crate::telemetry::Event>> {
        read(&self.events)
    }

    pub(super) fn audit(
        &self,
    ) -> RwLockReadGuard<'_, Ordered<AuditKey, crate::telemetry::AuditRecord>> {
        read(&self.audit)
    }

    pub(super) fn batches(&self) -> Vec<(Scope, BatchId, Lsn, Timestamp)> {
        read(&self.batches).clone()
    }

    /// Encoded bytes of what is in it.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Metric samples in it.
    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// The last batch in it; zero when none is.
    pub(super) fn last_lsn(&self) -> Lsn {
        Lsn::new(self.last_lsn.load(Ordering::Relaxed))
    }

    /// When the first telemetry in it was received.
    pub(super) fn first_at(&self) -> Option<Timestamp> {
        let first = self.first_at.load(Ordering::Relaxed);
        (first != i64::MAX).then(|| Timestamp::from_millis(first))
    }
}

// A writer that panics is surfaced by its owner; what it had finished stays readable.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::error::ReadError;
use super::super::handle::Store;
use super::super::lsn::Arrival;
use super::super::recent::TraceKey;
use super::super::segment::{Key, TraceTable, trace_key};
use super::rows;
use crate::telemetry::{Scope, TraceId, TraceSegment};
use crate::time::{TimeRange, Timestamp};

/// Traces of the store.
#[derive(Clone, Copy, Debug)]
pub struct Traces<'a>(pub(in crate::store) &'a Store);

/// One trace: the last document of each segment, by start.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Its segments and independently sent subsegments.
    pub segments: Vec<Arc<TraceSegment>>,
}

/// What a list of traces shows of one.
///
/// Source: X-Ray API Reference, `TraceSummary`; annotations and services are read from `segments`.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// Its id.
    pub id: TraceId,
    /// Start of the earliest segment, epoch seconds.
    pub start_time: f64,
    /// From the earliest start to the latest end, seconds.
    pub duration: f64,
    /// Of the root segment, seconds; `None` while it is in progress or absent.
    pub response_time: Option<f64>,
    /// A segment ended with a server fault.
    pub has_fault: bool,
    /// A segment ended with a client error.
    pub has_error: bool,
    /// A segment was throttled.
    pub has_throttle: bool,
    /// A segment is still in progress.
    pub is_partial: bool,
    /// The segments, by start.
    pub segments: Vec<Arc<TraceSegment>>,
}

impl Traces<'_> {
    /// The traces of these ids; those of which nothing came are left out.
    ///
    /// Errors: `Damaged` when a segment fails its checksum; no partial answer is given.
    /// Cancel safety: yes; reads only.
    pub async fn get(self, scope: &Scope, ids: &[TraceId]) -> Result<Vec<Trace>, ReadError> {
        let mut traces = Vec::with_capacity(ids.len());
        for id in ids {
            let mut found = Assembly::default();
            let (shared, view) = (&self.0.shared, self.0.shared.view());
            for generation in view.generations() {
                let (start, end) = (Arrival::default(), Arrival::LAST);
                let key = |arrival| TraceKey { scope: scope.clone(), trace: *id, arrival };
                let recent = generation.traces();
                for (key, segment) in recent.range(key(start)..=key(end)) {
                    found.add(key.arrival, segment);
                }
            }
            let key = trace_key(scope, *id);
            rows::<TraceTable>(
                shared,
                &view,
                &key,
                |_| true,
                |row| {
                    if row.key.trace == *id && row.key.scope == *scope {
                        found.add(row.key.arrival, &row.segment);
                    }
                },
            )
            .await?;
            let segments = found.finish();
            if !segments.is_empty() {
                traces.push(Trace { id: *id, segments });
            }
        }
        Ok(traces)
    }

    /// Traces with a segment that started in `range`, newest first, whole.
    ///
    /// Errors: `Damaged` when a segment fails its checksum; no partial answer is given.
    /// Cancel safety: yes; reads only.
    pub async fn summaries(
        self,
        scope: &Scope,
        range: TimeRange,
    ) -> Result<Vec<TraceSummary>, ReadError> {
        // BOUND: a trace whose segments start further apart than this is summarized in part.
        const SPREAD: std::time::Duration = std::time::Duration::from_secs(6 * 3600);
        let (from, to) = (range.start.minus(SPREAD), range.end.plus(SPREAD));
        let (shared, view) = (&self.0.shared, self.0.shared.view());
        let mut found: BTreeMap<TraceId, Assembly> = BTreeMap::new();
        for generation in view.generations() {
            for (key, segment) in generation.traces().iter() {
                if key.scope == *scope {
                    found.entry(key.trace).or_default().add(key.arrival, segment);
                }
            }
        }
        let key = Key::of_scope(scope);
        rows::<TraceTable>(
            shared,
            &view,
            &key,
            |part| part.may_touch(from, to),
            |row| {
                if row.key.scope == *scope {
                    found.entry(row.key.trace).or_default().add(row.key.arrival, &row.segment);
                }
            },
        )
        .await?;
        let starts_inside = |segment: &Arc<TraceSegment>| {
            range.contains(Timestamp::from_secs_f64(segment.start_time))
        };
        let mut summaries: Vec<TraceSummary> = found
            .into_iter()
            .map(|(id, assembly)| (id, assembly.finish()))
            .filter(|(_, segments)| segments.iter().any(starts_inside))
            .map(|(id, segments)| summary(id, segments))
            .collect();
        summaries.sort_by(|a, b| b.start_time.total_cmp(&a.start_time));
        Ok(summaries)
    }
}

/// The last document of each segment: one in progress is sent again when it ends.
#[derive(Default)]
struct Assembly(BTreeMap<Arc<str>, (bool, Arrival, Arc<TraceSegment>)>);

impl Assembly {
    fn add(&mut self, arrival: Arrival, segment: &Arc<TraceSegment>) {
        // An ended one beats one in progress that was overtaken on its way.
        let rank = (segment.end_time.is_some(), arrival);
        let is_newer = self.0.get(&segment.id).is_none_or(|(ended, at, _)| (*ended, *at) < rank);
        if is_newer {
            self.0.insert(Arc::clone(&segment.id), (rank.0, rank.1, Arc::clone(segment)));
        }
    }

    fn finish(self) -> Vec<Arc<TraceSegment>> {
        let mut segments: Vec<_> = self.0.into_values().map(|(_, _, segment)| segment).collect();
        segments.sort_by(|a, b| a.start_time.total_cmp(&b.start_time));
        segments
    }
}

fn summary(id: TraceId, segments: Vec<Arc<TraceSegment>>) -> TraceSummary {
    let documents: Vec<Value> = segments
        .iter()
        .map(|segment| serde_json::from_str(&segment.document).unwrap_or_default())
        .collect();
    let has =
        |flag: &str| documents.iter().any(|document| document.get(flag) == Some(&true.into()));
    let start_time = segments.iter().map(|s| s.start_time).fold(f64::INFINITY, f64::min);
    let end = segments.iter().filter_map(|s| s.end_time).fold(start_time, f64::max);
    let is_root = |document: &Value| document.get("parent_id").is_none();
    let root = segments.iter().zip(&documents).find(|(_, document)| is_root(document));
    TraceSummary {
        id,
        start_time,
        duration: end - start_time,
        response_time: root.and_then(|(root, _)| Some(root.end_time? - root.start_time)),
        has_fault: has("fault"),
        has_error: has("error"),
        has_throttle: has("throttle"),
        is_partial: segments.iter().any(|segment| segment.end_time.is_none()),
        segments,
    }
}

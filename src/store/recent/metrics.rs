use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::query::statistic::Summary;
use crate::store::codec::{Chunk, Fault, Point};
use crate::store::series::{SeriesEntry, SeriesIndex};
use crate::telemetry::{
    MetricBatch, MetricDatum, MetricId, MetricValue, Scope, StandardUnit, StorageResolution,
};
use crate::time::Timestamp;

/// An open buffer is sealed into a chunk at this many samples.
const SEAL_AT: usize = 120;

/// Recent metric data by series: open buffers, and the chunks they were sealed into.
#[derive(Debug, Default)]
pub(in crate::store) struct MetricHead {
    series: HashMap<(Scope, MetricId), Series, Xxh3DefaultBuilder>,
}

#[derive(Debug)]
struct Series {
    entry: Arc<SeriesEntry>,
    buffers: Vec<Buffer>,
}

/// One unit and resolution of a series.
#[derive(Debug)]
struct Buffer {
    unit: StandardUnit,
    resolution_secs: u32,
    samples: Vec<(i64, f64)>,
    summaries: Vec<(i64, Summary)>,
    sealed: Vec<Chunk>,
}

/// The chunks of one unit and resolution of one series.
#[derive(Clone, Debug)]
pub(in crate::store) struct StoredSeries {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) metric: MetricId,
    pub(in crate::store) unit: StandardUnit,
    pub(in crate::store) resolution_secs: u32,
    pub(in crate::store) chunks: Vec<Chunk>,
}

impl MetricHead {
    /// Takes the data of a batch; answers how many samples they were.
    pub(super) fn append(
        &mut self,
        scope: &Scope,
        batches: &[MetricBatch],
        received: Timestamp,
        index: &SeriesIndex,
    ) -> u64 {
        let mut samples = 0;
        for batch in batches {
            for datum in &batch.data {
                let id = MetricId {
                    namespace: Arc::clone(&batch.namespace),
                    metric_name: Arc::clone(&datum.metric_name),
                    dimensions: datum.dimensions.clone(),
                };
                let series = self.series.entry((scope.clone(), id)).or_insert_with_key(|key| {
                    Series { entry: index.entry(key), buffers: Vec::new() }
                });
                series.entry.seen(datum.timestamp, received);
                series.append(datum);
                samples += 1;
            }
        }
        samples
    }

    /// Hands every point of a series to `visit`: unit, resolution, start in seconds, point.
    pub(in crate::store) fn visit(
        &self,
        key: &(Scope, MetricId),
        secs: std::ops::Range<i64>,
        visit: &mut impl FnMut(StandardUnit, u32, i64, &Point),
    ) -> Result<(), Fault> {
        let Some(series) = self.series.get(key) else { return Ok(()) };
        for buffer in &series.buffers {
            let (unit, resolution) = (buffer.unit, buffer.resolution_secs);
            for chunk in &buffer.sealed {
                if chunk.first_secs >= secs.end || chunk.last_secs < secs.start {
                    continue;
                }
                for (start, point) in chunk.decode()? {
                    if secs.contains(&start) {
                        visit(unit, resolution, start, &point);
                    }
                }
            }
            for (start, value) in &buffer.samples {
                if secs.contains(start) {
                    visit(unit, resolution, *start, &Point::Sample(*value));
                }
            }
            for (start, summary) in &buffer.summaries {
                if secs.contains(start) {
                    visit(unit, resolution, *start, &Point::of(summary.clone()));
                }
            }
        }
        Ok(())
    }

    /// About how many bytes it takes in memory.
    pub(in crate::store) fn memory(&self) -> u64 {
        const PER_SERIES: usize = 256;
        const PER_CHUNK: usize = 48;
        let buffer = |buffer: &Buffer| {
            let open = buffer.samples.capacity() * 16 + buffer.summaries.len() * 128;
            open + buffer.sealed.iter().map(|chunk| chunk.bytes.len() + PER_CHUNK).sum::<usize>()
        };
        let series =
            |series: &Series| PER_SERIES + series.buffers.iter().map(buffer).sum::<usize>();
        self.series.values().map(series).sum::<usize>() as u64
    }

    /// Every series with all its data in chunks that do not overlap.
    pub(in crate::store) fn to_series(&self) -> Result<Vec<StoredSeries>, Fault> {
        let mut stored = Vec::new();
        for ((scope, metric), series) in &self.series {
            for buffer in &series.buffers {
                stored.push(StoredSeries {
                    scope: scope.clone(),
                    metric: metric.clone(),
                    unit: buffer.unit,
                    resolution_secs: buffer.resolution_secs,
                    chunks: buffer.to_chunks()?,
                });
            }
        }
        Ok(stored)
    }
}

impl Series {
    fn append(&mut self, datum: &MetricDatum) {
        let resolution_secs = match datum.storage_resolution {
            StorageResolution::High => 1,
            StorageResolution::Standard => 60,
        };
        let is_same = |buffer: &&mut Buffer| {
            buffer.unit == datum.unit && buffer.resolution_secs == resolution_secs
        };
        let at = datum.timestamp.as_secs();
        let start =
            at.div_euclid(i64::from(resolution_secs)).saturating_mul(resolution_secs.into());
        match self.buffers.iter_mut().find(is_same) {
            Some(buffer) => buffer.append(start, &datum.value),
            None => {
                let mut buffer = Buffer::new(datum.unit, resolution_secs);
                buffer.append(start, &datum.value);
                self.buffers.push(buffer);
            }
        }
    }
}

impl Buffer {
    fn new(unit: StandardUnit, resolution_secs: u32) -> Self {
        Self {
            unit,
            resolution_secs,
            samples: Vec::new(),
            summaries: Vec::new(),
            sealed: Vec::new(),
        }
    }

    fn append(&mut self, start: i64, value: &MetricValue) {
        match value {
            MetricValue::Value(value) => self.samples.push((start, *value)),
            // A datum without samples changes nothing.
            _ => self.summaries.extend(Summary::of(value).map(|summary| (start, summary))),
        }
        if self.samples.len() + self.summaries.len() >= SEAL_AT {
            let points = points(&self.samples, &self.summaries);
            self.sealed.extend(Chunk::encode(&points));
            self.samples.clear();
            self.summaries.clear();
        }
    }

    fn to_chunks(&self) -> Result<Vec<Chunk>, Fault> {
        let mut chunks = self.sealed.clone();
        chunks.extend(Chunk::encode(&points(&self.samples, &self.summaries)));
        disjoint(chunks)
    }
}

/// Sorts chunks by time; those that overlap are decoded and added up.
pub(in crate::store) fn disjoint(mut chunks: Vec<Chunk>) -> Result<Vec<Chunk>, Fault> {
    /// Merged chunks are cut again at this many points.
    const POINTS_MAX: usize = 1000;
    chunks.sort_by_key(|chunk| chunk.first_secs);
    let apart = chunks.iter().zip(chunks.iter().skip(1)).all(|(a, b)| a.last_secs < b.first_secs);
    if apart && chunks.iter().all(|chunk| chunk.points > POINTS_MAX / 2) {
        return Ok(chunks);
    }
    let mut merged: BTreeMap<i64, Point> = BTreeMap::new();
    for chunk in &chunks {
        for (start, point) in chunk.decode()? {
            add(&mut merged, start, point);
        }
    }
    let points: Vec<(i64, Point)> = merged.into_iter().collect();
    Ok(points.chunks(POINTS_MAX).filter_map(Chunk::encode).collect())
}

fn add(points: &mut BTreeMap<i64, Point>, start: i64, point: Point) {
    match points.entry(start) {
        std::collections::btree_map::Entry::Vacant(vacant) => {
            vacant.insert(point);
        }
        std::collections::btree_map::Entry::Occupied(mut occupied) => {
            // CloudWatch adds what comes twice for one instant; it does not overwrite.
            let mut sum = occupied.get().to_summary();
            sum.merge(&point.to_summary());
            occupied.insert(Point::of(sum));
        }
    }
}

/// Buckets, by start, each once.
fn points(samples: &[(i64, f64)], summaries: &[(i64, Summary)]) -> Vec<(i64, Point)> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|(start, _)| *start);
    let mut points: BTreeMap<i64, Point> = BTreeMap::new();
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let Some((start, value)) = same.first() else { continue };
        let point = if same.len() == 1 {
            Point::Sample(*value)
        } else {
            let pairs = same.iter().map(|(_, value)| (*value, 1.0)).collect();
            match Summary::of(&MetricValue::Distribution(pairs)) {
                Some(summary) => Point::of(summary),
                None => continue,
            }
        };
        points.insert(*start, point);
    }
    for (start, summary) in summaries {
        add(&mut points, *start, Point::of(summary.clone()));
    }
    points.into_iter().collect()
}

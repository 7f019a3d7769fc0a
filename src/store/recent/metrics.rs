use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::query::statistic::Summary;
use crate::store::codec::{Chunk, Fault, Point, Sample, SeriesNumber};
use crate::store::series::{SeriesEntry, SeriesIndex};
use crate::telemetry::{MetricValue, StandardUnit, StorageResolution};
use crate::time::Timestamp;

/// An open buffer is sealed into a chunk at this many samples.
const SEAL_AT: usize = 120;
/// Chunks of segments are cut at this many points.
const POINTS_MAX: usize = 1000;

/// Recent metric data by series: open buffers, and the chunks they were sealed into.
#[derive(Debug, Default)]
pub(in crate::store) struct MetricHead {
    /// One more than the place of a number in `series`; zero where there is none.
    places: Vec<u32>,
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    entry: Arc<SeriesEntry>,
    /// Nearly every metric has one unit and resolution.
    first: Buffer,
    others: Vec<Buffer>,
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
    pub(in crate::store) entry: Arc<SeriesEntry>,
    pub(in crate::store) unit: StandardUnit,
    pub(in crate::store) resolution_secs: u32,
    pub(in crate::store) chunks: Vec<Chunk>,
}

impl MetricHead {
    /// Takes samples; answers how many there were whose metric is known.
    pub(super) fn append(
        &mut self,
        samples: &[Sample],
        received: Timestamp,
        index: &SeriesIndex,
    ) -> u64 {
        let mut taken = 0;
        for sample in samples {
            let Some(place) = self.place(sample, index) else {
                // Only after damage: the record that named the metric is lost, and so is this.
                let number = sample.series;
                tracing::error!(?number, "a sample's metric is not known; the sample is lost");
                continue;
            };
            let Some(series) = self.series.get_mut(place) else { continue };
            series.entry.seen(sample.at, received);
            series.append(sample);
            taken += 1;
        }
        taken
    }

    /// Where a sample's series stands, made when it is new here.
    fn place(&mut self, sample: &Sample, index: &SeriesIndex) -> Option<usize> {
        let SeriesNumber(number) = sample.series;
        let number = usize::try_from(number).ok()?;
        if let Some(place) = self.places.get(number).and_then(|place| place.checked_sub(1)) {
            return usize::try_from(place).ok();
        }
        let entry = index.entry(sample.series)?;
        let place = self.series.len();
        if self.places.len() <= number {
            self.places.resize(number + 1, 0);
        }
        *self.places.get_mut(number)? = u32::try_from(place + 1).ok()?;
        let first = Buffer::new(sample.unit, resolution_secs(sample.resolution));
        self.series.push(Series { entry, first, others: Vec::new() });
        Some(place)
    }

    fn find(&self, SeriesNumber(number): SeriesNumber) -> Option<&Series> {
        let place = self.places.get(usize::try_from(number).ok()?)?.checked_sub(1)?;
        self.series.get(usize::try_from(place).ok()?)
    }

    /// Hands every point of a series to `visit`: unit, resolution, start in seconds, point.
    pub(in crate::store) fn visit(
        &self,
        number: Option<SeriesNumber>,
        secs: std::ops::Range<i64>,
        visit: &mut impl FnMut(StandardUnit, u32, i64, &Point),
    ) -> Result<(), Fault> {
        let Some(series) = number.and_then(|number| self.find(number)) else { return Ok(()) };
        for buffer in series.buffers() {
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
        let series = |series: &Series| PER_SERIES + series.buffers().map(buffer).sum::<usize>();
        (self.places.len() * 4 + self.series.iter().map(series).sum::<usize>()) as u64
    }

    /// Every series with all its data in chunks that do not overlap, in the order of metrics.
    pub(in crate::store) fn to_series(&self) -> Result<Vec<StoredSeries>, Fault> {
        let mut ordered: Vec<&Series> = self.series.iter().collect();
        let key = |series: &Series| (series.entry.scope.clone(), series.entry.metric.clone());
        ordered.sort_by_cached_key(|series| key(series));
        let mut stored = Vec::with_capacity(ordered.len());
        for series in ordered {
            for buffer in series.buffers() {
                stored.push(StoredSeries {
                    entry: Arc::clone(&series.entry),
                    unit: buffer.unit,
                    resolution_secs: buffer.resolution_secs,
                    chunks: buffer.to_chunks()?,
                });
            }
        }
        Ok(stored)
    }
}

const fn resolution_secs(resolution: StorageResolution) -> u32 {
    match resolution {
        StorageResolution::High => 1,
        StorageResolution::Standard => 60,
    }
}

impl Series {
    fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn append(&mut self, sample: &Sample) {
        let secs = resolution_secs(sample.resolution);
        let at = sample.at.as_secs();
        let start = at.div_euclid(i64::from(secs)).saturating_mul(secs.into());
        self.buffer(sample.unit, secs).append(start, &sample.value);
    }

    fn buffer(&mut self, unit: StandardUnit, resolution_secs: u32) -> &mut Buffer {
        let is_same =
            |buffer: &Buffer| buffer.unit == unit && buffer.resolution_secs == resolution_secs;
        if is_same(&self.first) {
            return &mut self.first;
        }
        let place = self.others.iter().position(is_same).unwrap_or(self.others.len());
        if place == self.others.len() {
            self.others.push(Buffer::new(unit, resolution_secs));
        }
        self.others.get_mut(place).unwrap_or(&mut self.first)
    }
}

impl Buffer {
    fn new(unit: StandardUnit, resolution_secs: u32) -> Self {
        let (samples, summaries, sealed) = (Vec::new(), Vec::new(), Vec::new());
        Self { unit, resolution_secs, samples, summaries, sealed }
    }

    fn append(&mut self, start: i64, value: &MetricValue) {
        match value {
            MetricValue::Value(value) => self.samples.push((start, *value)),
            // A datum without samples changes nothing.
            _ => self.summaries.extend(Summary::of(value).map(|summary| (start, summary))),
        }
        if self.samples.len() + self.summaries.len() >= SEAL_AT {
            self.sealed.extend(self.open_chunk());
            self.samples.clear();
            self.summaries.clear();
        }
    }

    /// What is in the open buffer as a chunk.
    fn open_chunk(&self) -> Option<Chunk> {
        // Most series come in order, one sample an instant.
        if self.summaries.is_empty() && rise(&self.samples) {
            return Chunk::of_samples(&self.samples);
        }
        Chunk::encode(&points(&self.samples, &self.summaries))
    }

    fn to_chunks(&self) -> Result<Vec<Chunk>, Fault> {
        let mut chunks = self.sealed.clone();
        chunks.extend(self.open_chunk());
        disjoint(chunks)
    }
}

fn rise(samples: &[(i64, f64)]) -> bool {
    samples.is_sorted_by(|a, b| a.0 < b.0)
}

/// Sorts chunks by time; those that overlap are decoded and added up.
pub(in crate::store) fn disjoint(mut chunks: Vec<Chunk>) -> Result<Vec<Chunk>, Fault> {
    chunks.sort_by_key(|chunk| chunk.first_secs);
    if chunks.is_sorted_by(|a, b| a.last_secs < b.first_secs) {
        return joined(chunks);
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

/// Makes few large chunks of chunks that follow each other.
fn joined(chunks: Vec<Chunk>) -> Result<Vec<Chunk>, Fault> {
    if chunks.len() < 2 || chunks.iter().all(|chunk| chunk.points > POINTS_MAX / 2) {
        return Ok(chunks);
    }
    let mut samples = Vec::with_capacity(chunks.iter().map(|chunk| chunk.points).sum());
    for chunk in &chunks {
        if !chunk.decode_samples(&mut samples)? {
            let mut points = Vec::new();
            for chunk in &chunks {
                points.append(&mut chunk.decode()?);
            }
            return Ok(points.chunks(POINTS_MAX).filter_map(Chunk::encode).collect());
        }
    }
    Ok(samples.chunks(POINTS_MAX).filter_map(Chunk::of_samples).collect())
}

fn add(points: &mut BTreeMap<i64, Point>, start: i64, point: Point) {
    match points.entry(start) {
        Entry::Vacant(vacant) => {
            vacant.insert(point);
        }
        Entry::Occupied(mut occupied) => {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a chunk holds by the plain way: every point on its own.
    fn plainly(chunks: &[Chunk]) -> Vec<(i64, Point)> {
        let mut merged = BTreeMap::new();
        for chunk in chunks {
            for (start, point) in chunk.decode().unwrap() {
                add(&mut merged, start, point);
            }
        }
        merged.into_iter().collect()
    }

    fn series() -> impl Strategy<Value = Vec<(i64, MetricValue)>> {
        let value = prop_oneof![
            9 => (-500i32..500).prop_map(|v| MetricValue::Value(f64::from(v) / 10.0)),
            1 => any::<i32>().prop_map(|v| MetricValue::Value(f64::from(v).sqrt().abs())),
            1 => (1i32..9).prop_map(|v| MetricValue::Distribution(vec![(f64::from(v), 2.0)])),
        ];
        // Steps are mostly forward and regular, as senders are; some stand still or go back.
        let step = prop_oneof![20 => Just(10i64), 2 => -40i64..90];
        let ordered = proptest::collection::vec((step, value), 0..1500);
        ordered.prop_map(|steps| {
            let mut at = 1_000;
            let stepped = |(step, value)| {
                at += step;
                (at, value)
            };
            steps.into_iter().map(stepped).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn buffers_give_what_the_plain_way_gives(
            data in series(), numbers in proptest::collection::vec(0..2i32, 1),
        ) {
            let only_samples = numbers == [0];
            let mut buffer = Buffer::new(StandardUnit::None, 1);
            let (mut samples, mut summaries) = (Vec::new(), Vec::new());
            for (at, value) in &data {
                match value {
                    MetricValue::Value(value) => samples.push((*at, *value)),
                    _ if only_samples => continue,
                    other => summaries.push((*at, Summary::of(other).unwrap())),
                }
                buffer.append(*at, value);
            }
            let chunks = buffer.to_chunks().unwrap();
            let apart = chunks.is_sorted_by(|a, b| a.last_secs < b.first_secs);
            prop_assert!(apart, "chunks overlap");
            let by_start = |points: &[(i64, Point)]| -> Vec<(i64, f64, i64)> {
                #[expect(clippy::cast_possible_truncation, reason = "a rounded sum")]
                let rounded = |summary: &Summary| (summary.sum * 1e3).round() as i64;
                points
                    .iter()
                    .map(|(start, point)| (*start, point.to_summary()))
                    .map(|(start, summary)| (start, summary.sample_count, rounded(&summary)))
                    .collect()
            };
            let expected: Vec<Chunk> =
                Chunk::encode(&points(&samples, &summaries)).into_iter().collect();
            prop_assert_eq!(by_start(&plainly(&chunks)), by_start(&plainly(&expected)));
        }
    }
}

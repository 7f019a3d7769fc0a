use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, PoisonError};

use super::super::codec::{Fault, Point};
use super::super::error::ReadError;
use super::super::handle::Store;
use super::super::segment::{MetricRow, MetricTable, Table, metric_key};
use super::super::series::MetricFilter;
use super::super::state::LiveSegment;
use crate::query::statistic::Summary;
use crate::telemetry::{MetricId, MetricValue, Scope, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

/// Metric data and names of the store.
#[derive(Clone, Copy, Debug)]
pub struct Metrics<'a>(pub(in crate::store) &'a Store);

/// The samples of one unit that fell into one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Start of the period.
    pub start: Timestamp,
    /// The samples' unit.
    pub unit: StandardUnit,
    /// The samples.
    pub summary: Summary,
}

impl Metrics<'_> {
    /// Metrics that match, by namespace, name and dimensions; those after `after`.
    pub fn list(
        self,
        scope: &Scope,
        filter: &MetricFilter,
        after: Option<&MetricId>,
        limit: usize,
    ) -> Vec<MetricId> {
        self.0.shared.series.list(scope, filter, after, limit)
    }

    /// Reads one metric, of one unit or of each unit by itself.
    ///
    /// Shape: buckets that hold samples, by start, then by unit. Periods are counted from
    /// `range.start`, so a caller that wants them aligned gives an aligned start.
    /// Data coarser than `period` is not given: it cannot be told apart so finely.
    /// Errors: `Damaged` when a segment fails its checksum; no partial answer is given.
    /// Cancel safety: yes; reads only.
    /// Source: CloudWatch API Reference, `GetMetricStatistics`.
    pub async fn read(
        self,
        scope: &Scope,
        metric: &MetricId,
        range: TimeRange,
        (period, unit): (Period, Option<StandardUnit>),
    ) -> Result<Vec<Bucket>, ReadError> {
        let mut buckets = Buckets::new(range, period, unit);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let shared = &self.0.shared;
        let view = shared.view();
        let number = shared.series.number_of(scope, metric);
        let in_memory =
            |source| ReadError::Damaged { path: "recent data".into(), row_group: 0, source };
        let secs = buckets.secs.clone();
        for generation in view.generations() {
            let head = generation.metrics();
            head.visit(number, secs.clone(), &mut |unit, resolution, start, point| {
                buckets.add((unit, resolution), start, point);
            })
            .map_err(in_memory)?;
        }
        let last = range.end.plus_millis(-1);
        let place = metric_key(scope, metric);
        let flushed: Vec<LiveSegment> = view.of_table(MetricTable::NAME).cloned().collect();
        for live in flushed {
            if let Some(head) = &live.resident {
                let head = head.read().unwrap_or_else(PoisonError::into_inner);
                head.visit(number, secs.clone(), &mut |unit, resolution, start, point| {
                    buckets.add((unit, resolution), start, point);
                })
                .map_err(in_memory)?;
                continue;
            }
            for (number, part) in live.segment.parts.iter().enumerate() {
                if !part.may_hold(&place) || !part.may_touch(range.start, last) {
                    continue;
                }
                let rows = live.segment.read::<MetricTable>(&shared.segments, number).await?;
                let mine = rows.iter().filter(|row| row.metric == *metric && row.scope == *scope);
                for row in mine {
                    buckets.add_row(row).map_err(|source| ReadError::Damaged {
                        path: Arc::from(live.segment.row.path.as_str()),
                        row_group: number,
                        source,
                    })?;
                }
            }
        }
        Ok(buckets.finish())
    }
}

/// Sorts points into periods.
struct Buckets {
    range: TimeRange,
    secs: std::ops::Range<i64>,
    period: Period,
    unit: Option<StandardUnit>,
    /// Plain samples as they came: to sort them once is cheaper than to keep them sorted.
    samples: Vec<(Slot, f64)>,
    summaries: BTreeMap<Slot, Summary>,
}

/// The number of a period, and a unit.
type Slot = (i64, StandardUnit);

impl Buckets {
    fn new(range: TimeRange, period: Period, unit: Option<StandardUnit>) -> Self {
        let end = range.end.as_millis().saturating_add(999).div_euclid(1000);
        let secs = range.start.as_secs()..end;
        Self { range, secs, period, unit, samples: Vec::new(), summaries: BTreeMap::new() }
    }

    fn add_row(&mut self, row: &MetricRow) -> Result<(), Fault> {
        let chunk = &row.chunk;
        if chunk.first_secs >= self.secs.end || chunk.last_secs < self.secs.start {
            return Ok(());
        }
        for (start, point) in chunk.decode()? {
            self.add((row.unit, row.resolution_secs), start, &point);
        }
        Ok(())
    }

    fn add(&mut self, (unit, resolution): (StandardUnit, u32), start_secs: i64, point: &Point) {
        let is_wanted = self.unit.is_none_or(|wanted| wanted == unit);
        let at = Timestamp::from_secs(start_secs);
        if !is_wanted || resolution > self.period.as_secs() || !self.range.contains(at) {
            return;
        }
        // Wider than a timestamp: a range over all of time is legal.
        let offset = i128::from(at.as_millis()) - i128::from(self.range.start.as_millis());
        let number = offset.div_euclid(i128::from(self.period.as_millis()));
        let Ok(number) = i64::try_from(number) else { return };
        let slot = (number, unit);
        match point {
            Point::Sample(value) => self.samples.push((slot, *value)),
            Point::Summary(summary) => match self.summaries.entry(slot) {
                Entry::Occupied(mut sum) => sum.get_mut().merge(summary),
                Entry::Vacant(vacant) => {
                    vacant.insert(summary.as_ref().clone());
                }
            },
        }
    }

    fn finish(mut self) -> Vec<Bucket> {
        // Samples of one slot stay in the order in which they came.
        self.samples.sort_by_key(|(slot, _)| *slot);
        let same_slot = self.samples.chunk_by(|a, b| a.0 == b.0);
        let filled: Vec<(Slot, Summary)> = same_slot.filter_map(summary_of).collect();
        if self.summaries.is_empty() {
            return filled.into_iter().map(|filled| self.bucket(filled)).collect();
        }
        let mut summaries = std::mem::take(&mut self.summaries);
        for (slot, samples) in filled {
            match summaries.entry(slot) {
                Entry::Occupied(mut sum) => sum.get_mut().merge(&samples),
                Entry::Vacant(vacant) => {
                    vacant.insert(samples);
                }
            }
        }
        summaries.into_iter().map(|filled| self.bucket(filled)).collect()
    }

    fn bucket(&self, ((number, unit), summary): (Slot, Summary)) -> Bucket {
        let offset = i128::from(number) * i128::from(self.period.as_millis());
        let millis = i128::from(self.range.start.as_millis()) + offset;
        let start = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Bucket { start, unit, summary }
    }
}

/// What the samples of one slot add up to.
fn summary_of(samples: &[(Slot, f64)]) -> Option<(Slot, Summary)> {
    let (slot, value) = samples.first()?;
    let summary = if samples.len() == 1 {
        Summary::of_sample(*value)
    } else {
        let pairs = samples.iter().map(|(_, value)| (*value, 1.0)).collect();
        Summary::of(&MetricValue::Distribution(pairs))?
    };
    Some((*slot, summary))
}

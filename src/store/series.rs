use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;

use super::codec::{Sample, SeriesNumber};
use super::error::AppendError;
use crate::telemetry::{Dimensions, MetricBatch, MetricId, Scope};
use crate::time::Timestamp;

/// One metric of a scope: its number in our files, and when it was last heard of.
///
/// A number means one metric for ever: it is written with its name to the ingest log before any
/// datum refers to it there, and to the catalog in the same step.
#[derive(Debug)]
pub(super) struct SeriesEntry {
    pub(super) number: SeriesNumber,
    pub(super) scope: Scope,
    pub(super) metric: MetricId,
    last_data: AtomicI64,
    last_received: AtomicI64,
    is_defined: AtomicBool,
}

impl SeriesEntry {
    fn new(
        number: SeriesNumber,
        (scope, metric): Key,
        (last_data, last_received): (Timestamp, Timestamp),
        is_defined: bool,
    ) -> Self {
        Self {
            number,
            scope,
            metric,
            last_data: AtomicI64::new(last_data.as_millis()),
            last_received: AtomicI64::new(last_received.as_millis()),
            is_defined: AtomicBool::new(is_defined),
        }
    }

    /// Notes a datum. Only the writer thread does, so that a look and a store need not be one.
    pub(super) fn seen(&self, data: Timestamp, received: Timestamp) {
        for (last, at) in [(&self.last_data, data), (&self.last_received, received)] {
            if last.load(Ordering::Relaxed) < at.as_millis() {
                last.store(at.as_millis(), Ordering::Relaxed);
            }
        }
    }

    pub(super) fn last_data(&self) -> Timestamp {
        Timestamp::from_millis(self.last_data.load(Ordering::Relaxed))
    }

    pub(super) fn last_received(&self) -> Timestamp {
        Timestamp::from_millis(self.last_received.load(Ordering::Relaxed))
    }

    /// Whether a datum of it was taken; until then nobody is told of it.
    fn is_heard_of(&self) -> bool {
        self.last_received() > Timestamp::MIN
    }
}

/// A metric as the catalog knows it.
#[derive(Debug)]
pub(super) struct KnownSeries {
    /// `None` in catalogs that were written before metrics had numbers.
    pub(super) number: Option<SeriesNumber>,
    pub(super) scope: Scope,
    pub(super) metric: MetricId,
    pub(super) last_data: Timestamp,
    pub(super) last_received: Timestamp,
}

/// Which metrics to list. Everything given must hold.
///
/// Source: CloudWatch API Reference, `ListMetrics`: filters are exact; a metric may have more
/// dimensions than the filter names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricFilter {
    /// Of this namespace.
    pub namespace: Option<Arc<str>>,
    /// Of this name.
    pub metric_name: Option<Arc<str>>,
    /// With these dimensions, of these values where one is given.
    pub dimensions: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// Heard of since: by the time of the data or by the time it was received.
    pub active_since: Option<Timestamp>,
}

impl MetricFilter {
    fn accepts(&self, metric: &MetricId, entry: &SeriesEntry) -> bool {
        let is = |wanted: &Option<Arc<str>>, name: &Arc<str>| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        let has = |(name, value): &(Arc<str>, Option<Arc<str>>)| {
            let found = metric.dimensions.get(name);
            found.is_some_and(|found| value.as_ref().is_none_or(|value| **value == *found))
        };
        is(&self.namespace, &metric.namespace)
            && is(&self.metric_name, &metric.metric_name)
            && self.dimensions.iter().all(has)
            && self
                .active_since
                .is_none_or(|since| entry.last_data() >= since || entry.last_received() >= since)
    }
}

type Key = (Scope, MetricId);
type ByName = HashMap<Arc<str>, HashMap<Dimensions, Arc<SeriesEntry>, RandomState>, RandomState>;

/// Every metric there is, by name and by number.
#[derive(Debug, Default)]
pub(super) struct SeriesIndex {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// In the order of scope, namespace, name, dimensions.
    ordered: BTreeMap<Key, Arc<SeriesEntry>>,
    by_name: HashMap<(Scope, Arc<str>), ByName, RandomState>,
    by_number: HashMap<SeriesNumber, Arc<SeriesEntry>, RandomState>,
    /// Numbers up to this one are taken, or were referred to by data whose name is lost.
    last_number: u32,
}

/// A batch's data by the numbers of their metrics, and the names that the log does not hold yet.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub(super) samples: Vec<Sample>,
    pub(super) fresh: Vec<(SeriesNumber, MetricId)>,
}

impl SeriesIndex {
    /// Looks up the metric of every datum, and numbers those that are new.
    ///
    /// Errors: `TooManySeries` when there would be more than `series_max`; then none is new.
    pub(super) fn number(
        &self,
        scope: &Scope,
        batches: Vec<MetricBatch>,
        series_max: usize,
    ) -> Result<Numbered, AppendError> {
        let mut numbered = Numbered::default();
        let homes: Vec<_> =
            batches.iter().map(|batch| (scope.clone(), Arc::clone(&batch.namespace))).collect();
        let data = batches.iter().map(|batch| batch.data.len()).sum();
        let mut numbers = Vec::with_capacity(data);
        if !self.read().look_up(&homes, &batches, &mut numbers, &mut numbered.fresh) {
            self.meet(&homes, &batches, series_max)?;
            numbers.clear();
            numbered.fresh.clear();
            self.read().look_up(&homes, &batches, &mut numbers, &mut numbered.fresh);
        }
        // A name that several data of the batch bring is written once.
        numbered.fresh.sort_unstable_by_key(|(number, _)| *number);
        numbered.fresh.dedup_by_key(|(number, _)| *number);
        let data = batches.into_iter().flat_map(|batch| batch.data);
        numbered.samples = numbers.into_iter().zip(data).map(Sample::of).collect();
        Ok(numbered)
    }

    /// Makes entries for metrics that have none.
    fn meet(
        &self,
        homes: &[(Scope, Arc<str>)],
        batches: &[MetricBatch],
        series_max: usize,
    ) -> Result<(), AppendError> {
        let mut known = self.write();
        let mut fresh = HashSet::new();
        for ((scope, namespace), batch) in homes.iter().zip(batches) {
            for datum in &batch.data {
                let id = MetricId {
                    namespace: Arc::clone(namespace),
                    metric_name: Arc::clone(&datum.metric_name),
                    dimensions: datum.dimensions.clone(),
                };
                let key = (scope.clone(), id);
                if !known.ordered.contains_key(&key) {
                    fresh.insert(key);
                }
            }
        }
        if known.ordered.len() + fresh.len() > series_max {
            return Err(AppendError::TooManySeries { series_max });
        }
        for (scope, metric) in fresh {
            let number = known.next_number();
            let never = (Timestamp::MIN, Timestamp::MIN);
            known.insert(SeriesEntry::new(number, (scope, metric), never, false));
        }
        Ok(())
    }

    /// Takes what the catalog knew.
    ///
    /// ORDER: metrics without a number come after a replay, so that none gets one of the log's.
    pub(super) fn load(&self, series: impl IntoIterator<Item = KnownSeries>) {
        let mut known = self.write();
        for series in series {
            let key = (series.scope, series.metric);
            if known.ordered.contains_key(&key) {
                continue;
            }
            let is_defined = series.number.is_some();
            let number = series.number.unwrap_or_else(|| known.next_number());
            let times = (series.last_data, series.last_received);
            known.insert(SeriesEntry::new(number, key, times, is_defined));
        }
    }

    /// Takes the meaning of numbers from a record that is durable.
    pub(super) fn define(&self, scope: &Scope, fresh: &[(SeriesNumber, MetricId)]) {
        if fresh.is_empty() {
            return;
        }
        let mut known = self.write();
        for (number, metric) in fresh {
            match known.by_number.get(number) {
                Some(entry) if entry.metric == *metric && entry.scope == *scope => {
                    entry.is_defined.store(true, Ordering::Relaxed);
                }
                Some(entry) => {
                    let (is, asked) = (&entry.metric, metric);
                    tracing::error!(?number, ?is, ?asked, "a metric's number is another's");
                }
                None => {
                    let key = (scope.clone(), metric.clone());
                    let never = (Timestamp::MIN, Timestamp::MIN);
                    known.insert(SeriesEntry::new(*number, key, never, true));
                }
            }
        }
    }

    /// The metric of a number. One that is not known is never given to another metric.
    pub(super) fn entry(&self, number: SeriesNumber) -> Option<Arc<SeriesEntry>> {
        if let Some(entry) = self.read().by_number.get(&number) {
            return Some(Arc::clone(entry));
        }
        let mut known = self.write();
        known.last_number = known.last_number.max(number.0);
        None
    }

    /// The number of a metric.
    pub(super) fn number_of(&self, scope: &Scope, metric: &MetricId) -> Option<SeriesNumber> {
        let home = (scope.clone(), Arc::clone(&metric.namespace));
        let known = self.read();
        let names = known.by_name.get(&home)?;
        names.get(&metric.metric_name)?.get(&metric.dimensions).map(|entry| entry.number)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list(
        &self,
        scope: &Scope,
        filter: &MetricFilter,
        after: Option<&MetricId>,
        limit: usize,
    ) -> Vec<MetricId> {
        let first = MetricId {
            namespace: filter.namespace.clone().unwrap_or_else(|| "".into()),
            metric_name: "".into(),
            dimensions: crate::telemetry::Dimensions::none(),
        };
        let start = match after {
            Some(after) if *after >= first => Bound::Excluded((scope.clone(), after.clone())),
            _ => Bound::Included((scope.clone(), first)),
        };
        self.read()
            .ordered
            .range((start, Bound::Unbounded))
            .take_while(|((owner, metric), _)| {
                owner == scope
                    && filter.namespace.as_ref().is_none_or(|name| *name == metric.namespace)
            })
            .filter(|((_, metric), entry)| entry.is_heard_of() && filter.accepts(metric, entry))
            .map(|((_, metric), _)| metric.clone())
            .take(limit)
            .collect()
    }

    /// Metrics that were heard of since `since`, for the catalog.
    pub(super) fn received_since(&self, since: Timestamp) -> Vec<Arc<SeriesEntry>> {
        let known = self.read();
        let entries = known.ordered.values();
        entries.filter(|entry| entry.last_received() >= since).map(Arc::clone).collect()
    }
}

impl Known {
    /// Whether every datum's metric is known; then `numbers` holds one number for each.
    fn look_up(
        &self,
        homes: &[(Scope, Arc<str>)],
        batches: &[MetricBatch],
        numbers: &mut Vec<SeriesNumber>,
        fresh: &mut Vec<(SeriesNumber, MetricId)>,
    ) -> bool {
        for (home, batch) in homes.iter().zip(batches) {
            let Some(names) = self.by_name.get(home) else { return batch.data.is_empty() };
            for datum in &batch.data {
                let sets = names.get(&datum.metric_name);
                let Some(entry) = sets.and_then(|sets| sets.get(&datum.dimensions)) else {
                    return false;
                };
                numbers.push(entry.number);
                if !entry.is_defined.load(Ordering::Relaxed) {
                    fresh.push((entry.number, entry.metric.clone()));
                }
            }
        }
        true
    }

    fn next_number(&mut self) -> SeriesNumber {
        // BOUND: four thousand million metrics; `series_max` is far below.
        self.last_number = self.last_number.saturating_add(1);
        SeriesNumber(self.last_number)
    }

    fn insert(&mut self, entry: SeriesEntry) {
        self.last_number = self.last_number.max(entry.number.0);
        let entry = Arc::new(entry);
        let MetricId { namespace, metric_name, dimensions } = entry.metric.clone();
        let names = self.by_name.entry((entry.scope.clone(), namespace)).or_default();
        names.entry(metric_name).or_default().insert(dimensions, Arc::clone(&entry));
        self.by_number.insert(entry.number, Arc::clone(&entry));
        self.ordered.insert((entry.scope.clone(), entry.metric.clone()), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{MetricDatum, StandardUnit};

    fn batch(names: &[&str]) -> Vec<MetricBatch> {
        let none = Dimensions::none;
        let sample = |name: &&str| {
            MetricDatum::sample(*name, none(), Timestamp::EPOCH, (1.0, StandardUnit::None))
        };
        vec![MetricBatch { namespace: "N".into(), data: names.iter().map(sample).collect() }]
    }

    fn numbers(numbered: &Numbered) -> (Vec<u32>, Vec<u32>) {
        let samples = numbered.samples.iter().map(|sample| sample.series.0).collect();
        (samples, numbered.fresh.iter().map(|(number, _)| number.0).collect())
    }

    #[test]
    fn a_name_is_fresh_until_the_log_holds_it() {
        let (index, scope) = (SeriesIndex::default(), Scope::default());
        let first = index.number(&scope, batch(&["a"]), 9).unwrap();
        assert_eq!(numbers(&first), (vec![1], vec![1]));
        let again = index.number(&scope, batch(&["a", "a"]), 9).unwrap();
        assert_eq!(numbers(&again), (vec![1, 1], vec![1]));
        index.define(&scope, &again.fresh);
        let known = index.number(&scope, batch(&["a"]), 9).unwrap();
        assert_eq!(numbers(&known), (vec![1], vec![]));
    }

    #[test]
    fn a_batch_past_the_limit_numbers_none_of_its_metrics() {
        let (index, scope) = (SeriesIndex::default(), Scope::default());
        index.number(&scope, batch(&["a"]), 2).unwrap();
        assert!(index.number(&scope, batch(&["b", "c"]), 2).is_err());
        let fits = index.number(&scope, batch(&["b", "a"]), 2).unwrap();
        assert_eq!(numbers(&fits), (vec![2, 1], vec![1, 2]));
    }

    #[test]
    fn a_number_whose_name_is_lost_is_given_to_no_other_metric() {
        let (index, scope) = (SeriesIndex::default(), Scope::default());
        assert!(index.entry(SeriesNumber(7)).is_none());
        let next = index.number(&scope, batch(&["a"]), 9).unwrap();
        assert_eq!(numbers(&next).0, vec![8]);
    }

    #[test]
    fn a_metric_of_an_old_catalog_gets_a_number_that_the_log_does_not_use() {
        let (index, scope) = (SeriesIndex::default(), Scope::default());
        let metric = |name: &str| MetricId {
            namespace: "N".into(),
            metric_name: name.into(),
            dimensions: Dimensions::none(),
        };
        index.define(&scope, &[(SeriesNumber(1), metric("b"))]);
        index.load(["a", "b"].map(|name| KnownSeries {
            number: None,
            scope: scope.clone(),
            metric: metric(name),
            last_data: Timestamp::EPOCH,
            last_received: Timestamp::EPOCH,
        }));
        let numbered = index.number(&scope, batch(&["a", "b"]), 9).unwrap();
        assert_eq!(numbers(&numbered), (vec![2, 1], vec![2]));
    }
}

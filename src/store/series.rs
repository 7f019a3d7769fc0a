use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::telemetry::{MetricId, Scope, TelemetryBatch};
use crate::time::Timestamp;

/// One metric of a scope, and when it was last heard of.
#[derive(Debug)]
pub(super) struct SeriesEntry {
    last_data: AtomicI64,
    last_received: AtomicI64,
}

impl SeriesEntry {
    pub(super) fn new(last_data: Timestamp, last_received: Timestamp) -> Self {
        Self {
            last_data: AtomicI64::new(last_data.as_millis()),
            last_received: AtomicI64::new(last_received.as_millis()),
        }
    }

    pub(super) fn seen(&self, data: Timestamp, received: Timestamp) {
        self.last_data.fetch_max(data.as_millis(), Ordering::Relaxed);
        self.last_received.fetch_max(received.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn last_data(&self) -> Timestamp {
        Timestamp::from_millis(self.last_data.load(Ordering::Relaxed))
    }

    pub(super) fn last_received(&self) -> Timestamp {
        Timestamp::from_millis(self.last_received.load(Ordering::Relaxed))
    }
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

/// Every metric there is, in the order of scope, namespace, name, dimensions.
#[derive(Debug, Default)]
pub(super) struct SeriesIndex {
    entries: RwLock<BTreeMap<Key, Arc<SeriesEntry>>>,
}

impl SeriesIndex {
    /// The entry of a metric, made when it is new.
    pub(super) fn entry(&self, key: &Key) -> Arc<SeriesEntry> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(SeriesEntry::new(Timestamp::MIN, Timestamp::MIN));
        Arc::clone(entries.entry(key.clone()).or_insert_with(new))
    }

    /// Whether `batch` can be taken with at most `series_max` metrics in all.
    pub(super) fn has_room_for(&self, batch: &TelemetryBatch, series_max: usize) -> bool {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let data: usize = batch.metrics.iter().map(|metrics| metrics.data.len()).sum();
        if entries.len() + data <= series_max {
            return true;
        }
        let mut fresh = HashSet::new();
        for metrics in &batch.metrics {
            for datum in &metrics.data {
                let id = MetricId {
                    namespace: Arc::clone(&metrics.namespace),
                    metric_name: Arc::clone(&datum.metric_name),
                    dimensions: datum.dimensions.clone(),
                };
                let key = (batch.scope.clone(), id);
                if !entries.contains_key(&key) {
                    fresh.insert(key);
                }
            }
        }
        fresh.is_empty() || entries.len() + fresh.len() <= series_max
    }

    /// Takes what the catalog knew.
    pub(super) fn load(&self, known: impl IntoIterator<Item = (Key, SeriesEntry)>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.extend(known.into_iter().map(|(key, entry)| (key, Arc::new(entry))));
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
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .range((start, Bound::Unbounded))
            .take_while(|((owner, metric), _)| {
                owner == scope
                    && filter.namespace.as_ref().is_none_or(|name| *name == metric.namespace)
            })
            .filter(|((_, metric), entry)| filter.accepts(metric, entry))
            .map(|((_, metric), _)| metric.clone())
            .take(limit)
            .collect()
    }

    /// Metrics that were heard of since `since`, for the catalog.
    pub(super) fn received_since(&self, since: Timestamp) -> Vec<(Key, Timestamp, Timestamp)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .filter(|(_, entry)| entry.last_received() >= since)
            .map(|(key, entry)| (key.clone(), entry.last_data(), entry.last_received()))
            .collect()
    }
}

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::document::{MetricFilterRow, filter_prefix};
use crate::monitor::kind;
use crate::query::log_metric::{MetricFilter, embedded_metrics};
use crate::store::{AppendError, Page, ReadError, ResourceChanges, Store};
use crate::telemetry::{MetricBatch, Scope, TelemetryBatch};

/// What follows from log events: the metric filters of every group, ready to be applied.
///
/// Documents are the truth and lie in the store; this holds them compiled. Who changes one calls
/// `reload` before answering. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogRules {
    store: Store,
    groups: Arc<RwLock<HashMap<Scope, Groups>>>,
    /// Held while a group is read anew, so that the last reload sees the last change.
    reloading: Arc<tokio::sync::Mutex<()>>,
}

type Groups = HashMap<Arc<str>, Arc<GroupRules>>;

#[derive(Debug, Default)]
struct GroupRules {
    metric_filters: BTreeMap<String, MetricFilter>,
}

/// What has to be appended together with a batch.
#[derive(Debug, Default)]
pub struct Absorbed {
    /// Changes of resources that belong into the same append.
    pub changes: ResourceChanges,
}

impl LogRules {
    /// Reads the rules of every group.
    ///
    /// Errors: as the store's reads. A document that does not compile is left out and told of.
    pub async fn load(store: &Store) -> Result<Self, ReadError> {
        let filters = store.resources().everywhere::<MetricFilterRow>(kind::METRIC_FILTER).await?;
        let mut groups: HashMap<Scope, HashMap<Arc<str>, GroupRules>> = HashMap::new();
        for (scope, name, row) in filters {
            let group = name.split(':').next().unwrap_or_default();
            let rules = groups.entry(scope).or_default().entry(group.into()).or_default();
            rules.add(name, &row);
        }
        let shared = |groups: HashMap<Arc<str>, GroupRules>| {
            groups.into_iter().map(|(name, rules)| (name, Arc::new(rules))).collect()
        };
        let groups = groups.into_iter().map(|(scope, groups)| (scope, shared(groups)));
        Ok(Self {
            store: store.clone(),
            groups: Arc::new(RwLock::new(groups.collect())),
            reloading: Arc::default(),
        })
    }

    /// Reads the rules of one group anew; to be called after each change of them.
    ///
    /// Errors: as the store's reads; the rules stay as they were.
    pub async fn reload(&self, scope: &Scope, group: &str) -> Result<(), ReadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let prefix = filter_prefix(group);
        let page = Page { prefix: &prefix, ..Page::ALL };
        let resources = self.store.resources();
        let filters = resources.list::<MetricFilterRow>(scope, kind::METRIC_FILTER, &page).await?;
        let mut rules = GroupRules::default();
        for (name, row) in filters {
            rules.add(name, &row);
        }
        let mut scopes = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let groups = scopes.entry(scope.clone()).or_default();
        if rules.metric_filters.is_empty() {
            groups.remove(group);
        } else {
            groups.insert(group.into(), Arc::new(rules));
        }
        Ok(())
    }

    /// Adds to a batch what its log events are worth.
    ///
    /// Errors: `Body` when a document of the changes cannot be written.
    /// Source: CloudWatch Logs User Guide: filters look at events that come after they were made.
    pub fn absorb(&self, batch: &mut TelemetryBatch) -> Result<Absorbed, AppendError> {
        let mut metrics = Vec::new();
        for lines in &batch.logs {
            metrics.extend(embedded_metrics(&lines.events));
            if let Some(rules) = self.group(&batch.scope, &lines.group) {
                let found = rules.metric_filters.values();
                metrics.extend(found.filter_map(|f| f.metrics(&batch.scope, &lines.events)));
            }
        }
        for found in metrics {
            merge(&mut batch.metrics, found);
        }
        Ok(Absorbed::default())
    }

    /// How many metric filters a group has.
    pub fn metric_filters(&self, scope: &Scope, group: &str) -> usize {
        self.group(scope, group).map_or(0, |rules| rules.metric_filters.len())
    }

    fn group(&self, scope: &Scope, group: &str) -> Option<Arc<GroupRules>> {
        let scopes = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        scopes.get(scope)?.get(group).map(Arc::clone)
    }
}

impl GroupRules {
    fn add(&mut self, name: String, row: &MetricFilterRow) {
        match row.compile() {
            Ok(filter) => drop(self.metric_filters.insert(name, filter)),
            Err(fault) => tracing::error!(filter = name, %fault, "metric filter is left out"),
        }
    }
}

fn merge(batches: &mut Vec<MetricBatch>, found: MetricBatch) {
    match batches.iter_mut().find(|batch| batch.namespace == found.namespace) {
        Some(batch) => batch.data.extend(found.data),
        None => batches.push(found),
    }
}

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;
use tokio::sync::Notify;

use super::document::{
    AccountPolicyRow, DataProtectionRow, Distribution, MetricFilterRow, SubscriptionRow,
    filter_prefix,
};
use super::mask::LogMask;
use super::selection::GroupSelection;
use super::subscription::{Level, Subscription};
use super::tail::Tail;
use crate::monitor::kind;
use crate::query::log_metric::{MetricFilter, embedded_metrics};
use crate::query::masking::Mask;
use crate::store::{AppendError, Page, ReadError, ResourceChanges, Store};
use crate::telemetry::{LogBatch, MetricBatch, Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// What follows from log events: the filters and policies of every group, ready to be applied.
///
/// Documents are the truth and lie in the store; this holds them compiled. Who changes one calls
/// `reload` or `reload_account` before answering. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogRules {
    store: Store,
    clock: Arc<dyn Clock>,
    known: Arc<RwLock<Known>>,
    /// Held while rules are read anew, so that the last reload sees the last change.
    reloading: Arc<tokio::sync::Mutex<()>>,
    tail: Tail,
    deliveries: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    groups: HashMap<Scope, HashMap<Arc<str>, Arc<GroupRules>>>,
    accounts: HashMap<Scope, Arc<AccountRules>>,
}

#[derive(Debug, Default)]
struct GroupRules {
    metric_filters: BTreeMap<String, MetricFilter>,
    subscriptions: BTreeMap<String, Subscription>,
    mask: Option<(Timestamp, Arc<Mask>)>,
}

#[derive(Debug, Default)]
struct AccountRules {
    subscriptions: Vec<(GroupSelection, Subscription)>,
    masks: Vec<(Timestamp, Arc<Mask>)>,
    /// Groups whose embedded metrics are not extracted.
    unextracted: Vec<GroupSelection>,
}

/// What has to be appended together with a batch, and what is to be told after.
#[must_use = "deliveries and live tails wait for `appended`"]
#[derive(Debug)]
pub struct Absorbed {
    /// Changes of resources that belong into the same append.
    pub changes: ResourceChanges,
    scope: Scope,
    shown: Vec<LogBatch>,
}

impl LogRules {
    /// Reads the rules of every group and account.
    ///
    /// Errors: as the store's reads. A document that does not compile is left out and told of.
    pub async fn load(store: &Store, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let rules = Self {
            store: store.clone(),
            clock,
            known: Arc::default(),
            reloading: Arc::default(),
            tail: Tail::default(),
            deliveries: Arc::default(),
        };
        rules.read_all().await?;
        Ok(rules)
    }

    /// Reads everything anew, when resources were changed all at once.
    ///
    /// Errors: as the store's reads; the rules stay as they were.
    pub async fn read_all(&self) -> Result<(), ReadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let resources = self.store.resources();
        let mut groups: HashMap<Scope, HashMap<Arc<str>, GroupRules>> = HashMap::new();
        let mut of = |scope: Scope, name: &str, add: &dyn Fn(&mut GroupRules)| {
            let group = name.split(':').next().unwrap_or_default();
            add(groups.entry(scope).or_default().entry(group.into()).or_default());
        };
        for (scope, name, row) in resources.everywhere(kind::METRIC_FILTER).await? {
            of(scope, &name, &|rules| rules.add_metric_filter(&name, &row));
        }
        for (scope, name, row) in resources.everywhere(kind::SUBSCRIPTION_FILTER).await? {
            of(scope, &name, &|rules| rules.add_subscription(&name, &row));
        }
        for (scope, name, row) in resources.everywhere(kind::DATA_PROTECTION).await? {
            of(scope, &name, &|rules| rules.set_mask(&name, &row));
        }
        let mut accounts: HashMap<Scope, AccountRules> = HashMap::new();
        for (scope, name, row) in resources.everywhere(kind::LOG_ACCOUNT_POLICY).await? {
            accounts.entry(scope).or_default().add(&name, &row);
        }
        let shared = |groups: HashMap<Arc<str>, GroupRules>| {
            groups.into_iter().map(|(name, rules)| (name, Arc::new(rules))).collect()
        };
        let known = Known {
            groups: groups.into_iter().map(|(scope, groups)| (scope, shared(groups))).collect(),
            accounts: accounts.into_iter().map(|(s, rules)| (s, Arc::new(rules))).collect(),
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Reads the rules of one group anew; to be called after each change of them.
    ///
    /// Errors: as the store's reads; the rules stay as they were.
    pub async fn reload(&self, scope: &Scope, group: &str) -> Result<(), ReadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let prefix = filter_prefix(group);
        let page = Page { prefix: &prefix, ..Page::ALL };
        let resources = self.store.resources();
        let mut rules = GroupRules::default();
        for (name, row) in resources.list(scope, kind::METRIC_FILTER, &page).await? {
            rules.add_metric_filter(&name, &row);
        }
        for (name, row) in resources.list(scope, kind::SUBSCRIPTION_FILTER, &page).await? {
            rules.add_subscription(&name, &row);
        }
        for (name, row) in resources.list(scope, kind::DATA_PROTECTION, &page).await? {
            rules.set_mask(&name, &row);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.groups.entry(scope.clone()).or_default().insert(group.into(), Arc::new(rules));
        Ok(())
    }

    /// Reads the policies of one account anew; to be called after each change of them.
    ///
    /// Errors: as the store's reads; the rules stay as they were.
    pub async fn reload_account(&self, scope: &Scope) -> Result<(), ReadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let resources = self.store.resources();
        let mut rules = AccountRules::default();
        for (name, row) in resources.list(scope, kind::LOG_ACCOUNT_POLICY, &Page::ALL).await? {
            rules.add(&name, &row);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.accounts.insert(scope.clone(), Arc::new(rules));
        Ok(())
    }

    /// Adds to a batch what its log events are worth, and says what else is to be appended.
    ///
    /// Errors: `Body` when a document of the changes cannot be written.
    /// Source: CloudWatch Logs User Guide: filters look at events that come after they were made.
    pub fn absorb(&self, batch: &mut TelemetryBatch) -> Result<Absorbed, AppendError> {
        self.metrics(batch);
        let mut changes = ResourceChanges::new();
        for lines in &batch.logs {
            changes = self.deliveries(&batch.scope, lines, changes)?;
        }
        let shown = self.tail.copy(&batch.logs);
        Ok(Absorbed { changes, scope: batch.scope.clone(), shown })
    }

    /// Adds to a batch the metrics of its log events, and nothing else.
    pub(super) fn metrics(&self, batch: &mut TelemetryBatch) {
        let account = self.account(&batch.scope);
        let mut metrics = Vec::new();
        for lines in &batch.logs {
            let is_off = |rules: &Arc<AccountRules>| {
                rules.unextracted.iter().any(|selection| selection.holds(&lines.group))
            };
            if !account.as_ref().is_some_and(is_off) {
                metrics.extend(embedded_metrics(&lines.events));
            }
            if let Some(rules) = self.group(&batch.scope, &lines.group) {
                let found = rules.metric_filters.values();
                metrics.extend(found.filter_map(|f| f.metrics(&batch.scope, &lines.events)));
            }
        }
        for found in metrics {
            merge(&mut batch.metrics, found);
        }
    }

    fn deliveries(
        &self,
        scope: &Scope,
        lines: &LogBatch,
        mut changes: ResourceChanges,
    ) -> Result<ResourceChanges, AppendError> {
        let (group, account) = (self.group(scope, &lines.group), self.account(scope));
        let own = group.iter().flat_map(|rules| rules.subscriptions.values());
        let selected = |(selection, subscription): &'_ (GroupSelection, Subscription)| {
            selection.holds(&lines.group).then(|| subscription.clone())
        };
        let of_account = account.iter().flat_map(|rules| rules.subscriptions.iter());
        let wanted = own.cloned().chain(of_account.filter_map(selected)).collect::<Vec<_>>();
        if wanted.is_empty() {
            return Ok(changes);
        }
        let (mask, now) = (self.mask(scope, &lines.group), self.clock.now());
        for subscription in wanted {
            if let Some(row) = subscription.delivery(scope, lines, (&mask, now)) {
                changes = changes.put(kind::LOG_DELIVERY, &delivery_name(now), &row)?;
            }
        }
        Ok(changes)
    }

    /// Tells deliveries and live tails that what was absorbed is durable.
    pub fn appended(&self, absorbed: Absorbed) {
        if !absorbed.changes.is_empty() {
            self.deliveries.notify_one();
        }
        if !absorbed.shown.is_empty() {
            self.tail.show(&absorbed.scope, absorbed.shown, self.clock.now());
        }
    }

    /// How many metric filters a group has.
    pub fn metric_filters(&self, scope: &Scope, group: &str) -> usize {
        self.group(scope, group).map_or(0, |rules| rules.metric_filters.len())
    }

    /// What is masked in a group's events.
    pub fn mask(&self, scope: &Scope, group: &str) -> LogMask {
        let own = self.group(scope, group).and_then(|rules| rules.mask.clone());
        let account = self.account(scope);
        let of_account = account.iter().flat_map(|rules| rules.masks.iter().cloned());
        LogMask::new(own.into_iter().chain(of_account))
    }

    /// Whether a group has a data protection policy of its own.
    pub fn is_protected(&self, scope: &Scope, group: &str) -> bool {
        self.group(scope, group).is_some_and(|rules| rules.mask.is_some())
    }

    /// Where lines are seen as they are taken.
    pub const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Wakes whoever waits for deliveries, after one was appended by other means.
    pub fn delivery_added(&self) {
        self.deliveries.notify_one();
    }

    pub(super) async fn next_delivery(&self) {
        self.deliveries.notified().await;
    }

    fn group(&self, scope: &Scope, group: &str) -> Option<Arc<GroupRules>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.groups.get(scope)?.get(group).map(Arc::clone)
    }

    fn account(&self, scope: &Scope) -> Option<Arc<AccountRules>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.accounts.get(scope).map(Arc::clone)
    }
}

/// Names of deliveries sort by time.
fn delivery_name(now: Timestamp) -> String {
    let sortable = now.as_millis().cast_unsigned() ^ (1 << 63);
    format!("{sortable:016x}-{}", uuid::Uuid::new_v4())
}

impl GroupRules {
    fn add_metric_filter(&mut self, name: &str, row: &MetricFilterRow) {
        match row.compile() {
            Ok(filter) => drop(self.metric_filters.insert(name.to_owned(), filter)),
            Err(fault) => tracing::error!(filter = name, %fault, "metric filter is left out"),
        }
    }

    fn add_subscription(&mut self, name: &str, row: &SubscriptionRow) {
        let own = name.split_once(':').map_or(name, |(_, own)| own);
        match Subscription::new(own, row.clone(), Level::Group) {
            Ok(filter) => drop(self.subscriptions.insert(name.to_owned(), filter)),
            Err(fault) => tracing::error!(filter = name, %fault, "subscription is left out"),
        }
    }

    fn set_mask(&mut self, name: &str, row: &DataProtectionRow) {
        match Mask::parse(&row.document) {
            Ok(mask) => self.mask = Some((row.since, Arc::new(mask))),
            Err(fault) => tracing::error!(policy = name, %fault, "policy is left out"),
        }
    }
}

/// Source: PutAccountPolicy, SUBSCRIPTION_FILTER_POLICY.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionDocument {
    destination_arn: String,
    role_arn: Option<String>,
    #[serde(default)]
    filter_pattern: String,
    #[serde(default)]
    distribution: Distribution,
}

impl AccountRules {
    /// What a policy asks for is checked when it is put; one that is not understood does nothing.
    fn add(&mut self, name: &str, row: &AccountPolicyRow) {
        let Some((policy, own)) = name.split_once(':') else { return };
        let Some(selection) = GroupSelection::parse(row.selection.as_deref()) else { return };
        match policy {
            "DATA_PROTECTION_POLICY" => {
                let mask = Mask::parse(&row.document).map(|mask| (row.since, Arc::new(mask)));
                self.masks.extend(mask.ok());
            }
            "METRIC_EXTRACTION_POLICY" => self.unextracted.push(selection),
            "SUBSCRIPTION_FILTER_POLICY" => {
                let subscription = serde_json::from_str::<SubscriptionDocument>(&row.document);
                let subscription = subscription.ok().map(|document| SubscriptionRow {
                    pattern: document.filter_pattern,
                    destination_arn: document.destination_arn,
                    role_arn: document.role_arn,
                    distribution: document.distribution,
                    created: row.updated,
                    system_fields: std::collections::BTreeSet::new(),
                });
                let compiled =
                    subscription.and_then(|row| Subscription::new(own, row, Level::Account).ok());
                self.subscriptions.extend(compiled.map(|compiled| (selection, compiled)));
            }
            _ => {}
        }
    }
}

fn merge(batches: &mut Vec<MetricBatch>, found: MetricBatch) {
    match batches.iter_mut().find(|batch| batch.namespace == found.namespace) {
        Some(batch) => batch.data.extend(found.data),
        None => batches.push(found),
    }
}

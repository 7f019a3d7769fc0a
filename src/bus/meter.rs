use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::telemetry::{
    DEFAULT_EVENT_BUS, Dimensions, MetricBatch, MetricDatum, Scope, StandardUnit, TelemetryBatch,
};
use crate::time::Clock;

/// Counts are kept this long in memory before they become metrics.
const GATHERED_FOR: Duration = Duration::from_secs(1);
const NAMESPACE: &str = "AWS/Events";

/// What a rule does, counted.
///
/// Source: EventBridge User Guide, "EventBridge metrics".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    MatchedEvents,
    TriggeredRules,
    Invocations,
    FailedInvocations,
    InvocationAttempts,
    RetryInvocationAttempts,
    InvocationsSentToDlq,
    InvocationsFailedToBeSentToDlq,
}

impl Count {
    const fn name(self) -> &'static str {
        match self {
            Self::MatchedEvents => "MatchedEvents",
            Self::TriggeredRules => "TriggeredRules",
            Self::Invocations => "Invocations",
            Self::FailedInvocations => "FailedInvocations",
            Self::InvocationAttempts => "InvocationAttempts",
            Self::RetryInvocationAttempts => "RetryInvocationAttempts",
            Self::InvocationsSentToDlq => "InvocationsSentToDlq",
            Self::InvocationsFailedToBeSentToDlq => "InvocationsFailedToBeSentToDlq",
        }
    }
}

type Counted = BTreeMap<(Scope, Arc<str>, Arc<str>, Count), u32>;

/// Counts what rules do, as metrics of `AWS/Events`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    counted: Arc<Mutex<Counted>>,
    some: Arc<Notify>,
}

impl Meter {
    /// Counts for a rule of a bus.
    pub(super) fn add(&self, scope: &Scope, (bus, rule): (&Arc<str>, &Arc<str>), counts: &[Count]) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = counted.is_empty();
        for count in counts {
            let key = (scope.clone(), Arc::clone(bus), Arc::clone(rule), *count);
            let number = counted.entry(key).or_default();
            *number = number.saturating_add(1);
        }
        drop(counted);
        if was_empty {
            self.some.notify_one();
        }
    }

    /// Counts for the rule of an ARN; other owners of deliveries are not counted.
    pub(super) fn add_for(&self, scope: &Scope, owner: &str, counts: &[Count]) {
        let Some(rule) = owner.splitn(6, ':').nth(5).and_then(|r| r.strip_prefix("rule/")) else {
            return;
        };
        let (bus, rule) = rule.rsplit_once('/').unwrap_or((DEFAULT_EVENT_BUS, rule));
        self.add(scope, (&bus.into(), &rule.into()), counts);
    }

    /// Makes metrics of what is counted until `stop`.
    pub(super) async fn run(self, store: Store, clock: Arc<dyn Clock>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.write(&store, &*clock).await,
                () = self.some.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return self.write(&store, &*clock).await,
                () = tokio::time::sleep(GATHERED_FOR) => {}
            }
            self.write(&store, &*clock).await;
        }
    }

    async fn write(&self, store: &Store, clock: &dyn Clock) {
        let counted =
            std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let now = clock.now();
        let mut scopes: BTreeMap<Scope, Vec<MetricDatum>> = BTreeMap::new();
        for ((scope, bus, rule, count), number) in counted {
            let dimensions = match &*bus {
                DEFAULT_EVENT_BUS => Dimensions::of([("RuleName", &*rule)]),
                bus => Dimensions::of([("EventBusName", bus), ("RuleName", &*rule)]),
            };
            let value = (f64::from(number), StandardUnit::Count);
            let datum = MetricDatum::sample(count.name(), dimensions, now, value);
            scopes.entry(scope).or_default().push(datum);
        }
        for (scope, data) in scopes {
            let mut batch = TelemetryBatch::new(scope);
            batch.metrics.push(MetricBatch { namespace: NAMESPACE.into(), data });
            if let Err(error) = store.append(batch).await {
                tracing::warn!(%error, "counts of rules are lost");
            }
        }
    }
}

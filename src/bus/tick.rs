use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::route::Router;
use super::rule::{Rule, RuleBook};
use crate::store::Store;
use crate::telemetry::{DEFAULT_EVENT_BUS, Event, Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// A wall clock that was set is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Gives scheduled rules their turns.
///
/// Source: EventBridge User Guide, "Creating a rule that runs on a schedule". Turns that passed
/// while the process was down or the clock jumped over them are not caught up with, as on AWS.
#[derive(Debug)]
pub(super) struct Ticker {
    pub(super) store: Store,
    pub(super) book: Arc<RuleBook>,
    pub(super) router: Router,
    pub(super) clock: Arc<dyn Clock>,
    /// Told when rules changed.
    pub(super) changed: Arc<Notify>,
}

type Key = (Scope, Arc<str>);

/// When a rule is due, and the schedule that says so.
#[derive(Debug)]
struct Due {
    schedule: Option<Arc<str>>,
    since: Timestamp,
    next: Option<Timestamp>,
}

impl Ticker {
    /// Gives turns until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut due: HashMap<Key, Due> = HashMap::new();
        loop {
            let rules = self.book.scheduled();
            let now = self.clock.now();
            let of = |(scope, rule): &(Scope, Arc<Rule>)| (scope.clone(), Arc::clone(&rule.name));
            let listed: HashMap<Key, &Arc<Rule>> =
                rules.iter().map(|pair| (of(pair), &pair.1)).collect();
            due.retain(|key, due| {
                listed
                    .get(key)
                    .is_some_and(|rule| rule.schedule == due.schedule && rule.since == due.since)
            });
            for (key, rule) in listed {
                let due = due.entry(key.clone()).or_insert_with(|| Due {
                    schedule: rule.schedule.clone(),
                    since: rule.since,
                    next: next(rule, now.max(rule.since)),
                });
                if let Some(slot) = due.next.filter(|slot| *slot <= now) {
                    due.next = next(rule, now);
                    self.turn(&key.0, rule, slot).await;
                }
            }
            let first = due.values().filter_map(|due| due.next).min();
            let millis = first.map(|at| at.millis_since(self.clock.now()).max(0));
            let wait = millis.and_then(|millis| u64::try_from(millis).ok());
            let wait = wait.map_or(LOOK_EVERY, |wait| Duration::from_millis(wait).min(LOOK_EVERY));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn turn(&self, scope: &Scope, rule: &Rule, slot: Timestamp) {
        let event = Event {
            bus: DEFAULT_EVENT_BUS.into(),
            id: uuid::Uuid::new_v4().to_string().into(),
            source: "aws.events".into(),
            detail_type: "Scheduled Event".into(),
            time: slot,
            resources: vec![rule.arn(scope).into()],
            detail: json!({}),
            trace_header: None,
        };
        let owed = self.router.turn(scope, rule, &event, self.clock.now());
        let batch = TelemetryBatch { events: vec![event], ..TelemetryBatch::new(scope.clone()) };
        match self.store.append_with(batch, owed.changes).await {
            Ok(_) => owed.taken.into_iter().for_each(|taken| taken()),
            Err(error) => tracing::error!(rule = %rule.name, %error, "turn of a rule is lost"),
        }
    }
}

fn next(rule: &Rule, after: Timestamp) -> Option<Timestamp> {
    let schedule = super::rule::parse_schedule(rule.schedule.as_deref()?).ok()?;
    super::rule::next_turn(&schedule, rule.since, after)
}

use std::sync::Arc;

use serde_json::Value;

use super::deliver::{Delivery, Inbox, Receiver};
use super::kind;
use super::meter::{Count, Meter};
use super::rule::{Rule, RuleBook, RuleState, Target, render};
use super::schema::Discovery;
use crate::pattern::Variables;
use crate::store::{Following, ResourceChanges, SortKey};
use crate::telemetry::{Event, Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Finds what events owe to whom.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) book: Arc<RuleBook>,
    pub(super) inbox: Inbox,
    pub(super) discovery: Discovery,
    pub(super) meter: Meter,
}

impl Router {
    /// The deliveries that the events of a batch owe, to be stored together with it.
    ///
    /// ORDER: what is owed is durable with the event, so a process that is killed after it has
    /// accepted an event still delivers it; the deliverer is told only once both are visible.
    pub(super) fn follow(&self, batch: &TelemetryBatch, at: Timestamp) -> Following {
        let scope = &batch.scope;
        let mut owed = Vec::new();
        for event in &batch.events {
            let Some(table) = self.book.table(&(scope.clone(), Arc::clone(&event.bus))) else {
                continue;
            };
            let envelope = event.envelope(scope);
            let mut rules = table.matching(&envelope);
            if only_reads(event) {
                rules.retain(|rule| {
                    rule.state == RuleState::EnabledWithAllCloudtrailManagementEvents
                });
            }
            if !rules.is_empty() {
                let text: Arc<str> = envelope.to_string().into();
                for rule in rules {
                    let counts = [Count::MatchedEvents, Count::TriggeredRules];
                    self.meter.add(scope, (&rule.bus, &rule.name), &counts);
                    owed.extend(deliveries(scope, rule, (&envelope, &text), at));
                }
            }
        }
        let mut following = self.following(scope, owed);
        if let Some(look) = self.discovery.watched(batch) {
            let deliver = following.taken.take();
            following.taken = Some(Box::new(move || {
                deliver.into_iter().for_each(|deliver| deliver());
                look();
            }));
        }
        following
    }

    /// What one rule owes for an event of its own: a turn of its schedule.
    pub(super) fn turn(
        &self,
        scope: &Scope,
        rule: &Rule,
        event: &Event,
        at: Timestamp,
    ) -> Following {
        self.meter.add(scope, (&rule.bus, &rule.name), &[Count::TriggeredRules]);
        let envelope = event.envelope(scope);
        let text: Arc<str> = envelope.to_string().into();
        self.following(scope, deliveries(scope, rule, (&envelope, &text), at))
    }

    /// The changes that store deliveries, and what tells the deliverer of them.
    pub(super) fn following(&self, scope: &Scope, owed: Vec<Delivery>) -> Following {
        if owed.is_empty() {
            return Following::default();
        }
        let mut changes = ResourceChanges::new();
        for delivery in &owed {
            // Texts and numbers only, so JSON can hold it.
            changes = match changes.put(kind::DELIVERY, &delivery.id, delivery) {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(%error, "deliveries cannot be written");
                    return Following::default();
                }
            };
        }
        let (inbox, scope) = (self.inbox.clone(), scope.clone());
        let taken = move || {
            owed.into_iter().for_each(|owed| inbox.add((scope.clone(), Arc::new(owed))));
        };
        Following { changes, taken: Some(Box::new(taken)) }
    }
}

/// Whether an event tells of a call that only reads; few rules hear of those.
///
/// Source: EventBridge User Guide, "Read-only management events from AWS services".
fn only_reads(event: &Event) -> bool {
    &*event.detail_type == "AWS API Call via CloudTrail"
        && event.source.starts_with("aws.")
        && event.detail.get("readOnly").and_then(Value::as_bool) == Some(true)
}

/// What a rule owes its targets for an event.
pub(super) fn deliveries(
    scope: &Scope,
    rule: &Rule,
    (envelope, text): (&Value, &Arc<str>),
    at: Timestamp,
) -> Vec<Delivery> {
    let rule_arn: Arc<str> = rule.arn(scope).into();
    let ingestion_time = at.to_rfc3339();
    let variables =
        Variables { rule_arn: &rule_arn, rule_name: &rule.name, ingestion_time: &ingestion_time };
    let owed = rule.targets.iter().map(|target| {
        let payload = render(target, (envelope, text), &variables);
        let event = (!Arc::ptr_eq(&payload, text)).then(|| Arc::clone(text));
        let dead_letter = target.dead_letter_config.as_ref().and_then(|config| config.arn.clone());
        Delivery {
            id: SortKey::at(at, uuid::Uuid::new_v4()).as_str().into(),
            came: at,
            payload,
            event,
            dead_letter,
            retry: target.retry_policy.unwrap_or_default(),
            owner: Arc::clone(&rule_arn),
            to: Receiver::Target(Box::new(slim(target))),
            attempts: 0,
            fault: None,
        }
    });
    owed.collect()
}

/// What of a target its deliveries need.
fn slim(target: &Target) -> Target {
    Target { input: None, input_path: None, dead_letter_config: None, ..target.clone() }
}

use std::collections::BTreeSet;
use std::sync::Arc;

use super::book::{AlarmDefinition, AlarmKey};
use super::pass::{Change, DueActions};
use crate::alarm::{
    ActionOutcome, AlarmOrigin, AlarmRef, HistoryItem, MetricAlarm, StateTransition, StateValue,
    TopicText, Watched, function_event,
};
use crate::bus::BusHandle;
use crate::monitor::deliver::{ActionText, OutboxRow};
use crate::monitor::memory::RunMemory;
use crate::monitor::settings::MonitorSettings;
use crate::notify::{Notification, NotificationKind};
use crate::telemetry::Scope;

/// Turns the actions of a transition into rows of the outbox.
#[derive(Clone, Debug)]
pub(super) struct Announcer {
    pub(super) settings: Arc<MonitorSettings>,
    pub(super) channels: BTreeSet<Arc<str>>,
    pub(super) memory: RunMemory,
    /// Carries topics and functions.
    pub(super) bus: Option<BusHandle>,
}

/// What the actions of a transition come to.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    pub(super) rows: Vec<OutboxRow>,
    /// Actions that nobody here can carry out, as the alarm's history tells it.
    pub(super) refused: Vec<HistoryItem>,
}

/// How an action is carried out.
enum Way {
    /// By a channel of the configuration.
    Channel(Arc<str>),
    /// By the bus.
    Bus(ActionText),
}

impl Announcer {
    /// The rows that tell of `change`; none when its actions are held or not wanted.
    pub(super) fn announce(&self, change: &Change) -> Announcement {
        let mut announcement = Announcement::default();
        let Some(due) = &change.actions else { return announcement };
        let transition = &due.transition;
        if is_first_ok_of_a_file(&change.definition, transition) {
            return announcement;
        }
        let alarm = change.alarm();
        for resource in alarm.actions().of(transition.to.value) {
            let ways = self.ways(change, due, resource);
            for way in ways.iter().flatten() {
                let (channel, text) = match way {
                    Way::Channel(channel) => (channel, None),
                    Way::Bus(text) => (resource, Some(text.clone())),
                };
                announcement.rows.push(OutboxRow {
                    channel: Arc::clone(channel),
                    resource: Arc::clone(resource),
                    alarm_type: alarm.kind(),
                    sequence: transition.to.sequence,
                    notification: self.notification(&change.key, alarm, due),
                    text,
                    attempts: 0,
                    last_fault: None,
                });
            }
            if let Err(why) = ways {
                announcement.refused.push(HistoryItem::action(
                    (alarm.name(), alarm.kind()),
                    resource,
                    (ActionOutcome::Failed(&why), None),
                    (transition.at(), transition.at()),
                ));
            }
        }
        announcement
    }

    /// Who carries out an action: a topic is the channel of its name, and the topic that clients
    /// made; where there are both, both are told, since nobody is to miss a page.
    fn ways(
        &self,
        change: &Change,
        due: &DueActions,
        resource: &Arc<str>,
    ) -> Result<Vec<Way>, String> {
        let (scope, alarm) = (&change.key.0, change.alarm());
        let mut parts = resource.splitn(6, ':');
        let named = (parts.next(), parts.nth(1), parts.nth(2));
        match (named, &self.bus) {
            ((Some("arn"), Some("sns"), Some(topic)), bus) => {
                let channel = self.channels.get(topic).cloned().map(Way::Channel);
                let is_topic = bus.as_ref().is_some_and(|bus| bus.has_topic(resource));
                let text = is_topic.then(|| {
                    let text = TopicText::of(scope, alarm, &due.transition, due.after_mute);
                    let TopicText { subject, message } = text;
                    Way::Bus(ActionText::Topic { subject, message })
                });
                let ways: Vec<Way> = channel.into_iter().chain(text).collect();
                if ways.is_empty() {
                    return Err(format!("no channel is called {topic}, nor is there such a topic"));
                }
                Ok(ways)
            }
            ((Some("arn"), Some("lambda"), _), Some(bus)) if bus.has_function(resource) => {
                let suppressed = change.condition.suppression;
                let event = function_event(scope, alarm, &due.transition, suppressed);
                Ok(vec![Way::Bus(ActionText::Function { event: event.to_string() })])
            }
            ((Some("arn"), Some("lambda"), _), _) => {
                Err(format!("no command is configured for the function {resource}"))
            }
            _ => Err(format!("actions of this kind are not carried out here: {resource}")),
        }
    }

    fn notification(&self, key: &AlarmKey, alarm: AlarmRef<'_>, due: &DueActions) -> Notification {
        let DueActions { transition, message, .. } = due;
        let (scope, name) = key;
        let arn = alarm.arn(scope);
        let canary = canary_of(alarm);
        let last = canary.as_ref().map(|canary| self.memory.of(canary)).unwrap_or_default();
        let (from, to) = (&transition.from, &transition.to);
        let is_resolved = from.value == StateValue::Alarm && to.value == StateValue::Ok;
        let mut idempotency_key = transition.idempotency_key(&arn);
        let (mut kind, mut at) = (NotificationKind::of(to.value), transition.at());
        if let Some(since) = message.reminds_at {
            // One transition is reminded of many times; each time is a message of its own.
            idempotency_key = format!("{idempotency_key}-{}", since.as_secs());
            (kind, at) = (NotificationKind::Reminder, since);
        }
        Notification {
            version: 1,
            key: idempotency_key.into(),
            incident: incident(&arn),
            kind,
            alarm: Arc::clone(name),
            alarm_arn: arn.into(),
            description: alarm.description().map(Into::into),
            previous: from.value,
            state: to.value,
            reason: Arc::clone(&to.reason),
            at,
            held: message.held,
            since: if is_resolved { from.transitioned } else { to.transitioned },
            run: last.failed.filter(|_| to.value == StateValue::Alarm),
            last_good_run: last.good,
            link: self.link(scope, name, canary.as_deref()),
            canary,
        }
    }

    fn link(&self, scope: &Scope, alarm: &str, canary: Option<&str>) -> Option<Arc<str>> {
        let base = self.settings.link_base.as_deref()?.trim_end_matches('/');
        let encoded =
            |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        // Pages exist for the monitor's own scope only.
        if *scope != self.settings.scope {
            return None;
        }
        Some(match canary {
            Some(canary) => format!("{base}/canaries/{}", encoded(canary)).into(),
            None => format!("{base}/alarms/{}", encoded(alarm)).into(),
        })
    }
}

/// A new alarm that turns out to be fine is no news; AWS would tell it.
fn is_first_ok_of_a_file(definition: &AlarmDefinition, transition: &StateTransition) -> bool {
    let AlarmDefinition::Metric(alarm) = definition else { return false };
    let of_file = matches!(alarm.origin, AlarmOrigin::CanaryFile { .. });
    of_file && transition.from.sequence == 0 && transition.to.value == StateValue::Ok
}

/// The canary whose metric an alarm watches.
pub(super) fn canary_of(alarm: AlarmRef<'_>) -> Option<Arc<str>> {
    let AlarmRef::Metric(alarm) = alarm else { return None };
    let by_metric = |alarm: &MetricAlarm| match &alarm.watched {
        Watched::Metric(single) if &*single.metric.namespace == "CloudWatchSynthetics" => {
            single.metric.dimensions.get("CanaryName").map(Arc::from)
        }
        _ => None,
    };
    match &alarm.origin {
        AlarmOrigin::CanaryFile { canary } => Some(Arc::clone(canary)),
        AlarmOrigin::Api => by_metric(alarm),
    }
}

/// Joins an alarm's notifications over its whole life, in a form that mail headers take too.
fn incident(arn: &str) -> Arc<str> {
    blake3::hash(arn.as_bytes()).to_hex().chars().take(24).collect::<String>().into()
}

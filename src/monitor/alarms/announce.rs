use std::collections::BTreeSet;
use std::sync::Arc;

use super::book::{AlarmDefinition, AlarmKey};
use super::pass::Change;
use crate::alarm::{
    ActionOutcome, AlarmOrigin, AlarmRef, HistoryItem, MetricAlarm, StateTransition, StateValue,
    Watched,
};
use crate::monitor::OutboxRow;
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
}

/// What the actions of a transition come to.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    pub(super) rows: Vec<OutboxRow>,
    /// Actions that nobody here can carry out, as the alarm's history tells it.
    pub(super) refused: Vec<HistoryItem>,
}

impl Announcer {
    /// The rows that tell of `change`; none when its actions are held or not wanted.
    pub(super) fn announce(&self, change: &Change) -> Announcement {
        let mut announcement = Announcement::default();
        let Some(transition) = &change.actions else { return announcement };
        if is_first_ok_of_a_file(&change.definition, transition) {
            return announcement;
        }
        let alarm = change.alarm();
        for resource in alarm.actions().of(transition.to.value) {
            match self.channel(resource) {
                Ok(channel) => announcement.rows.push(OutboxRow {
                    channel,
                    resource: Arc::clone(resource),
                    alarm_type: alarm.kind(),
                    sequence: transition.to.sequence,
                    notification: self.notification(&change.key, alarm, transition),
                    attempts: 0,
                    last_fault: None,
                }),
                Err(why) => announcement.refused.push(HistoryItem::action(
                    (alarm.name(), alarm.kind()),
                    resource,
                    ActionOutcome::Failed(&why),
                    (transition.at(), transition.at()),
                )),
            }
        }
        announcement
    }

    /// The channel that an action's ARN stands for: a topic is the channel of its name.
    fn channel(&self, resource: &str) -> Result<Arc<str>, String> {
        let mut parts = resource.splitn(6, ':');
        let topic = match (parts.next(), parts.nth(1), parts.nth(2)) {
            (Some("arn"), Some("sns"), Some(topic)) => topic,
            _ => return Err(format!("actions of this kind are not carried out here: {resource}")),
        };
        match self.channels.get(topic) {
            Some(channel) => Ok(Arc::clone(channel)),
            None => Err(format!("no channel is called {topic}")),
        }
    }

    fn notification(
        &self,
        key: &AlarmKey,
        alarm: AlarmRef<'_>,
        transition: &StateTransition,
    ) -> Notification {
        let (scope, name) = key;
        let arn = alarm.arn(scope);
        let canary = canary_of(alarm);
        let last = canary.as_ref().map(|canary| self.memory.of(canary)).unwrap_or_default();
        let (from, to) = (&transition.from, &transition.to);
        let is_resolved = from.value == StateValue::Alarm && to.value == StateValue::Ok;
        Notification {
            version: 1,
            key: transition.idempotency_key(&arn).into(),
            incident: incident(&arn),
            kind: NotificationKind::of(to.value),
            alarm: Arc::clone(name),
            alarm_arn: arn.into(),
            description: alarm.description().map(Into::into),
            previous: from.value,
            state: to.value,
            reason: Arc::clone(&to.reason),
            at: transition.at(),
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

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::target::{DeadLetterConfig, Target};
use crate::bus::refusal::{BusError, RefusalKind};
use crate::pattern::EventPattern;
use crate::telemetry::{DEFAULT_EVENT_BUS, Scope};
use crate::time::Timestamp;

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// Its key.
    pub key: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

impl Tag {
    /// Sets `new` over `tags` of the same keys.
    pub fn set(tags: &mut Vec<Self>, new: Vec<Self>) {
        for tag in new {
            match tags.iter_mut().find(|held| held.key == tag.key) {
                Some(held) => held.value = tag.value,
                None => tags.push(tag),
            }
        }
    }
}

/// An event bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventBus {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Taken on trust: nothing is encrypted with it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_identifier: Option<String>,
    /// Kept as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetterConfig>,
    /// Kept as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_config: Option<Value>,
    /// Who else may put events on it, as an IAM policy document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
}

impl EventBus {
    /// A bus without anything.
    pub fn new(at: Timestamp) -> Self {
        Self {
            description: None,
            created: at,
            modified: at,
            tags: Vec::new(),
            kms_key_identifier: None,
            dead_letter: None,
            log_config: None,
            policy: None,
        }
    }
}

/// Whether a rule acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RuleState {
    /// It acts.
    #[default]
    Enabled,
    /// It does not.
    Disabled,
    /// It acts, also on read-only management calls.
    EnabledWithAllCloudtrailManagementEvents,
}

/// A rule of a bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// The bus it is on.
    pub bus: Arc<str>,
    /// Which events it acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Arc<str>>,
    /// When it acts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Arc<str>>,
    /// Whether it acts.
    pub state: RuleState,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Taken on trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Where its events go.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// When it, or its schedule, was made: a rate counts from here.
    pub since: Timestamp,
}

impl Rule {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        rule_arn(scope, &self.bus, &self.name)
    }

    /// Its name in the store.
    pub(in crate::bus) fn key(&self) -> String {
        format!("{}/{}", self.bus, self.name)
    }
}

/// The ARN of a rule: that of the default bus does not name it.
pub fn rule_arn(scope: &Scope, bus: &str, rule: &str) -> String {
    if bus == DEFAULT_EVENT_BUS {
        scope.arn("events", format_args!("rule/{rule}"))
    } else {
        scope.arn("events", format_args!("rule/{bus}/{rule}"))
    }
}

/// What PutRule takes, once its shape has been checked.
#[derive(Clone, Debug)]
pub struct PutRule {
    /// The rule's name.
    pub name: Arc<str>,
    /// Its bus.
    pub bus: Arc<str>,
    /// Which events it acts on.
    pub pattern: Option<Arc<str>>,
    /// When it acts by itself.
    pub schedule: Option<Arc<str>>,
    /// Whether it acts.
    pub state: RuleState,
    /// What it is for.
    pub description: Option<String>,
    /// Taken on trust.
    pub role_arn: Option<String>,
    /// Its tags; those of a rule that is there stay.
    pub tags: Vec<Tag>,
}

impl PutRule {
    /// The rule that it makes of `old`, if there is one: what is left out is cleared, targets and
    /// tags stay.
    pub(in crate::bus) fn rule(self, old: Option<&Rule>, now: Timestamp) -> Result<Rule, BusError> {
        if self.pattern.is_none() && self.schedule.is_none() {
            let why = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
            return Err(RefusalKind::Invalid.because(why));
        }
        if let Some(pattern) = &self.pattern {
            read_pattern(pattern)?;
        }
        if let Some(schedule) = &self.schedule {
            if &*self.bus != DEFAULT_EVENT_BUS {
                let why = "ScheduleExpression is supported only on the default event bus.";
                return Err(RefusalKind::Invalid.because(why));
            }
            super::schedule::parse(schedule)?;
        }
        let same_schedule = old.filter(|old| old.schedule == self.schedule);
        Ok(Rule {
            name: self.name,
            bus: self.bus,
            pattern: self.pattern,
            schedule: self.schedule,
            state: self.state,
            description: self.description,
            role_arn: self.role_arn,
            tags: old.map_or(self.tags, |old| old.tags.clone()),
            targets: old.map(|old| old.targets.clone()).unwrap_or_default(),
            since: same_schedule.map_or(now, |old| old.since),
        })
    }
}

/// Reads a pattern, or refuses it in AWS's words.
pub fn read_pattern(pattern: &str) -> Result<EventPattern, BusError> {
    EventPattern::parse(pattern).map_err(|fault| {
        let reason = fault.reason.to_string();
        let mut letters = reason.chars();
        let first = letters.next().map(char::to_uppercase);
        let reason: String = first.into_iter().flatten().chain(letters).collect();
        let place = if fault.path.is_empty() { "" } else { " at " };
        let why = format!("Event pattern is not valid. Reason: {reason}{place}{}", fault.path);
        RefusalKind::InvalidPattern.because(why)
    })
}

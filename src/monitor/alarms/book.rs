use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mute::AlarmMuteRule;
use crate::alarm::{
    AlarmCare, AlarmRef, AlarmState, CompositeAlarm, MathPlan, MetricAlarm, StateValue,
    Suppression, Told, Watched, instant,
};
use crate::telemetry::{MetricId, Scope};
use crate::time::{TimeRange, Timestamp};

/// Names an alarm.
pub(in crate::monitor) type AlarmKey = (Scope, Arc<str>);

/// The definition of an alarm of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum AlarmDefinition {
    /// On a metric.
    Metric(Arc<MetricAlarm>),
    /// On other alarms.
    Composite(Arc<CompositeAlarm>),
}

impl AlarmDefinition {
    /// The definition, borrowed.
    pub fn as_ref(&self) -> AlarmRef<'_> {
        match self {
            Self::Metric(alarm) => AlarmRef::Metric(alarm),
            Self::Composite(alarm) => AlarmRef::Composite(alarm),
        }
    }
}

/// What changes about an alarm without anybody changing its definition; stored as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCondition {
    /// Its state.
    pub state: AlarmState,
    /// What holds its actions; composites only.
    #[serde(default)]
    pub suppression: Suppression,
    /// That a mute rule held its actions, and they are not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Muted>,
    /// What people were told last, of an alarm whose tags say how often they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// Actions that a mute rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Muted {
    /// The state that people were last told of; unknown where a suppressor had held it as well.
    pub told: Option<StateValue>,
}

impl AlarmCondition {
    /// A state whose actions nothing holds.
    pub const fn free(state: AlarmState) -> Self {
        Self { state, suppression: Suppression::None, muted: None, told: None }
    }
}

/// An alarm as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmSnapshot {
    /// What it is.
    pub definition: AlarmDefinition,
    /// How it is.
    pub condition: AlarmCondition,
}

impl AlarmSnapshot {
    /// The definition, borrowed.
    pub fn alarm(&self) -> AlarmRef<'_> {
        self.definition.as_ref()
    }

    /// The state's value.
    pub const fn state(&self) -> StateValue {
        self.condition.state.value
    }
}

/// Every alarm, in memory, with the ways to find those that a change concerns.
#[derive(Debug, Default)]
pub(in crate::monitor) struct AlarmBook {
    alarms: BTreeMap<AlarmKey, Tracked>,
    by_metric: HashMap<(Scope, MetricId), BTreeSet<Arc<str>>>,
    /// Composites by the alarms that their rule or their suppressor mentions.
    composites_of: BTreeMap<AlarmKey, BTreeSet<Arc<str>>>,
    mute_rules: BTreeMap<AlarmKey, Arc<AlarmMuteRule>>,
}

/// A window in which a rule holds an alarm's actions.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct MuteWindow {
    pub(in crate::monitor) rule: Arc<AlarmMuteRule>,
    pub(in crate::monitor) open: TimeRange,
}

impl MuteWindow {
    /// How events tell of it.
    pub(in crate::monitor) fn detail(&self, scope: &Scope) -> serde_json::Value {
        serde_json::json!({
            "mutedByArn": self.rule.arn(scope),
            "muteWindowStart": instant(self.open.start),
            "muteWindowEnd": instant(self.open.end),
        })
    }
}

#[derive(Debug)]
struct Tracked {
    snapshot: Arc<AlarmSnapshot>,
    plan: Option<Arc<MathPlan>>,
    care: AlarmCare,
}

/// A metric alarm that is to be evaluated.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct Subject {
    pub(in crate::monitor) scope: Scope,
    pub(in crate::monitor) alarm: Arc<MetricAlarm>,
    pub(in crate::monitor) state: StateValue,
    pub(in crate::monitor) plan: Option<Arc<MathPlan>>,
}

impl AlarmBook {
    pub(in crate::monitor) fn get(&self, key: &AlarmKey) -> Option<&Arc<AlarmSnapshot>> {
        self.alarms.get(key).map(|tracked| &tracked.snapshot)
    }

    /// The alarms of a scope, by name.
    pub(in crate::monitor) fn of_scope<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = &'a Arc<AlarmSnapshot>> {
        let from = (scope.clone(), Arc::from(""));
        let alarms = self.alarms.range(from..).take_while(move |((of, _), _)| of == scope);
        alarms.map(|(_, tracked)| &tracked.snapshot)
    }

    pub(in crate::monitor) fn len(&self) -> usize {
        self.alarms.len()
    }

    /// Adds or replaces an alarm.
    pub(in crate::monitor) fn put(&mut self, scope: &Scope, snapshot: AlarmSnapshot) {
        let name = Arc::clone(snapshot.alarm().name());
        let key = (scope.clone(), Arc::clone(&name));
        self.remove(&key);
        for metric in watched_metrics(&snapshot.definition) {
            self.by_metric.entry((scope.clone(), metric)).or_default().insert(Arc::clone(&name));
        }
        for child in mentioned(&snapshot.definition) {
            let child = (scope.clone(), child);
            self.composites_of.entry(child).or_default().insert(Arc::clone(&name));
        }
        let plan = plan(&snapshot.definition);
        // Checked when the tags were set; of a store that says otherwise nothing is held back.
        let care = AlarmCare::of_tags(snapshot.alarm().tags()).unwrap_or_default();
        self.alarms.insert(key, Tracked { snapshot: Arc::new(snapshot), plan, care });
    }

    pub(in crate::monitor) fn remove(&mut self, key: &AlarmKey) -> Option<Arc<AlarmSnapshot>> {
        let tracked = self.alarms.remove(key)?;
        let (scope, name) = key;
        for metric in watched_metrics(&tracked.snapshot.definition) {
            let place = (scope.clone(), metric);
            if let Some(names) = self.by_metric.get_mut(&place) {
                names.remove(name);
                if names.is_empty() {
                    self.by_metric.remove(&place);
                }
            }
        }
        for child in mentioned(&tracked.snapshot.definition) {
            let child = (scope.clone(), child);
            if let Some(names) = self.composites_of.get_mut(&child) {
                names.remove(name);
                if names.is_empty() {
                    self.composites_of.remove(&child);
                }
            }
        }
        Some(tracked.snapshot)
    }

    /// Notes what became of an alarm that still exists.
    pub(in crate::monitor) fn set_condition(&mut self, key: &AlarmKey, condition: AlarmCondition) {
        if let Some(tracked) = self.alarms.get_mut(key) {
            let definition = tracked.snapshot.definition.clone();
            tracked.snapshot = Arc::new(AlarmSnapshot { definition, condition });
        }
    }

    /// The metric alarms that watch one of these metrics.
    pub(in crate::monitor) fn watching(&self, scope: &Scope, metrics: &[MetricId]) -> Vec<Subject> {
        let mut names = BTreeSet::new();
        for metric in metrics {
            names
                .extend(self.by_metric.get(&(scope.clone(), metric.clone())).into_iter().flatten());
        }
        names
            .into_iter()
            .filter_map(|name| self.subject(&(scope.clone(), Arc::clone(name))))
            .collect()
    }

    /// The metric alarms whose cadence has a boundary at `boundary`.
    pub(in crate::monitor) fn due_at(&self, boundary: Timestamp) -> Vec<Subject> {
        let is_due = |alarm: &MetricAlarm| boundary.floor(alarm.cadence()) == boundary;
        self.subjects(is_due)
    }

    /// Metric alarms that fit.
    pub(in crate::monitor) fn subjects(&self, fits: impl Fn(&MetricAlarm) -> bool) -> Vec<Subject> {
        let subject = |((scope, _), tracked): (&AlarmKey, &Tracked)| match &tracked
            .snapshot
            .definition
        {
            AlarmDefinition::Metric(alarm) if fits(alarm) => Some(tracked.subject(scope, alarm)),
            _ => None,
        };
        self.alarms.iter().filter_map(subject).collect()
    }

    pub(in crate::monitor) fn subject(&self, key: &AlarmKey) -> Option<Subject> {
        let tracked = self.alarms.get(key)?;
        match &tracked.snapshot.definition {
            AlarmDefinition::Metric(alarm) => Some(tracked.subject(&key.0, alarm)),
            AlarmDefinition::Composite(_) => None,
        }
    }

    /// The composites that mention an alarm, in their rule or as their suppressor.
    pub(in crate::monitor) fn composites_of(&self, key: &AlarmKey) -> Vec<AlarmKey> {
        let names = self.composites_of.get(key).into_iter().flatten();
        names.map(|name| (key.0.clone(), Arc::clone(name))).collect()
    }

    /// How often people are told of an alarm.
    pub(in crate::monitor) fn care(&self, key: &AlarmKey) -> AlarmCare {
        self.alarms.get(key).map(|tracked| tracked.care).unwrap_or_default()
    }

    /// Alarms of which time alone makes a message due.
    pub(in crate::monitor) fn messages_due(&self, at: Timestamp) -> Vec<AlarmKey> {
        let is_due = |tracked: &Tracked| {
            let told = tracked.snapshot.condition.told;
            told.and_then(|told| tracked.care.look(told, tracked.snapshot.state(), at)).is_some()
        };
        let due = self.alarms.iter().filter(|(_, tracked)| is_due(tracked));
        due.map(|(key, _)| key.clone()).collect()
    }

    /// Adds or replaces a mute rule.
    pub(in crate::monitor) fn put_mute(&mut self, scope: &Scope, rule: AlarmMuteRule) {
        let key = (scope.clone(), Arc::clone(&rule.input().name));
        self.mute_rules.insert(key, Arc::new(rule));
    }

    pub(in crate::monitor) fn remove_mute(&mut self, scope: &Scope, name: &Arc<str>) {
        self.mute_rules.remove(&(scope.clone(), Arc::clone(name)));
    }

    pub(in crate::monitor) fn mute_rule(
        &self,
        scope: &Scope,
        name: &Arc<str>,
    ) -> Option<Arc<AlarmMuteRule>> {
        self.mute_rules.get(&(scope.clone(), Arc::clone(name))).cloned()
    }

    /// The mute rules of a scope, by name.
    pub(in crate::monitor) fn mute_rules(&self, scope: &Scope) -> Vec<Arc<AlarmMuteRule>> {
        let of_scope = self.mute_rules.iter().filter(|((of, _), _)| of == scope);
        of_scope.map(|(_, rule)| Arc::clone(rule)).collect()
    }

    /// The window that holds an alarm's actions at `at`, the one that ends last of several.
    pub(in crate::monitor) fn mute_of(&self, key: &AlarmKey, at: Timestamp) -> Option<MuteWindow> {
        let (scope, name) = key;
        let mine = |of: &AlarmKey, rule: &AlarmMuteRule| of.0 == *scope && rule.targets(name);
        let window = |(of, rule): (&AlarmKey, &Arc<AlarmMuteRule>)| {
            let open = mine(of, rule).then(|| rule.window(at)).flatten()?;
            Some(MuteWindow { rule: Arc::clone(rule), open })
        };
        self.mute_rules.iter().filter_map(window).max_by_key(|window| window.open.end)
    }

    /// Alarms with actions that a mute rule held and none holds any more.
    pub(in crate::monitor) fn mutes_ended(&self, at: Timestamp) -> Vec<AlarmKey> {
        let held = self.alarms.iter().filter(|(_, t)| t.snapshot.condition.muted.is_some());
        let ended = held.filter(|(key, _)| self.mute_of(key, at).is_none());
        ended.map(|(key, _)| key.clone()).collect()
    }

    /// The timer of a suppression that is over first, and whose it is.
    pub(in crate::monitor) fn next_timer(&self) -> Option<(Timestamp, AlarmKey)> {
        let due = |(key, tracked): (&AlarmKey, &Tracked)| {
            Some((tracked.snapshot.condition.suppression.due()?, key.clone()))
        };
        self.alarms.iter().filter_map(due).min()
    }

    /// Composites whose suppression has a timer that is over.
    pub(in crate::monitor) fn suppressions_due(&self, at: Timestamp) -> Vec<AlarmKey> {
        let is_due = |tracked: &Tracked| {
            tracked.snapshot.condition.suppression.due().is_some_and(|until| until <= at)
        };
        let due = self.alarms.iter().filter(|(_, tracked)| is_due(tracked));
        due.map(|(key, _)| key.clone()).collect()
    }
}

impl Tracked {
    fn subject(&self, scope: &Scope, alarm: &Arc<MetricAlarm>) -> Subject {
        Subject {
            scope: scope.clone(),
            alarm: Arc::clone(alarm),
            state: self.snapshot.state(),
            plan: self.plan.clone(),
        }
    }
}

fn plan(definition: &AlarmDefinition) -> Option<Arc<MathPlan>> {
    match definition {
        AlarmDefinition::Metric(alarm) => match &alarm.watched {
            Watched::Queries { queries, period } => {
                MathPlan::of(queries, *period).ok().map(Arc::new)
            }
            Watched::Metric(_) => None,
        },
        AlarmDefinition::Composite(_) => None,
    }
}

fn watched_metrics(definition: &AlarmDefinition) -> Vec<MetricId> {
    let AlarmDefinition::Metric(alarm) = definition else { return Vec::new() };
    match &alarm.watched {
        Watched::Metric(single) => vec![single.metric.clone()],
        Watched::Queries { .. } => plan(definition).map_or_else(Vec::new, |plan| {
            plan.metrics().iter().map(|metric| metric.metric.clone()).collect()
        }),
    }
}

fn mentioned(definition: &AlarmDefinition) -> BTreeSet<Arc<str>> {
    let AlarmDefinition::Composite(alarm) = definition else { return BTreeSet::new() };
    let mut names = alarm.rule.alarms();
    names.extend(alarm.suppressor.iter().map(|suppressor| Arc::clone(&suppressor.alarm)));
    names
}

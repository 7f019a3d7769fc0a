use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::book::{AlarmBook, AlarmCondition, AlarmDefinition, AlarmKey, MuteWindow, Muted};
use crate::alarm::{
    AfterMute, AlarmRef, AlarmState, CompositeAlarm, HeldActions, Message, StateTransition,
    StateValue, Suppression, SuppressionChange, Told,
};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// What one look at the alarms changes, composites included, before any of it is stored.
#[derive(Debug)]
pub(in crate::monitor) struct Pass<'a> {
    book: &'a AlarmBook,
    at: Timestamp,
    /// Conditions as they will be.
    conditions: BTreeMap<AlarmKey, AlarmCondition>,
    found: Vec<Change>,
    /// Changed alarms whose composites were not looked at yet.
    unfollowed: VecDeque<AlarmKey>,
}

/// One alarm's change.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct Change {
    pub(in crate::monitor) key: AlarmKey,
    pub(in crate::monitor) definition: AlarmDefinition,
    /// How it is from now on.
    pub(in crate::monitor) condition: AlarmCondition,
    /// The transition, where the state changed; a suppression can change alone.
    pub(in crate::monitor) transition: Option<StateTransition>,
    /// The actions that are to be done now.
    pub(in crate::monitor) actions: Option<DueActions>,
    /// The window of a mute rule that is open.
    pub(in crate::monitor) mute: Option<MuteWindow>,
}

/// Actions that are to be done now.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct DueActions {
    /// What they tell of.
    pub(in crate::monitor) transition: StateTransition,
    /// What is said beside it.
    pub(in crate::monitor) message: Message,
    /// Whether a mute rule had held them.
    pub(in crate::monitor) after_mute: AfterMute,
}

impl<'a> Pass<'a> {
    pub(in crate::monitor) fn new(book: &'a AlarmBook, at: Timestamp) -> Self {
        Self {
            book,
            at,
            conditions: BTreeMap::new(),
            found: Vec::new(),
            unfollowed: VecDeque::new(),
        }
    }

    /// What was found, children before the composites on them.
    pub(in crate::monitor) fn into_changes(self) -> Vec<Change> {
        self.found
    }

    /// An alarm's state changes; composites follow.
    pub(in crate::monitor) fn transition(&mut self, key: &AlarmKey, transition: StateTransition) {
        self.note(key, transition);
        while let Some(changed) = self.unfollowed.pop_front() {
            self.follow(&changed);
        }
    }

    fn note(&mut self, key: &AlarmKey, transition: StateTransition) {
        let Some(snapshot) = self.book.get(key) else { return };
        let before = self.condition(key);
        let suppression = before.as_ref().map(|c| c.suppression).unwrap_or_default();
        let (suppression, actions) = match &snapshot.definition {
            AlarmDefinition::Metric(_) => (Suppression::None, HeldActions::Run),
            AlarmDefinition::Composite(alarm) => {
                self.step(&key.0, alarm, suppression, SuppressionChange::Composite)
            }
        };
        let mute = self.book.mute_of(key, self.at);
        let told = before.as_ref().and_then(|condition| condition.told);
        let muted = before.and_then(|condition| condition.muted);
        // While a window is open the first held transition says what people know.
        let muted = match (&mute, actions) {
            (None, _) => None,
            (Some(_), HeldActions::Hold) => muted,
            (Some(_), HeldActions::Run) => {
                muted.or(Some(Muted { told: Some(transition.from.value) }))
            }
        };
        let acts = actions == HeldActions::Run && mute.is_none();
        let (told, message) = self.tell(key, told, (transition.to.value, acts));
        let condition = AlarmCondition { state: transition.to.clone(), suppression, muted, told };
        self.conditions.insert(key.clone(), condition.clone());
        self.found.push(Change {
            key: key.clone(),
            definition: snapshot.definition.clone(),
            condition,
            actions: due(message, &transition, AfterMute::No),
            transition: Some(transition),
            mute,
        });
        self.unfollowed.push_back(key.clone());
    }

    /// A suppression's timer is over, or its suppressor changed.
    pub(in crate::monitor) fn suppressor(&mut self, key: &AlarmKey) {
        let Some(snapshot) = self.book.get(key) else { return };
        let AlarmDefinition::Composite(alarm) = &snapshot.definition else { return };
        let Some(condition) = self.condition(key) else { return };
        let before = condition.suppression;
        let (after, actions) = self.step(&key.0, alarm, before, SuppressionChange::Suppressor);
        if after == before && actions == HeldActions::Hold {
            return;
        }
        let mute = self.book.mute_of(key, self.at);
        let acts = actions == HeldActions::Run && mute.is_none();
        let muted = match (&mute, actions) {
            (Some(_), HeldActions::Run) => condition.muted.or(Some(Muted { told: None })),
            _ => condition.muted,
        };
        let (told, message) = self.tell(key, condition.told, (condition.state.value, acts));
        let condition = AlarmCondition { suppression: after, muted, told, ..condition };
        self.conditions.insert(key.clone(), condition.clone());
        // The actions of the state that the composite is in now, however it came there.
        let state = &condition.state;
        let current = StateTransition { from: state.clone(), to: state.clone() };
        self.found.push(Change {
            key: key.clone(),
            definition: snapshot.definition.clone(),
            transition: None,
            actions: due(message, &current, AfterMute::No),
            condition,
            mute,
        });
    }

    /// The last window that held an alarm's actions is over: those of the state it is in now are
    /// done, unless people know that state already.
    ///
    /// Source: CloudWatch User Guide, "Alarm mute rules". Differs: what AWS does for an alarm that
    /// is back in the state it had before is not said; nothing is done.
    pub(in crate::monitor) fn mute_ended(&mut self, key: &AlarmKey) {
        let Some(snapshot) = self.book.get(key) else { return };
        let Some(condition) = self.condition(key) else { return };
        let Some(muted) = condition.muted else { return };
        let state = condition.state.clone();
        // What a suppressor still holds is its business.
        let is_held = condition.suppression != Suppression::None;
        let acts = muted.told != Some(state.value) && !is_held;
        let (told, message) = self.tell(key, condition.told, (state.value, acts));
        let condition = AlarmCondition { muted: None, told, ..condition };
        self.conditions.insert(key.clone(), condition.clone());
        let current = StateTransition { from: state.clone(), to: state };
        self.found.push(Change {
            key: key.clone(),
            definition: snapshot.definition.clone(),
            transition: None,
            actions: due(message, &current, AfterMute::Yes),
            condition,
            mute: None,
        });
    }

    /// Time alone makes a message due: a dwell is over, or a reminder is.
    pub(in crate::monitor) fn message_due(&mut self, key: &AlarmKey) {
        let Some(snapshot) = self.book.get(key) else { return };
        let Some(condition) = self.condition(key) else { return };
        let Some(known) = condition.told else { return };
        let is_held = condition.suppression != Suppression::None;
        if is_held || self.book.mute_of(key, self.at).is_some() {
            return;
        }
        let state = condition.state.clone();
        let looked = self.book.care(key).look(known, state.value, self.at);
        let Some((told, message)) = looked else { return };
        let condition = AlarmCondition { told: Some(told), ..condition };
        self.conditions.insert(key.clone(), condition.clone());
        // People know the state that they were told of last.
        let from = AlarmState { value: known.state, transitioned: known.at, ..state.clone() };
        let current = StateTransition { from, to: state };
        self.found.push(Change {
            key: key.clone(),
            definition: snapshot.definition.clone(),
            transition: None,
            actions: due(Some(message), &current, AfterMute::No),
            condition,
            mute: None,
        });
    }

    /// What people know after actions that are due, or held.
    fn tell(
        &self,
        key: &AlarmKey,
        told: Option<Told>,
        (state, acts): (StateValue, bool),
    ) -> (Option<Told>, Option<Message>) {
        if acts { self.book.care(key).due(told, state, self.at) } else { (told, None) }
    }

    /// A child of composites is gone: its terms are false from now on.
    pub(in crate::monitor) fn gone(&mut self, child: &AlarmKey) {
        for parent in self.book.composites_of(child) {
            let Some(snapshot) = self.book.get(&parent) else { continue };
            let AlarmDefinition::Composite(alarm) = &snapshot.definition else { continue };
            self.suppressor(&parent);
            let value = self.rule_state(&parent.0, alarm);
            let Some(current) = self.condition(&parent) else { continue };
            let reason =
                || (CompositeAlarm::reason_of_gone_child(&parent.0, &child.1, value), None);
            if let Some(transition) = current.state.transition(value, self.at, reason) {
                self.transition(&parent, transition);
            }
        }
    }

    /// A composite is looked at because its definition changed.
    pub(in crate::monitor) fn definition(&mut self, key: &AlarmKey, word: &str) {
        let Some(snapshot) = self.book.get(key) else { return };
        let AlarmDefinition::Composite(alarm) = &snapshot.definition else { return };
        let state = self.rule_state(&key.0, alarm);
        let (scope, at) = (&key.0, self.at);
        let reason = || (alarm.reason_of_definition(scope, word, state), None);
        if let Some(transition) = snapshot.condition.state.transition(state, at, reason) {
            self.transition(key, transition);
        }
    }

    /// Looks at every composite that mentions `child`.
    fn follow(&mut self, child: &AlarmKey) {
        for parent in self.book.composites_of(child) {
            let Some(snapshot) = self.book.get(&parent) else { continue };
            let AlarmDefinition::Composite(alarm) = &snapshot.definition else { continue };
            let is_suppressor = alarm.suppressor.as_ref().is_some_and(|s| s.alarm == child.1);
            if is_suppressor {
                self.suppressor(&parent);
            }
            if !alarm.rule.alarms().contains(&child.1) {
                continue;
            }
            let value = self.rule_state(&parent.0, alarm);
            let Some(current) = self.condition(&parent) else { continue };
            let child_state = self.state_of(&parent.0, &child.1).unwrap_or_default();
            let (scope, at) = (&parent.0, self.at);
            let reason = || {
                let reason = CompositeAlarm::reason_of_child(scope, &child.1, child_state, at);
                let data = CompositeAlarm::reason_data_of_child(scope, &child.1, child_state, at);
                (reason, Some(data))
            };
            if let Some(transition) = current.state.transition(value, at, reason) {
                self.note(&parent, transition);
            }
        }
    }

    fn step(
        &self,
        scope: &Scope,
        alarm: &CompositeAlarm,
        suppression: Suppression,
        change: SuppressionChange,
    ) -> (Suppression, HeldActions) {
        let suppressor = alarm.suppressor.as_ref();
        let state = suppressor.and_then(|suppressor| self.state_of(scope, &suppressor.alarm));
        let step = suppression.step(change, suppressor, state, self.at);
        (step.next, step.actions)
    }

    fn rule_state(&self, scope: &Scope, alarm: &CompositeAlarm) -> StateValue {
        alarm.evaluate(&|name| self.state_of(scope, name))
    }

    fn state_of(&self, scope: &Scope, name: &str) -> Option<StateValue> {
        let key = (scope.clone(), Arc::from(name));
        self.condition(&key).map(|condition| condition.state.value)
    }

    fn condition(&self, key: &AlarmKey) -> Option<AlarmCondition> {
        let known = self.book.get(key).map(|snapshot| snapshot.condition.clone());
        self.conditions.get(key).cloned().or(known)
    }
}

fn due(
    message: Option<Message>,
    transition: &StateTransition,
    after_mute: AfterMute,
) -> Option<DueActions> {
    message.map(|message| DueActions { transition: transition.clone(), message, after_mute })
}

impl Change {
    pub(in crate::monitor) fn alarm(&self) -> AlarmRef<'_> {
        self.definition.as_ref()
    }

    pub(in crate::monitor) fn state(&self) -> &AlarmState {
        &self.condition.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{MetricAlarm, PutCompositeAlarm, Tag};
    use crate::monitor::AlarmSnapshot;
    use crate::monitor::alarms::mute::{AlarmMuteRule, PutMuteRule};

    fn key(name: &str) -> AlarmKey {
        (Scope::default(), name.into())
    }

    fn book(composites: &[(&str, &str, Option<&str>)]) -> AlarmBook {
        let mut book = AlarmBook::default();
        let at = Timestamp::EPOCH;
        let fresh = || {
            let state = AlarmState { value: StateValue::Ok, ..AlarmState::initial(at) };
            AlarmCondition::free(state)
        };
        for name in ["a", "b", "quiet"] {
            let alarm = MetricAlarm { name: name.into(), ..MetricAlarm::example() };
            let definition = AlarmDefinition::Metric(Arc::new(alarm));
            book.put(&Scope::default(), AlarmSnapshot { definition, condition: fresh() });
        }
        for (name, rule, suppressor) in composites {
            let input = PutCompositeAlarm {
                alarm_name: Some((*name).into()),
                alarm_rule: Some((*rule).into()),
                actions_suppressor: suppressor.map(Into::into),
                actions_suppressor_wait_period: suppressor.map(|_| 60),
                actions_suppressor_extension_period: suppressor.map(|_| 60),
                ..PutCompositeAlarm::default()
            };
            let definition = AlarmDefinition::Composite(Arc::new(input.validate(at).unwrap()));
            book.put(&Scope::default(), AlarmSnapshot { definition, condition: fresh() });
        }
        book
    }

    fn goes_to(book: &AlarmBook, name: &str, value: StateValue, seconds: i64) -> Vec<Change> {
        let at = Timestamp::from_secs(seconds);
        let mut pass = Pass::new(book, at);
        let state = &book.get(&key(name)).unwrap().condition.state;
        let transition = state.transition(value, at, || ("why".to_owned(), None)).unwrap();
        pass.transition(&key(name), transition);
        pass.into_changes()
    }

    fn applied(book: &mut AlarmBook, changes: &[Change]) {
        for change in changes {
            book.set_condition(&change.key, change.condition.clone());
        }
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let told = |change: &Change| {
            let acts = if change.actions.is_some() { "acts" } else { "held" };
            format!("{} {} {acts}", change.key.1, change.state().value)
        };
        changes.iter().map(told).collect()
    }

    #[test]
    fn composites_of_composites_follow_in_one_pass() {
        let book = book(&[("ab", "ALARM(a) OR ALARM(b)", None), ("top", "ALARM(ab)", None)]);
        let changes = goes_to(&book, "a", StateValue::Alarm, 60);
        assert_eq!(told(&changes), ["a ALARM acts", "ab ALARM acts", "top ALARM acts"]);
        let reason = &changes[1].state().reason;
        assert!(reason.contains(":alarm:a transitioned to ALARM at Thursday 01"), "{reason}");
    }

    #[test]
    fn a_composite_whose_rule_still_says_the_same_stays_silent() {
        let mut book = book(&[("both", "ALARM(a) AND ALARM(b)", None)]);
        let changes = goes_to(&book, "a", StateValue::Alarm, 60);
        assert_eq!(told(&changes), ["a ALARM acts"]);
        applied(&mut book, &changes);
        let changes = goes_to(&book, "b", StateValue::Alarm, 120);
        assert_eq!(told(&changes), ["b ALARM acts", "both ALARM acts"]);
    }

    #[test]
    fn a_suppressed_composite_changes_and_its_actions_wait() {
        let mut book = book(&[("top", "ALARM(a)", Some("quiet"))]);
        let changes = goes_to(&book, "a", StateValue::Alarm, 60);
        assert_eq!(told(&changes), ["a ALARM acts", "top ALARM held"]);
        applied(&mut book, &changes);
        assert!(book.suppressions_due(Timestamp::from_secs(119)).is_empty());
        let due = book.suppressions_due(Timestamp::from_secs(120));
        assert_eq!(due, [key("top")]);
        let mut pass = Pass::new(&book, Timestamp::from_secs(120));
        pass.suppressor(&due[0]);
        let changes = pass.into_changes();
        assert_eq!(told(&changes), ["top ALARM acts"]);
        assert!(changes[0].transition.is_none());
    }

    #[test]
    fn a_suppressor_that_comes_in_time_keeps_the_actions_held() {
        let mut book = book(&[("top", "ALARM(a)", Some("quiet"))]);
        let changes = goes_to(&book, "a", StateValue::Alarm, 60);
        applied(&mut book, &changes);
        let changes = goes_to(&book, "quiet", StateValue::Alarm, 90);
        assert_eq!(told(&changes), ["quiet ALARM acts", "top ALARM held"]);
        assert_eq!(changes[1].condition.suppression, Suppression::Alarm);
    }

    fn muted(book: &mut AlarmBook, expression: &str) {
        let rule = PutMuteRule {
            name: "night".into(),
            expression: expression.into(),
            duration: "PT10M".into(),
            alarms: vec!["a".into()],
            ..PutMuteRule::default()
        };
        book.put_mute(&Scope::default(), AlarmMuteRule::try_from(rule).unwrap());
    }

    #[test]
    fn a_muted_alarm_changes_and_acts_once_the_window_is_over() {
        let mut book = book(&[("top", "ALARM(a)", None)]);
        muted(&mut book, "at(1970-01-01T01:00)");
        let changes = goes_to(&book, "a", StateValue::Alarm, 3_660);
        // A rule that names the child does not mute the composite.
        assert_eq!(told(&changes), ["a ALARM held", "top ALARM acts"]);
        assert!(changes[0].mute.is_some() && changes[1].mute.is_none());
        applied(&mut book, &changes);
        assert!(book.mutes_ended(Timestamp::from_secs(4_199)).is_empty());
        let at = Timestamp::from_secs(4_200);
        let ended = book.mutes_ended(at);
        assert_eq!(ended, [key("a")]);
        let mut pass = Pass::new(&book, at);
        pass.mute_ended(&ended[0]);
        let changes = pass.into_changes();
        assert_eq!(told(&changes), ["a ALARM acts"]);
        applied(&mut book, &changes);
        assert!(book.mutes_ended(at).is_empty());
    }

    #[test]
    fn a_composite_whose_child_is_deleted_is_judged_anew() {
        let mut book = book(&[("top", "ALARM(a)", None), ("not", "NOT ALARM(top)", None)]);
        let changes = goes_to(&book, "a", StateValue::Alarm, 60);
        applied(&mut book, &changes);
        book.remove(&key("a"));
        let mut pass = Pass::new(&book, Timestamp::from_secs(120));
        pass.gone(&key("a"));
        let changes = pass.into_changes();
        assert_eq!(told(&changes), ["top OK acts", "not ALARM acts"]);
        assert!(changes[0].state().reason.contains(":alarm:a was deleted"));
    }

    #[test]
    fn tags_hold_back_what_flaps_and_remind_of_what_stands() {
        let mut book = AlarmBook::default();
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        let tags = vec![tag("coalmine:dwell", "1m"), tag("coalmine:remind", "5m")];
        let alarm = MetricAlarm { name: "a".into(), tags, ..MetricAlarm::example() };
        let definition = AlarmDefinition::Metric(Arc::new(alarm));
        let state = AlarmState { value: StateValue::Ok, ..AlarmState::initial(Timestamp::EPOCH) };
        let condition = AlarmCondition::free(state);
        book.put(&Scope::default(), AlarmSnapshot { definition, condition });
        let mut seen = Vec::new();
        for (value, seconds) in
            [(StateValue::Alarm, 10), (StateValue::Ok, 20), (StateValue::Alarm, 30)]
        {
            let changes = goes_to(&book, "a", value, seconds);
            seen.extend(told(&changes));
            applied(&mut book, &changes);
        }
        assert_eq!(seen, ["a ALARM acts", "a OK held", "a ALARM held"]);
        let mut look = |seconds| {
            let at = Timestamp::from_secs(seconds);
            let due = book.messages_due(at);
            let mut pass = Pass::new(&book, at);
            due.iter().for_each(|key| pass.message_due(key));
            let changes = pass.into_changes();
            applied(&mut book, &changes);
            changes.into_iter().filter_map(|change| change.actions).map(|a| a.message).next()
        };
        assert_eq!(look(70), None);
        assert_eq!(look(309), None);
        assert_eq!(
            look(310),
            Some(Message { held: 2, reminds_at: Some(Timestamp::from_secs(310)) })
        );
        assert_eq!(look(320), None);
        assert_eq!(
            look(610),
            Some(Message { held: 0, reminds_at: Some(Timestamp::from_secs(610)) })
        );
    }

    #[test]
    fn a_muted_alarm_that_is_back_where_it_was_tells_nobody() {
        let mut book = book(&[]);
        muted(&mut book, "at(1970-01-01T01:00)");
        for (value, seconds) in [(StateValue::Alarm, 3_660), (StateValue::Ok, 3_720)] {
            let changes = goes_to(&book, "a", value, seconds);
            assert!(told(&changes)[0].ends_with("held"));
            applied(&mut book, &changes);
        }
        let at = Timestamp::from_secs(4_200);
        let mut pass = Pass::new(&book, at);
        pass.mute_ended(&key("a"));
        let changes = pass.into_changes();
        assert_eq!(told(&changes), ["a OK held"]);
        assert_eq!(changes[0].condition.muted, None);
    }
}

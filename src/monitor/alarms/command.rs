use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use thiserror::Error;
use tokio::sync::oneshot;

use super::book::{AlarmCondition, AlarmDefinition, AlarmKey, AlarmSnapshot};
use super::evaluator::Evaluator;
use super::mute::{MuteFault, PutMuteRule};
use super::pass::Pass;
use super::rest::CanaryRest;
use crate::alarm::{
    AlarmActions, AlarmCare, AlarmFault, AlarmOrigin, AlarmRef, AlarmRule, AlarmState, AlarmType,
    CompositeAlarm, ConfigurationChange, HistoryItem, MathPlan, MetricAlarm, PutCompositeAlarm,
    PutMetricAlarm, StateValue, Tag, TreatMissingData, Watched, configuration_change_event,
    find_cycle,
};
use crate::monitor::kind;
use crate::store::{AppendError, ResourceChanges, SortKey};
use crate::telemetry::{MetricId, Scope, TelemetryBatch};

/// Why a call on alarms was not carried out.
#[derive(Debug, Error)]
pub enum AlarmCallError {
    /// The input is not what AWS takes.
    #[error("{0}")]
    Refused(AlarmFault),
    /// There is no such alarm.
    #[error("no alarm is called {name}")]
    NoSuchAlarm {
        /// The name that was asked for.
        name: Arc<str>,
    },
    /// More than one composite in one DeleteAlarms.
    #[error("only one composite alarm can be deleted in one call")]
    SeveralComposites,
    /// A mute rule that AWS would refuse.
    #[error(transparent)]
    Mute(MuteFault),
    /// The store did not take it.
    #[error("the change was not stored")]
    Store(#[from] AppendError),
    /// The monitor is stopping.
    #[error("the monitor has stopped")]
    Stopped,
}

/// Tells the caller of a command how it went.
pub(in crate::monitor) type CallAnswer = oneshot::Sender<Result<(), AlarmCallError>>;

/// What others ask of the evaluator. It obeys one at a time, so that nothing races.
#[derive(Debug)]
pub(in crate::monitor) enum AlarmCommand {
    /// PutMetricAlarm.
    PutMetric(Scope, Box<PutMetricAlarm>, CallAnswer),
    /// PutCompositeAlarm.
    PutComposite(Scope, Box<PutCompositeAlarm>, CallAnswer),
    /// DeleteAlarms.
    Delete(Scope, Vec<Arc<str>>, CallAnswer),
    /// SetAlarmState.
    SetState(Scope, ForcedState, CallAnswer),
    /// EnableAlarmActions and DisableAlarmActions.
    EnableActions(Scope, Vec<Arc<str>>, ActionsSwitch, CallAnswer),
    /// TagResource and UntagResource on an alarm.
    SetTags(Scope, Arc<str>, Vec<Tag>, CallAnswer),
    /// PutAlarmMuteRule.
    PutMute(Scope, Box<PutMuteRule>, CallAnswer),
    /// DeleteAlarmMuteRule.
    DeleteMute(Scope, Arc<str>, CallAnswer),
    /// TagResource and UntagResource on a mute rule.
    SetMuteTags(Scope, Arc<str>, Vec<Tag>, CallAnswer),
    /// A canary file now declares these alarms and no others.
    Declared(AlarmKey, Vec<MetricAlarm>, Option<CanaryRest>),
    /// Look at every metric alarm; answers how many there are.
    EvaluateAll(oneshot::Sender<usize>),
    /// A run's metrics were stored.
    Recorded(Scope, Vec<MetricId>),
}

/// A state that somebody sets by hand.
#[derive(Clone, Debug)]
pub struct ForcedState {
    /// The alarm.
    pub name: Arc<str>,
    /// The state.
    pub value: StateValue,
    /// Why.
    pub reason: String,
    /// Why, for programs: a JSON text.
    pub reason_data: Option<String>,
}

/// Whether an alarm's actions are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionsSwitch {
    /// They are.
    Enable,
    /// They are not.
    Disable,
}

impl Evaluator {
    pub(super) async fn obey(&mut self, command: AlarmCommand) {
        // A caller that does not wait any more does not undo the change.
        match command {
            AlarmCommand::PutMetric(scope, input, answer) => {
                answer.send(self.put_metric(&scope, *input).await).unwrap_or(());
            }
            AlarmCommand::PutComposite(scope, input, answer) => {
                answer.send(self.put_composite(&scope, *input).await).unwrap_or(());
            }
            AlarmCommand::Delete(scope, names, answer) => {
                answer.send(self.delete(&scope, &names).await).unwrap_or(());
            }
            AlarmCommand::SetState(scope, forced, answer) => {
                answer.send(self.set_state(&scope, forced).await).unwrap_or(());
            }
            AlarmCommand::EnableActions(scope, names, switch, answer) => {
                answer.send(self.enable_actions(&scope, &names, switch).await).unwrap_or(());
            }
            AlarmCommand::SetTags(scope, name, tags, answer) => {
                answer.send(self.set_tags(&scope, name, tags).await).unwrap_or(());
            }
            AlarmCommand::PutMute(scope, input, answer) => {
                answer.send(self.put_mute(&scope, *input).await).unwrap_or(());
            }
            AlarmCommand::DeleteMute(scope, name, answer) => {
                answer.send(self.delete_mute(&scope, &name).await).unwrap_or(());
            }
            AlarmCommand::SetMuteTags(scope, name, tags, answer) => {
                answer.send(self.set_mute_tags(&scope, &name, tags).await).unwrap_or(());
            }
            AlarmCommand::Declared(key, alarms, rest) => {
                match rest {
                    Some(rest) => drop(self.rests.insert(key.clone(), rest)),
                    None => drop(self.rests.remove(&key)),
                }
                let (scope, canary) = key;
                if let Err(error) = self.declare(&scope, &canary, alarms).await {
                    tracing::warn!(%canary, %error, "cannot store a canary's alarms");
                }
            }
            AlarmCommand::EvaluateAll(answer) => {
                let subjects = self.book().subjects(|_| true);
                let count = subjects.len();
                self.evaluate(subjects, self.clock.now()).await;
                answer.send(count).unwrap_or(());
            }
            AlarmCommand::Recorded(scope, metrics) => {
                let subjects = self.book().watching(&scope, &metrics);
                self.evaluate(subjects, self.clock.now()).await;
            }
        }
    }

    async fn put_metric(
        &mut self,
        scope: &Scope,
        input: PutMetricAlarm,
    ) -> Result<(), AlarmCallError> {
        let mut alarm = input.validate(self.clock.now()).map_err(AlarmCallError::Refused)?;
        if let Watched::Queries { queries, period } = &alarm.watched {
            let planned = MathPlan::of(queries, *period);
            planned.map_err(|fault| AlarmCallError::Refused(AlarmFault::Queries(fault)))?;
        }
        if let Some(known) = self.known(scope, &alarm.name, AlarmType::MetricAlarm)? {
            // Tags are only applied on creation.
            if let AlarmDefinition::Metric(known) = &known.definition {
                alarm.tags = known.tags.clone();
            }
        }
        self.define(scope, AlarmDefinition::Metric(Arc::new(alarm))).await
    }

    async fn put_composite(
        &mut self,
        scope: &Scope,
        input: PutCompositeAlarm,
    ) -> Result<(), AlarmCallError> {
        let mut alarm = input.validate(self.clock.now()).map_err(AlarmCallError::Refused)?;
        self.check_children(scope, &alarm).map_err(AlarmCallError::Refused)?;
        if let Some(known) = self.known(scope, &alarm.name, AlarmType::CompositeAlarm)?
            && let AlarmDefinition::Composite(known) = &known.definition
        {
            alarm.tags = known.tags.clone();
        }
        self.define(scope, AlarmDefinition::Composite(Arc::new(alarm))).await
    }

    fn check_children(&self, scope: &Scope, alarm: &CompositeAlarm) -> Result<(), AlarmFault> {
        let book = self.book();
        let key = |name: &Arc<str>| (scope.clone(), Arc::clone(name));
        let children = alarm.rule.alarms();
        let suppressor = alarm.suppressor.iter().map(|suppressor| &suppressor.alarm);
        let unknown = |name: &&Arc<str>| **name != alarm.name && book.get(&key(name)).is_none();
        let missing: Vec<Arc<str>> =
            children.iter().chain(suppressor).filter(unknown).cloned().collect();
        if !missing.is_empty() {
            return Err(AlarmFault::NoSuchChildren(missing));
        }
        let rules: Vec<(Arc<str>, AlarmRule)> = book
            .of_scope(scope)
            .filter_map(|snapshot| match &snapshot.definition {
                AlarmDefinition::Composite(other) if other.name != alarm.name => {
                    Some((Arc::clone(&other.name), other.rule.clone()))
                }
                _ => None,
            })
            .collect();
        let rule_of = |name: &str| rules.iter().find(|(n, _)| **n == *name).map(|(_, rule)| rule);
        find_cycle(&alarm.name, &alarm.rule, &rule_of).map_or(Ok(()), |p| Err(AlarmFault::Cycle(p)))
    }

    /// The alarm of that name, which must be of that kind if there is one.
    fn known(
        &self,
        scope: &Scope,
        name: &Arc<str>,
        kind: AlarmType,
    ) -> Result<Option<Arc<AlarmSnapshot>>, AlarmCallError> {
        let known = self.book().get(&(scope.clone(), Arc::clone(name))).cloned();
        match &known {
            Some(snapshot) if snapshot.alarm().kind() != kind => {
                Err(AlarmCallError::Refused(AlarmFault::NameTaken(Arc::clone(name))))
            }
            _ => Ok(known),
        }
    }

    /// Stores a definition and its history line, then looks at it for the first time.
    async fn define(
        &mut self,
        scope: &Scope,
        definition: AlarmDefinition,
    ) -> Result<(), AlarmCallError> {
        let now = self.clock.now();
        let name = Arc::clone(definition.as_ref().name());
        let key: AlarmKey = (scope.clone(), Arc::clone(&name));
        let before = self.book().get(&key).cloned();
        let known = before.as_ref().map(|snapshot| snapshot.condition.clone());
        let (change, word) = match known {
            Some(_) => (ConfigurationChange::Updated, "updated"),
            None => (ConfigurationChange::Created, "created"),
        };
        AlarmCare::of_tags(definition.as_ref().tags()).map_err(AlarmCallError::Refused)?;
        let known_mute = known.as_ref().and_then(|condition| condition.muted);
        let told = known.as_ref().and_then(|condition| condition.told);
        // The state survives an update; the timers of a suppressor do not.
        let state = known.map_or_else(|| AlarmState::initial(now), |condition| condition.state);
        let condition = AlarmCondition { muted: known_mute, told, ..AlarmCondition::free(state) };
        let alarm = definition.as_ref();
        let item = HistoryItem::configuration_update(alarm, &condition.state, change, (scope, now));
        let changes = match &definition {
            AlarmDefinition::Metric(alarm) => {
                ResourceChanges::new().put(kind::METRIC_ALARM, &name, &**alarm)?
            }
            AlarmDefinition::Composite(alarm) => {
                ResourceChanges::new().put(kind::COMPOSITE_ALARM, &name, &**alarm)?
            }
        };
        let sort = SortKey::at(now, format_args!("{:012}-c", condition.state.sequence));
        let changes = changes.put(kind::ALARM_STATE, &name, &condition)?.put_row(
            kind::ALARM_HISTORY,
            &name,
            sort,
            &item,
        )?;
        let versions = (alarm, before.as_ref().map(|snapshot| snapshot.alarm()));
        let state = &condition.state;
        let mut batch = TelemetryBatch::new(scope.clone());
        batch.events.push(configuration_change_event(scope, versions, state, (change, now)));
        self.store.append_with(batch, changes).await?;
        {
            let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
            book.put(scope, AlarmSnapshot { definition, condition });
        }
        let subject = self.book().subject(&key);
        match subject {
            // Its canary first gets the chance to run.
            Some(subject)
                if matches!(subject.alarm.origin, AlarmOrigin::CanaryFile { .. })
                    && subject.alarm.treat_missing_data() == TreatMissingData::Breaching => {}
            Some(subject) => self.evaluate(vec![subject], now).await,
            None => {
                let changes = {
                    let book = self.book();
                    let mut pass = Pass::new(&book, now);
                    pass.definition(&key, word);
                    pass.into_changes()
                };
                self.commit(changes, now).await;
            }
        }
        Ok(())
    }

    async fn delete(&mut self, scope: &Scope, names: &[Arc<str>]) -> Result<(), AlarmCallError> {
        let key = |name: &Arc<str>| (scope.clone(), Arc::clone(name));
        let snapshots: Vec<Arc<AlarmSnapshot>> = {
            let book = self.book();
            names.iter().filter_map(|name| book.get(&key(name)).cloned()).collect()
        };
        let is_composite =
            |s: &&Arc<AlarmSnapshot>| matches!(s.definition, AlarmDefinition::Composite(_));
        if snapshots.iter().filter(is_composite).count() > 1 {
            return Err(AlarmCallError::SeveralComposites);
        }
        let now = self.clock.now();
        let mut batch = TelemetryBatch::new(scope.clone());
        let mut changes = ResourceChanges::new();
        for snapshot in &snapshots {
            let alarm = snapshot.alarm();
            let stored_as = match alarm {
                AlarmRef::Metric(_) => kind::METRIC_ALARM,
                AlarmRef::Composite(_) => kind::COMPOSITE_ALARM,
            };
            let state = &snapshot.condition.state;
            let change = ConfigurationChange::Deleted;
            let item = HistoryItem::configuration_update(alarm, state, change, (scope, now));
            let sort = SortKey::at(now, format_args!("{:012}-c", state.sequence));
            let event = configuration_change_event(scope, (alarm, None), state, (change, now));
            batch.events.push(event);
            changes = changes
                .delete(stored_as, alarm.name())
                .delete(kind::ALARM_STATE, alarm.name())
                .put_row(kind::ALARM_HISTORY, alarm.name(), sort, &item)?;
        }
        self.store.append_with(batch, changes).await?;
        {
            let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
            for snapshot in &snapshots {
                book.remove(&key(snapshot.alarm().name()));
            }
        }
        let changes = {
            let book = self.book();
            let mut pass = Pass::new(&book, now);
            snapshots.iter().for_each(|snapshot| pass.gone(&key(snapshot.alarm().name())));
            pass.into_changes()
        };
        self.commit(changes, now).await;
        // Known names are deleted even when others are unknown.
        let known: BTreeSet<&Arc<str>> = snapshots.iter().map(|s| s.alarm().name()).collect();
        match names.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(AlarmCallError::NoSuchAlarm { name: Arc::clone(name) }),
            None => Ok(()),
        }
    }

    async fn set_state(
        &mut self,
        scope: &Scope,
        forced: ForcedState,
    ) -> Result<(), AlarmCallError> {
        let now = self.clock.now();
        let key = (scope.clone(), Arc::clone(&forced.name));
        let known = self.book().get(&key).cloned();
        let Some(known) = known else {
            return Err(AlarmCallError::NoSuchAlarm { name: forced.name });
        };
        self.forced.insert(key.clone());
        let state = &known.condition.state;
        let texts = || (forced.reason.clone(), forced.reason_data.clone());
        if let Some(transition) = state.transition(forced.value, now, texts) {
            let changes = {
                let book = self.book();
                let mut pass = Pass::new(&book, now);
                pass.transition(&key, transition);
                pass.into_changes()
            };
            self.commit(changes, now).await;
            return Ok(());
        }
        let state = AlarmState {
            reason: forced.reason.into(),
            reason_data: forced.reason_data.map(Into::into),
            updated: now,
            ..state.clone()
        };
        let condition = AlarmCondition { state, ..known.condition.clone() };
        let resources = self.store.resources();
        resources.put(scope, kind::ALARM_STATE, &forced.name, &condition).await?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.set_condition(&key, condition);
        Ok(())
    }

    async fn enable_actions(
        &mut self,
        scope: &Scope,
        names: &[Arc<str>],
        switch: ActionsSwitch,
    ) -> Result<(), AlarmCallError> {
        let now = self.clock.now();
        let mut changes = ResourceChanges::new();
        let mut changed = Vec::new();
        for name in names {
            // Unknown names are passed over.
            let known = self.book().get(&(scope.clone(), Arc::clone(name))).cloned();
            let Some(known) = known else { continue };
            let switched = |actions: &AlarmActions| AlarmActions {
                enabled: switch == ActionsSwitch::Enable,
                ..actions.clone()
            };
            let definition = match &known.definition {
                AlarmDefinition::Metric(alarm) => {
                    let actions = switched(&alarm.actions);
                    let alarm = MetricAlarm { actions, configured: now, ..(**alarm).clone() };
                    changes = changes.put(kind::METRIC_ALARM, name, &alarm)?;
                    AlarmDefinition::Metric(Arc::new(alarm))
                }
                AlarmDefinition::Composite(alarm) => {
                    let actions = switched(&alarm.actions);
                    let alarm = CompositeAlarm { actions, configured: now, ..(**alarm).clone() };
                    changes = changes.put(kind::COMPOSITE_ALARM, name, &alarm)?;
                    AlarmDefinition::Composite(Arc::new(alarm))
                }
            };
            changed.push(AlarmSnapshot { definition, condition: known.condition.clone() });
        }
        self.store.resources().apply(scope, changes).await?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        changed.into_iter().for_each(|snapshot| book.put(scope, snapshot));
        Ok(())
    }

    /// Makes the alarms of a canary file those that it declares now.
    async fn declare(
        &mut self,
        scope: &Scope,
        canary: &Arc<str>,
        alarms: Vec<MetricAlarm>,
    ) -> Result<(), AlarmCallError> {
        let declared: BTreeSet<Arc<str>> = alarms.iter().map(|a| Arc::clone(&a.name)).collect();
        let of_canary = |snapshot: &&Arc<AlarmSnapshot>| match &snapshot.definition {
            AlarmDefinition::Metric(alarm) => {
                let origin = AlarmOrigin::CanaryFile { canary: Arc::clone(canary) };
                alarm.origin == origin && !declared.contains(&alarm.name)
            }
            AlarmDefinition::Composite(_) => false,
        };
        let gone: Vec<Arc<str>> = {
            let book = self.book();
            let gone = book.of_scope(scope).filter(of_canary);
            gone.map(|snapshot| Arc::clone(snapshot.alarm().name())).collect()
        };
        if !gone.is_empty() {
            self.delete(scope, &gone).await?;
        }
        for alarm in alarms {
            let known = self.known(scope, &alarm.name, AlarmType::MetricAlarm)?;
            let is_same = known.is_some_and(|known| match &known.definition {
                AlarmDefinition::Metric(known) => {
                    MetricAlarm { configured: alarm.configured, ..(**known).clone() } == alarm
                }
                AlarmDefinition::Composite(_) => false,
            });
            if !is_same {
                self.define(scope, AlarmDefinition::Metric(Arc::new(alarm))).await?;
            }
        }
        Ok(())
    }
}

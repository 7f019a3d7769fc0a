use std::sync::{Arc, PoisonError};

use super::AlarmHandle;
use super::command::{AlarmCallError, AlarmCommand};
use super::evaluator::Evaluator;
use super::mute::{AlarmMuteRule, MuteFault, PutMuteRule};
use super::pass::Pass;
use crate::alarm::Tag;
use crate::monitor::kind;
use crate::store::ResourceChanges;
use crate::telemetry::Scope;
use crate::time::Timestamp;

impl AlarmHandle {
    /// Creates or replaces a mute rule.
    ///
    /// Errors: `Mute` when AWS would refuse it.
    pub async fn put_mute(&self, scope: &Scope, rule: PutMuteRule) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::PutMute(scope.clone(), Box::new(rule), answer)).await
    }

    /// Deletes a mute rule, if it is there.
    ///
    /// Errors: `Store` when it was not stored.
    pub async fn delete_mute(&self, scope: &Scope, name: Arc<str>) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::DeleteMute(scope.clone(), name, answer)).await
    }

    /// Sets all tags of a mute rule; one that is gone has none.
    ///
    /// Errors: `Store` when they were not stored.
    pub async fn set_mute_tags(
        &self,
        scope: &Scope,
        name: Arc<str>,
        tags: Vec<Tag>,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::SetMuteTags(scope.clone(), name, tags, answer)).await
    }

    /// The mute rules of a scope, by name.
    pub fn mute_rules(&self, scope: &Scope) -> Vec<Arc<AlarmMuteRule>> {
        self.read(|book| book.mute_rules(scope))
    }

    /// One mute rule.
    pub fn mute_rule(&self, scope: &Scope, name: &str) -> Option<Arc<AlarmMuteRule>> {
        self.read(|book| book.mute_rule(scope, &Arc::from(name)))
    }
}

impl Evaluator {
    /// Creates or replaces a mute rule. What it held before and does not hold now is done.
    pub(super) async fn put_mute(
        &mut self,
        scope: &Scope,
        mut input: PutMuteRule,
    ) -> Result<(), AlarmCallError> {
        let now = self.clock.now();
        input.updated = now;
        let name = Arc::clone(&input.name);
        let known = self.book().mute_rule(scope, &name);
        if let Some(known) = known {
            // Tags are only applied on creation.
            input.tags = known.input().tags.clone();
        }
        let rule = AlarmMuteRule::try_from(input).map_err(AlarmCallError::Mute)?;
        self.check_targets(scope, &rule)?;
        self.keep_mute(scope, rule).await?;
        self.end_mutes(now).await;
        Ok(())
    }

    /// Source: CloudWatch API Reference, `MuteTargets`: the names must match existing alarms. One
    /// that is deleted later is passed over.
    fn check_targets(&self, scope: &Scope, rule: &AlarmMuteRule) -> Result<(), AlarmCallError> {
        let book = self.book();
        let unknown = |name: &&Arc<str>| book.get(&(scope.clone(), Arc::clone(name))).is_none();
        let unknown: Vec<Arc<str>> = rule.input().alarms.iter().filter(unknown).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(AlarmCallError::Mute(MuteFault::NoSuchTargets(unknown)))
    }

    pub(super) async fn set_mute_tags(
        &mut self,
        scope: &Scope,
        name: &Arc<str>,
        tags: Vec<Tag>,
    ) -> Result<(), AlarmCallError> {
        let known = self.book().mute_rule(scope, name);
        let Some(known) = known else { return Ok(()) };
        let rule = AlarmMuteRule::clone(&known).with_tags(tags);
        self.keep_mute(scope, rule).await
    }

    async fn keep_mute(&self, scope: &Scope, rule: AlarmMuteRule) -> Result<(), AlarmCallError> {
        let name = Arc::clone(&rule.input().name);
        let changes = ResourceChanges::new().put(kind::ALARM_MUTE_RULE, &name, &rule)?;
        self.store.resources().apply(scope, changes).await?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.put_mute(scope, rule);
        Ok(())
    }

    /// Deletes a mute rule; one that is not there is gone already.
    pub(super) async fn delete_mute(
        &mut self,
        scope: &Scope,
        name: &Arc<str>,
    ) -> Result<(), AlarmCallError> {
        let changes = ResourceChanges::new().delete(kind::ALARM_MUTE_RULE, name);
        self.store.resources().apply(scope, changes).await?;
        {
            let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
            book.remove_mute(scope, name);
        }
        self.end_mutes(self.clock.now()).await;
        Ok(())
    }

    /// Does what alarms were kept from doing by windows that are over.
    pub(super) async fn end_mutes(&mut self, at: Timestamp) {
        let changes = {
            let book = self.book();
            let ended = book.mutes_ended(at);
            let mut pass = Pass::new(&book, at);
            ended.iter().for_each(|key| pass.mute_ended(key));
            pass.into_changes()
        };
        if !changes.is_empty() {
            self.commit(changes, at).await;
        }
    }
}

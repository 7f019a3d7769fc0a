//! What is asked about rules: put, switched, deleted, and their targets.

use std::sync::Arc;

use super::handle::BusHandle;
use super::kind;
use super::refusal::{BusError, RefusalKind};
use super::rule::{FailedTarget, PutRule, Rule, RuleState, Target};
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

/// Source: EventBridge User Guide, "Amazon EventBridge quotas".
const TARGETS_MAX: usize = 5;
const RULES_MAX: usize = 300;

impl BusHandle {
    /// A rule.
    ///
    /// Errors: `NotFound`.
    pub fn rule(&self, scope: &Scope, bus: &Arc<str>, name: &str) -> Result<Arc<Rule>, BusError> {
        self.book.get(scope, bus, name).ok_or_else(|| {
            let why = format!("Rule {name} does not exist on EventBus {bus}.");
            RefusalKind::NotFound.because(why)
        })
    }

    /// The rules of a bus, by name.
    ///
    /// Errors: `NotFound` for the bus.
    pub async fn rules(&self, scope: &Scope, bus: &Arc<str>) -> Result<Vec<Arc<Rule>>, BusError> {
        self.bus(scope, bus).await?;
        Ok(self.book.of_bus(scope, bus))
    }

    /// Makes or replaces a rule; its targets stay. Events that come after this answers are matched.
    ///
    /// Errors: `NotFound` for the bus, `Invalid`, `InvalidPattern`.
    pub async fn put_rule(&self, scope: &Scope, put: PutRule) -> Result<String, BusError> {
        let _turn = self.turn.acquire().await;
        self.bus(scope, &put.bus).await?;
        let old = self.book.get(scope, &put.bus, &put.name);
        if old.is_none() && self.book.of_bus(scope, &put.bus).len() >= RULES_MAX {
            let why = "The requested resource exceeds the maximum number allowed.";
            return Err(RefusalKind::LimitExceeded.because(why));
        }
        let rule = put.rule(old.as_deref(), self.clock.now())?;
        let arn = rule.arn(scope);
        self.keep(scope, rule).await?;
        Ok(arn)
    }

    /// Switches a rule.
    ///
    /// Errors: `NotFound`.
    pub async fn switch_rule(
        &self,
        scope: &Scope,
        (bus, name): (&Arc<str>, &str),
        state: RuleState,
    ) -> Result<(), BusError> {
        self.bus(scope, bus).await?;
        self.change_rule(scope, (bus, name), |rule| {
            rule.state = state;
            Ok(())
        })
        .await
    }

    /// Deletes a rule without targets; one that is not there is deleted already.
    ///
    /// Errors: `NotFound` for the bus, `Invalid` while there are targets.
    pub async fn delete_rule(
        &self,
        scope: &Scope,
        bus: &Arc<str>,
        name: &str,
    ) -> Result<(), BusError> {
        let _turn = self.turn.acquire().await;
        self.bus(scope, bus).await?;
        let Some(rule) = self.book.get(scope, bus, name) else { return Ok(()) };
        if !rule.targets.is_empty() {
            let why = "Rule can't be deleted since it has targets.";
            return Err(RefusalKind::Invalid.because(why));
        }
        self.store.resources().delete(scope, kind::RULE, &rule.key()).await?;
        self.book.remove(scope, bus, name);
        self.changed.notify_one();
        Ok(())
    }

    /// Adds targets to a rule, or replaces those of the same ids; all or none.
    ///
    /// Errors: `NotFound`, `Invalid`, `LimitExceeded`.
    pub async fn put_targets(
        &self,
        scope: &Scope,
        rule: (&Arc<str>, &str),
        targets: Vec<Target>,
    ) -> Result<(), BusError> {
        self.bus(scope, rule.0).await?;
        targets.iter().try_for_each(Target::check)?;
        self.change_rule(scope, rule, |rule| {
            for target in targets {
                match rule.targets.iter_mut().find(|held| held.id == target.id) {
                    Some(held) => *held = target,
                    None => rule.targets.push(target),
                }
            }
            if rule.targets.len() > TARGETS_MAX {
                let why = "The requested resource exceeds the maximum number allowed.";
                return Err(RefusalKind::LimitExceeded.because(why));
            }
            Ok(())
        })
        .await
    }

    /// Takes targets from a rule; tells those that it does not have.
    ///
    /// Errors: `NotFound` for the rule.
    pub async fn remove_targets(
        &self,
        scope: &Scope,
        rule: (&Arc<str>, &str),
        ids: &[Arc<str>],
    ) -> Result<Vec<FailedTarget>, BusError> {
        self.bus(scope, rule.0).await?;
        let mut failed = Vec::new();
        self.change_rule(scope, rule, |rule| {
            for id in ids {
                if !rule.targets.iter().any(|target| target.id == *id) {
                    failed.push(FailedTarget {
                        id: Arc::clone(id),
                        code: "ResourceNotFoundException",
                        message: format!("Rule {} does not have a target {id}.", rule.name),
                    });
                }
            }
            rule.targets.retain(|target| !ids.contains(&target.id));
            Ok(())
        })
        .await?;
        Ok(failed)
    }

    pub(super) async fn change_rule(
        &self,
        scope: &Scope,
        (bus, name): (&Arc<str>, &str),
        change: impl FnOnce(&mut Rule) -> Result<(), BusError>,
    ) -> Result<(), BusError> {
        let _turn = self.turn.acquire().await;
        let mut rule = Rule::clone(&*self.rule(scope, bus, name)?);
        change(&mut rule)?;
        self.keep(scope, rule).await
    }

    /// ORDER: durable, then seen by events.
    async fn keep(&self, scope: &Scope, rule: Rule) -> Result<(), BusError> {
        let changes = ResourceChanges::new().put(kind::RULE, &rule.key(), &rule)?;
        self.store.resources().apply(scope, changes).await?;
        self.book.put(scope, rule);
        self.changed.notify_one();
        Ok(())
    }
}

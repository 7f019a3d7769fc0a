use std::sync::{Arc, PoisonError};

use super::AlarmHandle;
use super::book::{AlarmDefinition, AlarmSnapshot};
use super::command::{AlarmCallError, AlarmCommand};
use super::evaluator::Evaluator;
use crate::alarm::{AlarmCare, CompositeAlarm, MetricAlarm, Tag};
use crate::monitor::kind;
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

impl AlarmHandle {
    /// Sets all tags of an alarm.
    ///
    /// Errors: `NoSuchAlarm`; `Store` when they were not stored.
    pub async fn set_tags(
        &self,
        scope: &Scope,
        name: Arc<str>,
        tags: Vec<Tag>,
    ) -> Result<(), AlarmCallError> {
        self.ask(|answer| AlarmCommand::SetTags(scope.clone(), name, tags, answer)).await
    }
}

impl Evaluator {
    /// Tags change nothing that is evaluated, so nothing is looked at anew.
    pub(super) async fn set_tags(
        &mut self,
        scope: &Scope,
        name: Arc<str>,
        tags: Vec<Tag>,
    ) -> Result<(), AlarmCallError> {
        AlarmCare::of_tags(&tags).map_err(AlarmCallError::Refused)?;
        let known = self.book().get(&(scope.clone(), Arc::clone(&name))).cloned();
        let Some(known) = known else { return Err(AlarmCallError::NoSuchAlarm { name }) };
        let (definition, changes) = match &known.definition {
            AlarmDefinition::Metric(alarm) => {
                let alarm = MetricAlarm { tags, ..(**alarm).clone() };
                let changes = ResourceChanges::new().put(kind::METRIC_ALARM, &name, &alarm)?;
                (AlarmDefinition::Metric(Arc::new(alarm)), changes)
            }
            AlarmDefinition::Composite(alarm) => {
                let alarm = CompositeAlarm { tags, ..(**alarm).clone() };
                let changes = ResourceChanges::new().put(kind::COMPOSITE_ALARM, &name, &alarm)?;
                (AlarmDefinition::Composite(Arc::new(alarm)), changes)
            }
        };
        self.store.resources().apply(scope, changes).await?;
        let snapshot = AlarmSnapshot { definition, condition: known.condition.clone() };
        self.book.write().unwrap_or_else(PoisonError::into_inner).put(scope, snapshot);
        Ok(())
    }
}

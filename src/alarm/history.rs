use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::wording::{cut, instant};
use super::{AlarmRef, AlarmState, MetricAlarm, StateTransition, Threshold, Watched};
use crate::telemetry::{Dimension, Scope};
use crate::time::Timestamp;

const SUMMARY_MAX: usize = 255;

/// The kinds of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlarmType {
    /// On a metric, an expression or a query.
    MetricAlarm,
    /// On other alarms.
    CompositeAlarm,
}

impl AlarmType {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MetricAlarm => "MetricAlarm",
            Self::CompositeAlarm => "CompositeAlarm",
        }
    }
}

/// What a history item tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HistoryItemType {
    /// The definition was created, changed or deleted.
    ConfigurationUpdate,
    /// The state changed.
    StateUpdate,
    /// An action was done, or failed.
    Action,
}

impl HistoryItemType {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationUpdate => "ConfigurationUpdate",
            Self::StateUpdate => "StateUpdate",
            Self::Action => "Action",
        }
    }
}

/// What was done to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigurationChange {
    /// It is new.
    Created,
    /// It was replaced.
    Updated,
    /// It is gone.
    Deleted,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionOutcome<'a> {
    /// It was done.
    Succeeded,
    /// It was given up; this is why.
    Failed(&'a str),
}

/// One line of an alarm's history.
///
/// Source: CloudWatch API Reference, `AlarmHistoryItem`; texts as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// The alarm.
    pub alarm_name: Arc<str>,
    /// Its kind.
    pub alarm_type: AlarmType,
    /// When.
    pub timestamp: Timestamp,
    /// What it tells of.
    pub item_type: HistoryItemType,
    /// One line for people.
    pub summary: String,
    /// A JSON text for programs.
    pub data: String,
}

impl HistoryItem {
    fn new(
        alarm: AlarmRef<'_>,
        timestamp: Timestamp,
        item_type: HistoryItemType,
        summary: &str,
        data: &Value,
    ) -> Self {
        Self {
            alarm_name: Arc::clone(alarm.name()),
            alarm_type: alarm.kind(),
            timestamp,
            item_type,
            summary: cut(summary, SUMMARY_MAX).to_owned(),
            data: data.to_string(),
        }
    }

    /// The line of a transition.
    pub fn state_update(alarm: AlarmRef<'_>, transition: &StateTransition) -> Self {
        let (from, to) = (transition.from.value, transition.to.value);
        let data = json!({
            "version": "1.0",
            "oldState": state_form(&transition.from),
            "newState": state_form(&transition.to),
        });
        let summary = format!("Alarm updated from {from} to {to}");
        Self::new(alarm, transition.at(), HistoryItemType::StateUpdate, &summary, &data)
    }

    /// The line of a changed definition.
    ///
    /// Differs: only the form of a creation was seen; the others are written alike.
    pub fn configuration_update(
        alarm: AlarmRef<'_>,
        state: &AlarmState,
        change: ConfigurationChange,
        (scope, at): (&Scope, Timestamp),
    ) -> Self {
        let (word, kind, member) = match change {
            ConfigurationChange::Created => ("created", "Create", "createdAlarm"),
            ConfigurationChange::Updated => ("updated", "Update", "updatedAlarm"),
            ConfigurationChange::Deleted => ("deleted", "Delete", "deletedAlarm"),
        };
        let mut data = Map::new();
        data.insert("version".into(), "1.0".into());
        data.insert("type".into(), kind.into());
        data.insert(member.into(), configuration_form(alarm, state, scope));
        let summary = format!("Alarm \"{}\" {word}", alarm.name());
        let item_type = HistoryItemType::ConfigurationUpdate;
        Self::new(alarm, at, item_type, &summary, &Value::Object(data))
    }

    /// The line of an action of an alarm that may be gone by now; `updated` is the transition's
    /// time, `at` the action's.
    pub fn action(
        (alarm_name, alarm_type): (&Arc<str>, AlarmType),
        resource: &str,
        (outcome, published): (ActionOutcome<'_>, Option<&str>),
        (updated, at): (Timestamp, Timestamp),
    ) -> Self {
        let (state, error, summary) = match outcome {
            ActionOutcome::Succeeded => {
                ("Succeeded", None, format!("Successfully executed action {resource}"))
            }
            ActionOutcome::Failed(why) => {
                ("Failed", Some(why), format!("Failed to execute action {resource}"))
            }
        };
        let data = json!({
            "actionState": state,
            "stateUpdateTimestamp": updated.as_millis(),
            "notificationResource": resource,
            "publishedMessage": published,
            "error": error,
        });
        Self {
            alarm_name: Arc::clone(alarm_name),
            alarm_type,
            timestamp: at,
            item_type: HistoryItemType::Action,
            summary: cut(&summary, SUMMARY_MAX).to_owned(),
            data: data.to_string(),
        }
    }
}

/// A state as history writes it; its reason data is an object here, not a text.
fn state_form(state: &AlarmState) -> Value {
    let mut form = Map::new();
    form.insert("stateValue".into(), state.value.as_str().into());
    form.insert("stateReason".into(), state.reason.as_ref().into());
    if let Some(data) = state.reason_data.as_deref().and_then(|text| parsed(text).ok()) {
        form.insert("stateReasonData".into(), data);
    }
    Value::Object(form)
}

fn parsed(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

fn configuration_form(alarm: AlarmRef<'_>, state: &AlarmState, scope: &Scope) -> Value {
    let actions = alarm.actions();
    let mut form = Map::new();
    form.insert("alarmName".into(), alarm.name().as_ref().into());
    if let Some(description) = alarm.description() {
        form.insert("alarmDescription".into(), description.into());
    }
    form.insert("alarmArn".into(), alarm.arn(scope).into());
    let configured = instant(alarm.configured());
    form.insert("alarmConfigurationUpdatedTimestamp".into(), configured.into());
    match alarm {
        AlarmRef::Metric(metric) => metric_form(metric, &mut form),
        AlarmRef::Composite(composite) => {
            form.insert("alarmRule".into(), composite.rule.text().into());
        }
    }
    form.insert("stateValue".into(), state.value.as_str().into());
    form.insert("stateUpdatedTimestamp".into(), instant(state.updated).into());
    form.insert("actionsEnabled".into(), actions.enabled.into());
    form.insert("alarmActions".into(), json!(actions.alarm));
    form.insert("insufficientDataActions".into(), json!(actions.insufficient_data));
    // COMPAT: all lower-case, as recorded.
    form.insert("okactions".into(), json!(actions.ok));
    Value::Object(form)
}

fn metric_form(alarm: &MetricAlarm, form: &mut Map<String, Value>) {
    match &alarm.watched {
        Watched::Metric(single) => {
            form.insert("namespace".into(), single.metric.namespace.as_ref().into());
            form.insert("metricName".into(), single.metric.metric_name.as_ref().into());
            form.insert("statistic".into(), single.statistic.name().into());
            form.insert("period".into(), single.period.as_secs().into());
            let value_first = |d: &Dimension| json!({"value": d.value, "name": d.name});
            let dimensions: Vec<Value> = single.metric.dimensions.iter().map(value_first).collect();
            form.insert("dimensions".into(), dimensions.into());
        }
        Watched::Queries { queries, .. } => drop(form.insert("metrics".into(), json!(queries))),
    }
    match &alarm.threshold {
        Threshold::Static(limit) => drop(form.insert("threshold".into(), (*limit).into())),
        Threshold::Band(id) => drop(form.insert("thresholdMetricId".into(), json!(id))),
    }
    form.insert("comparisonOperator".into(), alarm.comparison.as_str().into());
    form.insert("evaluationPeriods".into(), alarm.evaluation_periods.into());
    if let Some(count) = alarm.datapoints_to_alarm {
        form.insert("datapointsToAlarm".into(), count.into());
    }
    if let Some(mode) = alarm.treat_missing_data {
        form.insert("treatMissingData".into(), mode.as_str().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::StateValue;

    fn transition() -> StateTransition {
        AlarmState::initial(Timestamp::EPOCH)
            .transition(StateValue::Alarm, Timestamp::from_secs(1), || {
                ("why".to_owned(), Some(r#"{"version":"1.0"}"#.to_owned()))
            })
            .unwrap()
    }

    #[test]
    fn a_state_update_nests_its_reason_data() {
        let item = HistoryItem::state_update((&MetricAlarm::example()).into(), &transition());
        assert_eq!(item.summary, "Alarm updated from INSUFFICIENT_DATA to ALARM");
        assert_eq!(
            item.data,
            concat!(
                r#"{"version":"1.0","oldState":{"stateValue":"INSUFFICIENT_DATA","#,
                r#""stateReason":"Unchecked: Initial alarm creation"},"#,
                r#""newState":{"stateValue":"ALARM","stateReason":"why","#,
                r#""stateReasonData":{"version":"1.0"}}}"#
            )
        );
    }

    #[test]
    fn a_creation_names_the_alarm_and_its_definition() {
        let alarm = MetricAlarm::example();
        let state = AlarmState::initial(Timestamp::EPOCH);
        let item = HistoryItem::configuration_update(
            (&alarm).into(),
            &state,
            ConfigurationChange::Created,
            (&Scope::default(), Timestamp::EPOCH),
        );
        assert_eq!(item.summary, "Alarm \"cpu\" created");
        let data: Value = serde_json::from_str(&item.data).unwrap();
        assert_eq!(data["type"], "Create");
        let created = &data["createdAlarm"];
        assert_eq!(created["alarmArn"], "arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu");
        assert_eq!(created["okactions"], json!([]));
        assert_eq!(created["threshold"], 0.5);
    }

    #[test]
    fn a_failed_action_says_why() {
        let item = HistoryItem::action(
            (&"cpu".into(), AlarmType::MetricAlarm),
            "arn:aws:sns:us-east-1:123456789012:t",
            (ActionOutcome::Failed("gone"), None),
            (Timestamp::from_millis(5), Timestamp::from_millis(6)),
        );
        assert!(item.summary.starts_with("Failed to execute action arn:aws:sns:"));
        let data: Value = serde_json::from_str(&item.data).unwrap();
        assert_eq!(data["error"], "gone");
        assert_eq!(data["stateUpdateTimestamp"], 5);
    }
}

use serde_json::{Map, Value, json};

use super::event::{configuration, uuid_form};
use super::wording::instant;
use super::{AlarmRef, AlarmState, ConfigurationChange, Threshold};
use crate::telemetry::{DEFAULT_EVENT_BUS, Event, Scope};
use crate::time::Timestamp;

/// The event of a changed definition; `before` is what it was, for an update.
///
/// Source: CloudWatch User Guide, "Alarm events and EventBridge", "Creating, updating and deleting
/// alarms". Differs: the ids of metrics are the same on both sides of an update, where AWS makes
/// new ones.
pub fn configuration_change_event(
    scope: &Scope,
    (alarm, before): (AlarmRef<'_>, Option<AlarmRef<'_>>),
    state: &AlarmState,
    (change, at): (ConfigurationChange, Timestamp),
) -> Event {
    let operation = match change {
        ConfigurationChange::Created => "create",
        ConfigurationChange::Updated => "update",
        ConfigurationChange::Deleted => "delete",
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(alarm.arn(scope).as_bytes()).update(operation.as_bytes());
    hasher.update(&at.as_millis().to_be_bytes()).update(&state.sequence.to_be_bytes());
    let key: String = hasher.finalize().to_hex().chars().take(32).collect();
    let mut detail = Map::new();
    detail.insert("alarmName".into(), alarm.name().as_ref().into());
    detail.insert("operation".into(), operation.into());
    let state = json!({"value": state.value, "timestamp": instant(state.updated)});
    detail.insert("state".into(), state);
    detail.insert("configuration".into(), form(alarm, &key));
    if let (ConfigurationChange::Updated, Some(before)) = (change, before) {
        detail.insert("previousConfiguration".into(), form(before, &key));
    }
    Event {
        bus: DEFAULT_EVENT_BUS.into(),
        id: uuid_form(&key).into(),
        source: "aws.cloudwatch".into(),
        detail_type: "CloudWatch Alarm Configuration Change".into(),
        time: at,
        resources: vec![alarm.arn(scope).into()],
        detail: Value::Object(detail),
        trace_header: None,
    }
}

fn form(alarm: AlarmRef<'_>, key: &str) -> Value {
    let mut form = Map::new();
    if let AlarmRef::Metric(metric) = alarm {
        form.insert("evaluationPeriods".into(), metric.evaluation_periods.into());
        if let Some(count) = metric.datapoints_to_alarm {
            form.insert("datapointsToAlarm".into(), count.into());
        }
        match &metric.threshold {
            Threshold::Static(limit) => drop(form.insert("threshold".into(), number(*limit))),
            Threshold::Band(id) => {
                form.insert("thresholdMetricId".into(), id.as_ref().into());
            }
        }
        form.insert("comparisonOperator".into(), metric.comparison.as_str().into());
        form.insert("treatMissingData".into(), metric.treat_missing_data().as_str().into());
    }
    if let Value::Object(common) = configuration(alarm, key) {
        form.extend(common);
    }
    let actions = alarm.actions();
    form.insert("alarmName".into(), alarm.name().as_ref().into());
    form.insert("actionsEnabled".into(), actions.enabled.into());
    form.insert("timestamp".into(), instant(alarm.configured()).into());
    for (name, list) in [
        ("okActions", &actions.ok),
        ("alarmActions", &actions.alarm),
        ("insufficientDataActions", &actions.insufficient_data),
    ] {
        form.insert(name.into(), json!(list));
    }
    Value::Object(form)
}

/// A whole number without a fraction, as AWS writes it.
fn number(value: f64) -> Value {
    let text = format!("{value:?}");
    let whole = text.strip_suffix(".0").and_then(|digits| digits.parse::<i64>().ok());
    whole.map_or_else(|| value.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::MetricAlarm;

    #[test]
    fn an_update_tells_both_configurations_and_has_an_id_of_its_own() {
        let before = MetricAlarm { threshold: Threshold::Static(0.5), ..MetricAlarm::example() };
        let after = MetricAlarm { threshold: Threshold::Static(90.0), ..MetricAlarm::example() };
        let state = AlarmState::initial(Timestamp::EPOCH);
        let (scope, at) = (Scope::default(), Timestamp::from_secs(7));
        let event = |change| {
            let versions = ((&after).into(), Some((&before).into()));
            configuration_change_event(&scope, versions, &state, (change, at))
        };
        let update = event(ConfigurationChange::Updated);
        let detail = &update.detail;
        assert_eq!(detail["operation"], "update");
        assert_eq!(detail["configuration"]["threshold"].to_string(), "90");
        assert_eq!(detail["previousConfiguration"]["threshold"].to_string(), "0.5");
        assert_eq!(detail["configuration"]["metrics"][0]["metricStat"]["stat"], "Average");
        assert_eq!(detail["configuration"]["treatMissingData"], "missing");
        let delete = event(ConfigurationChange::Deleted);
        assert_eq!(delete.detail["previousConfiguration"], Value::Null);
        assert_ne!(delete.id, update.id);
    }
}

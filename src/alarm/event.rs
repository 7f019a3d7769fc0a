use serde_json::{Map, Value, json};

use super::wording::instant;
use super::{
    AlarmActions, AlarmState, AlarmType, CompositeAlarm, MetricAlarm, MetricDataQuery,
    StateTransition, Suppression, Tag, Watched,
};
use crate::telemetry::{DEFAULT_EVENT_BUS, Dimensions, Event, Scope};
use crate::time::Timestamp;
use std::sync::Arc;

/// An alarm of either kind.
#[derive(Clone, Copy, Debug)]
pub enum AlarmRef<'a> {
    /// On a metric.
    Metric(&'a MetricAlarm),
    /// On other alarms.
    Composite(&'a CompositeAlarm),
}

impl<'a> From<&'a MetricAlarm> for AlarmRef<'a> {
    fn from(alarm: &'a MetricAlarm) -> Self {
        Self::Metric(alarm)
    }
}

impl<'a> From<&'a CompositeAlarm> for AlarmRef<'a> {
    fn from(alarm: &'a CompositeAlarm) -> Self {
        Self::Composite(alarm)
    }
}

impl<'a> AlarmRef<'a> {
    /// Its name.
    pub const fn name(self) -> &'a Arc<str> {
        match self {
            Self::Metric(alarm) => &alarm.name,
            Self::Composite(alarm) => &alarm.name,
        }
    }

    /// What it is for.
    pub fn description(self) -> Option<&'a str> {
        match self {
            Self::Metric(alarm) => alarm.description.as_deref(),
            Self::Composite(alarm) => alarm.description.as_deref(),
        }
    }

    /// What is done on a transition.
    pub const fn actions(self) -> &'a AlarmActions {
        match self {
            Self::Metric(alarm) => &alarm.actions,
            Self::Composite(alarm) => &alarm.actions,
        }
    }

    /// Its tags.
    pub fn tags(self) -> &'a [Tag] {
        match self {
            Self::Metric(alarm) => &alarm.tags,
            Self::Composite(alarm) => &alarm.tags,
        }
    }

    /// When the definition was last written.
    pub const fn configured(self) -> Timestamp {
        match self {
            Self::Metric(alarm) => alarm.configured,
            Self::Composite(alarm) => alarm.configured,
        }
    }

    /// Its kind.
    pub const fn kind(self) -> AlarmType {
        match self {
            Self::Metric(_) => AlarmType::MetricAlarm,
            Self::Composite(_) => AlarmType::CompositeAlarm,
        }
    }

    /// Its ARN in `scope`.
    pub fn arn(self, scope: &Scope) -> String {
        scope.arn("cloudwatch", format_args!("alarm:{}", self.name()))
    }
}

/// The event that the default bus gets of every transition, also of those whose actions are
/// disabled or held.
///
/// Source: CloudWatch User Guide, "Alarm events and EventBridge".
pub fn state_change_event(
    scope: &Scope,
    alarm: AlarmRef<'_>,
    transition: &StateTransition,
    suppressed: Suppression,
) -> Event {
    let mut state = state_form(&transition.to);
    if let (Some(by), Some(state)) = (suppressed.suppressed_by(), state.as_object_mut()) {
        state.insert("actionsSuppressedBy".into(), by.into());
        state
            .insert("actionsSuppressedReason".into(), format!("Actions suppressed by {by}").into());
    }
    let key = transition.idempotency_key(alarm.name());
    let detail = json!({
        "alarmName": alarm.name(),
        "state": state,
        "previousState": state_form(&transition.from),
        "configuration": configuration(alarm, &key),
    });
    Event {
        bus: DEFAULT_EVENT_BUS.into(),
        id: uuid_form(&key).into(),
        source: "aws.cloudwatch".into(),
        detail_type: "CloudWatch Alarm State Change".into(),
        time: transition.at(),
        resources: vec![alarm.arn(scope).into()],
        detail,
        trace_header: None,
    }
}

/// A state as events write it; its reason data is a text here.
pub(super) fn state_form(state: &AlarmState) -> Value {
    let mut form = Map::new();
    form.insert("value".into(), state.value.as_str().into());
    form.insert("reason".into(), state.reason.as_ref().into());
    if let Some(data) = &state.reason_data {
        form.insert("reasonData".into(), data.as_ref().into());
    }
    form.insert("timestamp".into(), instant(state.updated).into());
    Value::Object(form)
}

pub(super) fn configuration(alarm: AlarmRef<'_>, key: &str) -> Value {
    let mut form = Map::new();
    if let Some(description) = alarm.description() {
        form.insert("description".into(), description.into());
    }
    match alarm {
        AlarmRef::Metric(alarm) => {
            let metrics: Vec<Value> = match &alarm.watched {
                Watched::Metric(single) => {
                    let mut stat = metric_stat_form(
                        (&single.metric.namespace, &single.metric.metric_name),
                        &single.metric.dimensions,
                        single.period.as_secs(),
                        single.statistic.name(),
                    );
                    if let (Some(unit), Some(stat)) = (single.unit, stat.as_object_mut()) {
                        stat.insert("unit".into(), unit.as_str().into());
                    }
                    vec![json!({"id": uuid_form(key), "metricStat": stat, "returnData": true})]
                }
                Watched::Queries { queries, .. } => queries.iter().map(query_form).collect(),
            };
            form.insert("metrics".into(), metrics.into());
        }
        AlarmRef::Composite(alarm) => {
            form.insert("alarmRule".into(), alarm.rule.text().into());
            if let Some(suppressor) = &alarm.suppressor {
                form.insert("actionsSuppressor".into(), suppressor.alarm.as_ref().into());
                let wait = suppressor.wait_secs.into();
                form.insert("actionsSuppressorWaitPeriod".into(), wait);
                let extension = suppressor.extension_secs.into();
                form.insert("actionsSuppressorExtensionPeriod".into(), extension);
            }
        }
    }
    Value::Object(form)
}

fn metric_stat_form(
    (namespace, name): (&str, &str),
    dimensions: &Dimensions,
    period: u32,
    stat: &str,
) -> Value {
    // COMPAT: a map here, a list everywhere else.
    let dimensions: Map<String, Value> =
        dimensions.iter().map(|d| (d.name.to_string(), d.value.as_ref().into())).collect();
    json!({
        "metric": {"namespace": namespace, "name": name, "dimensions": dimensions},
        "period": period,
        "stat": stat,
    })
}

fn query_form(query: &MetricDataQuery) -> Value {
    let mut form = Map::new();
    form.insert("id".into(), query.id.as_ref().into());
    if let Some(stat) = &query.metric_stat {
        let name = (stat.metric.namespace.as_ref(), stat.metric.metric_name.as_ref());
        let stat = metric_stat_form(name, &stat.metric.dimensions, stat.period, &stat.stat);
        form.insert("metricStat".into(), stat);
    }
    if let Some(expression) = &query.expression {
        form.insert("expression".into(), expression.as_ref().into());
    }
    if let Some(label) = &query.label {
        form.insert("label".into(), label.as_ref().into());
    }
    form.insert("returnData".into(), query.returns_data().into());
    Value::Object(form)
}

/// The 32 hex digits of a key, grouped as a UUID. Deriving ids keeps a repeated event recognisable.
pub(super) fn uuid_form(key: &str) -> String {
    let mut form = String::with_capacity(36);
    for (at, digit) in key.chars().take(32).enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            form.push('-');
        }
        form.push(digit);
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::StateValue;

    #[test]
    fn the_event_of_a_transition_has_the_published_shape() {
        let alarm = MetricAlarm::example();
        let transition = AlarmState::initial(Timestamp::EPOCH)
            .transition(StateValue::Alarm, Timestamp::from_secs(1), || {
                ("why".to_owned(), Some("{}".to_owned()))
            })
            .unwrap();
        let scope = Scope::default();
        let event = state_change_event(&scope, (&alarm).into(), &transition, Suppression::None);
        assert_eq!(&*event.detail_type, "CloudWatch Alarm State Change");
        assert_eq!(event.id.len(), 36);
        let detail = &event.detail;
        assert_eq!(detail["state"]["value"], "ALARM");
        assert_eq!(detail["state"]["reasonData"], "{}");
        assert_eq!(detail["state"]["timestamp"], "1970-01-01T00:00:01.000+0000");
        assert_eq!(detail["previousState"]["value"], "INSUFFICIENT_DATA");
        let metric = &detail["configuration"]["metrics"][0]["metricStat"];
        assert_eq!(metric["metric"]["name"], "CPU");
        assert_eq!(metric["metric"]["dimensions"], json!({}));
        assert_eq!(metric["stat"], "Average");
        let again = state_change_event(&scope, (&alarm).into(), &transition, Suppression::None);
        assert_eq!(again, event);
    }

    #[test]
    fn a_held_action_is_told_in_the_event() {
        let alarm = MetricAlarm::example();
        let transition = AlarmState::initial(Timestamp::EPOCH)
            .transition(StateValue::Alarm, Timestamp::EPOCH, || (String::new(), None))
            .unwrap();
        let scope = Scope::default();
        let event = state_change_event(&scope, (&alarm).into(), &transition, Suppression::Alarm);
        assert_eq!(event.detail["state"]["actionsSuppressedBy"], "Alarm");
    }
}

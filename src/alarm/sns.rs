use serde_json::{Map, Value, json};

use super::event::{configuration, state_form, uuid_form};
use super::wording::{cut, instant};
use super::{
    AlarmRef, MetricAlarm, MetricDataQuery, StateTransition, Suppression, Threshold, Watched,
};
use crate::telemetry::{Dimensions, Scope};

/// What is published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicText {
    /// `ALARM: "name" in US East (N. Virginia)`.
    pub subject: String,
    /// A JSON text.
    pub message: String,
}

/// Source: SNS Developer Guide, `Publish`.
const SUBJECT_MAX: usize = 100;

/// Whether a mute rule's window had held the actions until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterMute {
    /// It had.
    Yes,
    /// It had not.
    No,
}

impl TopicText {
    /// What CloudWatch tells a topic of a transition.
    ///
    /// Source: recorded SNS messages of alarms; the order of members is theirs.
    pub fn of(
        scope: &Scope,
        alarm: AlarmRef<'_>,
        transition: &StateTransition,
        after_mute: AfterMute,
    ) -> Self {
        let (from, to) = (&transition.from, &transition.to);
        let region = region_name(scope.region.as_str());
        let word = match to.value.as_str() {
            "INSUFFICIENT_DATA" => "INSUFFICIENT",
            word => word,
        };
        let subject = format!("{word}: \"{}\" in {region}", alarm.name());
        let actions = alarm.actions();
        let mut form = Map::new();
        let mut put = |name: &str, value: Value| drop(form.insert(name.to_owned(), value));
        put("AlarmName", json!(alarm.name()));
        put("AlarmDescription", json!(alarm.description()));
        if let AlarmRef::Composite(composite) = alarm {
            put("AlarmRule", json!(composite.rule.text()));
        }
        put("AWSAccountId", json!(scope.account.to_string()));
        put("AlarmConfigurationUpdatedTimestamp", json!(instant(alarm.configured())));
        put("NewStateValue", json!(to.value));
        put("NewStateReason", json!(to.reason));
        put("StateChangeTime", json!(instant(transition.at())));
        put("Region", json!(region));
        put("AlarmArn", json!(alarm.arn(scope)));
        put("OldStateValue", json!(from.value));
        put("OKActions", json!(actions.ok));
        put("AlarmActions", json!(actions.alarm));
        put("InsufficientDataActions", json!(actions.insufficient_data));
        put("ActionExecutedAfterMuteWindow", json!(after_mute == AfterMute::Yes));
        match alarm {
            AlarmRef::Metric(metric) => put("Trigger", trigger(metric)),
            AlarmRef::Composite(_) => put("TriggeringChildren", triggering(to)),
        }
        Self { subject: cut(&subject, SUBJECT_MAX).to_owned(), message: json!(form).to_string() }
    }
}

/// What CloudWatch calls a Lambda function with.
///
/// Source: CloudWatch User Guide, "Lambda alarm actions".
pub fn function_event(
    scope: &Scope,
    alarm: AlarmRef<'_>,
    transition: &StateTransition,
    suppressed: Suppression,
) -> Value {
    let key = transition.idempotency_key(alarm.name());
    let mut previous = state_form(&transition.from);
    if let (Some(by), Some(previous)) = (suppressed.suppressed_by(), previous.as_object_mut()) {
        previous.insert("actionsSuppressedBy".into(), by.into());
        let reason = format!("Actions suppressed by {by}");
        previous.insert("actionsSuppressedReason".into(), reason.into());
    }
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn(scope),
        "accountId": scope.account.to_string(),
        "time": instant(transition.at()),
        "region": scope.region.as_str(),
        "alarmData": {
            "alarmName": alarm.name(),
            "state": state_form(&transition.to),
            "previousState": previous,
            "configuration": configuration(alarm, &uuid_form(&key).replace('-', "")),
        },
    })
}

/// The children that a composite's reason data names, as messages spell them.
fn triggering(state: &super::AlarmState) -> Value {
    let data: Value = state
        .reason_data
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let children = data.get("triggeringAlarms").and_then(Value::as_array);
    let child = |child: &Value| {
        let state = child.get("state").cloned().unwrap_or_default();
        json!({
            "Arn": child.get("arn"),
            "State": {"Value": state.get("value"), "Timestamp": state.get("timestamp")},
        })
    };
    children.map(|all| all.iter().map(child).collect()).unwrap_or_default()
}

fn trigger(alarm: &MetricAlarm) -> Value {
    let mut form = Map::new();
    let mut put = |name: &str, value: Value| drop(form.insert(name.to_owned(), value));
    if let Watched::Metric(single) = &alarm.watched {
        put("MetricName", json!(single.metric.metric_name));
        put("Namespace", json!(single.metric.namespace));
        let (kind, name) = match single.statistic.statistic().is_extended() {
            true => ("ExtendedStatistic", single.statistic.name().to_owned()),
            false => ("Statistic", upper_snake(single.statistic.name())),
        };
        put("StatisticType", json!(kind));
        put(kind, json!(name));
        put("Unit", json!(single.unit.map(|unit| unit.as_str())));
        put("Dimensions", dimensions(&single.metric.dimensions));
    }
    put("Period", json!(alarm.period().as_secs()));
    put("EvaluationPeriods", json!(alarm.evaluation_periods));
    if let Some(count) = alarm.datapoints_to_alarm {
        put("DatapointsToAlarm", json!(count));
    }
    put("ComparisonOperator", json!(alarm.comparison.as_str()));
    match &alarm.threshold {
        Threshold::Static(limit) => put("Threshold", json!(limit)),
        Threshold::Band(id) => put("ThresholdMetricId", json!(id)),
    }
    put("TreatMissingData", json!(alarm.treat_missing_data().as_str()));
    let low = alarm.low_sample_count.map_or("", |mode| mode.as_str());
    put("EvaluateLowSampleCountPercentile", json!(low));
    if let Watched::Queries { queries, .. } = &alarm.watched {
        put("Metrics", queries.iter().map(query).collect());
    }
    Value::Object(form)
}

fn query(query: &MetricDataQuery) -> Value {
    let mut form = Map::new();
    if let Some(expression) = &query.expression {
        form.insert("Expression".into(), json!(expression));
    }
    form.insert("Id".into(), json!(query.id));
    if let Some(label) = &query.label {
        form.insert("Label".into(), json!(label));
    }
    if let Some(stat) = &query.metric_stat {
        let metric = json!({
            "Dimensions": dimensions(&stat.metric.dimensions),
            "MetricName": stat.metric.metric_name,
            "Namespace": stat.metric.namespace,
        });
        let stat = json!({"Metric": metric, "Period": stat.period, "Stat": stat.stat});
        form.insert("MetricStat".into(), stat);
    }
    form.insert("ReturnData".into(), json!(query.returns_data()));
    Value::Object(form)
}

fn dimensions(dimensions: &Dimensions) -> Value {
    // COMPAT: lower-case members, the value first.
    dimensions.iter().map(|d| json!({"value": d.value, "name": d.name})).collect()
}

/// `SampleCount` as `SAMPLE_COUNT`.
fn upper_snake(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

/// The name that AWS shows people for a region; the code where there is none.
///
/// Source: AWS General Reference, "Regional endpoints".
fn region_name(code: &str) -> &str {
    match code {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "sa-east-1" => "South America (Sao Paulo)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "eu-north-1" => "EU (Stockholm)",
        "eu-south-1" => "EU (Milan)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-northeast-3" => "Asia Pacific (Osaka)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        "ap-east-1" => "Asia Pacific (Hong Kong)",
        "me-south-1" => "Middle East (Bahrain)",
        "af-south-1" => "Africa (Cape Town)",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{AlarmState, PutCompositeAlarm, StateValue};
    use crate::time::Timestamp;

    fn transition(data: Option<String>) -> StateTransition {
        AlarmState::initial(Timestamp::EPOCH)
            .transition(StateValue::Alarm, Timestamp::from_secs(1), || ("why".to_owned(), data))
            .unwrap()
    }

    #[test]
    fn a_topic_is_told_in_the_recorded_shape_and_order() {
        let alarm = MetricAlarm { description: Some("hot".into()), ..MetricAlarm::example() };
        let alarm = AlarmRef::Metric(&alarm);
        let text = TopicText::of(&Scope::default(), alarm, &transition(None), AfterMute::No);
        assert_eq!(text.subject, "ALARM: \"cpu\" in US East (N. Virginia)");
        assert_eq!(
            text.message,
            concat!(
                r#"{"AlarmName":"cpu","AlarmDescription":"hot","AWSAccountId":"123456789012","#,
                r#""AlarmConfigurationUpdatedTimestamp":"1970-01-01T00:00:00.000+0000","#,
                r#""NewStateValue":"ALARM","NewStateReason":"why","#,
                r#""StateChangeTime":"1970-01-01T00:00:01.000+0000","#,
                r#""Region":"US East (N. Virginia)","#,
                r#""AlarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu","#,
                r#""OldStateValue":"INSUFFICIENT_DATA","OKActions":[],"AlarmActions":[],"#,
                r#""InsufficientDataActions":[],"ActionExecutedAfterMuteWindow":false,"#,
                r#""Trigger":{"MetricName":"CPU","Namespace":"App","StatisticType":"Statistic","#,
                r#""Statistic":"AVERAGE","Unit":null,"Dimensions":[],"Period":60,"#,
                r#""EvaluationPeriods":3,"ComparisonOperator":"GreaterThanThreshold","#,
                r#""Threshold":0.5,"TreatMissingData":"missing","#,
                r#""EvaluateLowSampleCountPercentile":""}}"#
            )
        );
    }

    #[test]
    fn a_composite_names_the_children_that_made_it_change() {
        let input = PutCompositeAlarm {
            alarm_name: Some("all".into()),
            alarm_rule: Some("ALARM(cpu)".into()),
            ..PutCompositeAlarm::default()
        };
        let alarm = input.validate(Timestamp::EPOCH).unwrap();
        let data = super::super::CompositeAlarm::reason_data_of_child(
            &Scope::default(),
            "cpu",
            StateValue::Alarm,
            Timestamp::EPOCH,
        );
        let alarm = AlarmRef::Composite(&alarm);
        let text = TopicText::of(&Scope::default(), alarm, &transition(Some(data)), AfterMute::Yes);
        let message: Value = serde_json::from_str(&text.message).unwrap();
        assert_eq!(message["AlarmRule"], "ALARM(cpu)");
        assert_eq!(message["Trigger"], Value::Null);
        assert_eq!(message["ActionExecutedAfterMuteWindow"], true);
        let child = &message["TriggeringChildren"][0];
        assert_eq!(child["Arn"], "arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu");
        assert_eq!(child["State"]["Value"], "ALARM");
    }

    #[test]
    fn a_function_is_called_with_the_published_event() {
        let alarm = MetricAlarm::example();
        let alarm = AlarmRef::Metric(&alarm);
        let event = function_event(&Scope::default(), alarm, &transition(None), Suppression::None);
        assert_eq!(event["alarmData"]["state"]["value"], "ALARM");
        assert_eq!(event["alarmData"]["previousState"]["value"], "INSUFFICIENT_DATA");
        assert_eq!(event["time"], "1970-01-01T00:00:01.000+0000");
        let metric = &event["alarmData"]["configuration"]["metrics"][0];
        assert_eq!(metric["metricStat"]["metric"]["namespace"], "App");
        assert_eq!(metric["returnData"], true);
    }

    #[test]
    fn a_long_name_is_cut_to_what_a_subject_holds() {
        let alarm = MetricAlarm { name: "x".repeat(255).into(), ..MetricAlarm::example() };
        let alarm = AlarmRef::Metric(&alarm);
        let text = TopicText::of(&Scope::default(), alarm, &transition(None), AfterMute::No);
        assert_eq!(text.subject.chars().count(), 100);
        assert_eq!(upper_snake("SampleCount"), "SAMPLE_COUNT");
    }
}

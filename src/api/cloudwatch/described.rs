use std::sync::Arc;

use serde::Serialize;

use crate::alarm::{AlarmState, CompositeAlarm, MetricAlarm, MetricDataQuery, Threshold, Watched};
use crate::api::wire::Instant;
use crate::monitor::AlarmCondition;
use crate::telemetry::{Dimensions, Scope};

/// A metric alarm as the API shows it.
///
/// Source: CloudWatch API Reference, `MetricAlarm`; which members are absent, as recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedMetricAlarm {
    alarm_name: Arc<str>,
    alarm_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_description: Option<Arc<str>>,
    alarm_configuration_updated_timestamp: Instant,
    actions_enabled: bool,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<Arc<str>>,
    alarm_actions: Vec<Arc<str>>,
    insufficient_data_actions: Vec<Arc<str>>,
    state_value: &'static str,
    state_reason: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_data: Option<Arc<str>>,
    state_updated_timestamp: Instant,
    state_transitioned_timestamp: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_statistic: Option<String>,
    dimensions: Dimensions,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    evaluation_periods: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    datapoints_to_alarm: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    comparison_operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    treat_missing_data: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluate_low_sample_count_percentile: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricDataQuery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold_metric_id: Option<Arc<str>>,
}

impl DescribedMetricAlarm {
    /// The alarm in the state it is in.
    pub(super) fn of(scope: &Scope, alarm: &MetricAlarm, state: &AlarmState) -> Self {
        let (threshold, threshold_metric_id) = match &alarm.threshold {
            Threshold::Static(limit) => (Some(*limit), None),
            Threshold::Band(id) => (None, Some(Arc::clone(id))),
        };
        let (single, metrics) = match &alarm.watched {
            Watched::Metric(single) => (Some(single), Vec::new()),
            Watched::Queries { queries, .. } => (None, queries.clone()),
        };
        let named = |extended: bool| {
            let statistic = &single?.statistic;
            let wanted = statistic.statistic().is_extended() == extended;
            wanted.then(|| statistic.name().to_owned())
        };
        Self {
            alarm_name: Arc::clone(&alarm.name),
            alarm_arn: alarm.arn(scope),
            alarm_description: alarm.description.clone(),
            alarm_configuration_updated_timestamp: alarm.configured.into(),
            actions_enabled: alarm.actions.enabled,
            ok_actions: alarm.actions.ok.clone(),
            alarm_actions: alarm.actions.alarm.clone(),
            insufficient_data_actions: alarm.actions.insufficient_data.clone(),
            state_value: state.value.as_str(),
            state_reason: Arc::clone(&state.reason),
            state_reason_data: state.reason_data.clone(),
            state_updated_timestamp: state.updated.into(),
            state_transitioned_timestamp: state.transitioned.into(),
            metric_name: single.map(|single| Arc::clone(&single.metric.metric_name)),
            namespace: single.map(|single| Arc::clone(&single.metric.namespace)),
            statistic: named(false),
            extended_statistic: named(true),
            dimensions: single.map(|single| single.metric.dimensions.clone()).unwrap_or_default(),
            period: single.map(|single| single.period.as_secs()),
            unit: single.and_then(|single| single.unit).map(|unit| unit.as_str()),
            evaluation_periods: alarm.evaluation_periods,
            datapoints_to_alarm: alarm.datapoints_to_alarm,
            threshold,
            comparison_operator: alarm.comparison.as_str(),
            treat_missing_data: alarm.treat_missing_data.map(|mode| mode.as_str()),
            evaluate_low_sample_count_percentile: alarm.low_sample_count.map(|mode| mode.as_str()),
            metrics,
            threshold_metric_id,
        }
    }
}

/// A composite alarm as the API shows it.
///
/// Source: CloudWatch API Reference, `CompositeAlarm`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedCompositeAlarm {
    alarm_name: Arc<str>,
    alarm_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_description: Option<Arc<str>>,
    alarm_configuration_updated_timestamp: Instant,
    actions_enabled: bool,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<Arc<str>>,
    alarm_actions: Vec<Arc<str>>,
    insufficient_data_actions: Vec<Arc<str>>,
    alarm_rule: String,
    state_value: &'static str,
    state_reason: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_data: Option<Arc<str>>,
    state_updated_timestamp: Instant,
    state_transitioned_timestamp: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressed_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressed_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor_wait_period: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions_suppressor_extension_period: Option<u32>,
}

impl DescribedCompositeAlarm {
    /// The alarm as it stands.
    pub(super) fn of(scope: &Scope, alarm: &CompositeAlarm, condition: &AlarmCondition) -> Self {
        let state = &condition.state;
        let suppressor = alarm.suppressor.as_ref();
        let suppressed_by = condition.suppression.suppressed_by();
        Self {
            alarm_name: Arc::clone(&alarm.name),
            alarm_arn: scope.arn("cloudwatch", format_args!("alarm:{}", alarm.name)),
            alarm_description: alarm.description.clone(),
            alarm_configuration_updated_timestamp: alarm.configured.into(),
            actions_enabled: alarm.actions.enabled,
            ok_actions: alarm.actions.ok.clone(),
            alarm_actions: alarm.actions.alarm.clone(),
            insufficient_data_actions: alarm.actions.insufficient_data.clone(),
            alarm_rule: alarm.rule.text().to_owned(),
            state_value: state.value.as_str(),
            state_reason: Arc::clone(&state.reason),
            state_reason_data: state.reason_data.clone(),
            state_updated_timestamp: state.updated.into(),
            state_transitioned_timestamp: state.transitioned.into(),
            actions_suppressed_by: suppressed_by,
            actions_suppressed_reason: suppressed_by
                .map(|by| format!("Actions suppressed by {by}")),
            actions_suppressor: suppressor.map(|suppressor| Arc::clone(&suppressor.alarm)),
            actions_suppressor_wait_period: suppressor.map(|suppressor| suppressor.wait_secs),
            actions_suppressor_extension_period: suppressor
                .map(|suppressor| suppressor.extension_secs),
        }
    }
}

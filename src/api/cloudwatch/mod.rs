//! CloudWatch: metrics, alarms, dashboards and their pictures, in Query, JSON 1.0 and RPC v2 CBOR.

mod alarm_actions;
mod alarms;
mod anomaly_detector;
mod dashboard;
mod dashboard_body;
mod delete_alarms;
mod describe_alarm_history;
mod describe_alarms;
mod describe_alarms_for_metric;
mod described;
mod fault;
mod get_metric_data;
mod get_metric_statistics;
mod insight_rule;
mod labels;
mod list_metrics;
mod math;
mod metric_skim;
mod metric_stream;
mod mute_rules;
mod put_composite_alarm;
mod put_metric_alarm;
mod put_metric_data;
mod reading;
mod series;
mod set_alarm_state;
mod tags;
mod widget;

use super::error::ApiError;
use super::fault::VALIDATION;
use super::service::{
    Dialects, Effect, Operation, Service, operation, raw_operation, refuse_as_validator,
};
use super::wire::{DecodeError, DecodeFault, JsonVersion, Protocol};
use crate::telemetry::Spellings;

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "CloudWatch",
        signing_name: "monitoring",
        event_source: "monitoring.amazonaws.com",
        dialects: Dialects {
            json: Some(("GraniteServiceVersion20100801", JsonVersion::V1_0)),
            query: Some(("2010-08-01", "http://monitoring.amazonaws.com/doc/2010-08-01/")),
            query_compatible: true,
        },
        error_namespace: "com.amazonaws.cloudwatch.v2010_08_01#",
        refuse,
        operations: metrics_and_alarms().chain(documents()).collect(),
    }
}

/// Reads data of metrics as they were spelled before.
fn skim_metrics() -> impl Fn(Protocol, &[u8]) -> Option<metric_skim::Skimmed> {
    let spellings = Spellings::default();
    move |protocol, body| metric_skim::read(protocol, body, &spellings)
}

/// Metrics and alarms.
fn metrics_and_alarms() -> impl Iterator<Item = Operation> {
    [
        operation("DeleteAlarmMuteRule", Effect::Writes, mute_rules::delete),
        operation("DeleteAlarms", Effect::Writes, delete_alarms::run),
        operation("DescribeAlarmHistory", Effect::Reads, describe_alarm_history::run),
        operation("DescribeAlarms", Effect::Reads, describe_alarms::run),
        operation("DescribeAlarmsForMetric", Effect::Reads, describe_alarms_for_metric::run),
        operation("DisableAlarmActions", Effect::Writes, alarm_actions::disable),
        operation("EnableAlarmActions", Effect::Writes, alarm_actions::enable),
        operation("GetAlarmMuteRule", Effect::Reads, mute_rules::get),
        operation("GetMetricData", Effect::ReadsData, get_metric_data::run),
        operation("GetMetricStatistics", Effect::Reads, get_metric_statistics::run),
        operation("ListAlarmMuteRules", Effect::Reads, mute_rules::list),
        operation("ListMetrics", Effect::Reads, list_metrics::run),
        operation("PutAlarmMuteRule", Effect::Writes, mute_rules::put),
        operation("PutCompositeAlarm", Effect::Writes, put_composite_alarm::run),
        operation("PutMetricAlarm", Effect::Writes, put_metric_alarm::run),
        operation("PutMetricData", Effect::WritesData, put_metric_data::run)
            .sent_bytes_max(put_metric_data::BODY_BYTES_MAX)
            .directly(skim_metrics(), put_metric_data::run_skimmed),
        operation("SetAlarmState", Effect::Writes, set_alarm_state::run),
    ]
    .into_iter()
}

/// Dashboards, pictures, streams, detectors, rules and tags.
fn documents() -> impl Iterator<Item = Operation> {
    [
        operation("DeleteAnomalyDetector", Effect::Writes, anomaly_detector::delete),
        operation("DeleteDashboards", Effect::Writes, dashboard::delete),
        operation("DeleteInsightRules", Effect::Writes, insight_rule::delete),
        operation("DeleteMetricStream", Effect::Writes, metric_stream::delete),
        operation("DescribeAnomalyDetectors", Effect::Reads, anomaly_detector::describe),
        operation("DescribeInsightRules", Effect::Reads, insight_rule::describe),
        operation("DisableInsightRules", Effect::Writes, insight_rule::disable),
        operation("EnableInsightRules", Effect::Writes, insight_rule::enable),
        operation("GetDashboard", Effect::Reads, dashboard::get),
        operation("GetMetricStream", Effect::Reads, metric_stream::get),
        raw_operation("GetMetricWidgetImage", Effect::Reads, widget::run),
        operation("ListDashboards", Effect::Reads, dashboard::list),
        operation("ListMetricStreams", Effect::Reads, metric_stream::list),
        operation("ListTagsForResource", Effect::Reads, tags::list),
        operation("PutAnomalyDetector", Effect::Writes, anomaly_detector::put),
        operation("PutDashboard", Effect::Writes, dashboard::put),
        operation("PutInsightRule", Effect::Writes, insight_rule::put),
        operation("PutMetricStream", Effect::Writes, metric_stream::put),
        operation("StartMetricStreams", Effect::Writes, metric_stream::start),
        operation("StopMetricStreams", Effect::Writes, metric_stream::stop),
        operation("TagResource", Effect::Writes, tags::tag),
        operation("UntagResource", Effect::Writes, tags::untag),
    ]
    .into_iter()
}

/// Source: recorded answers; a missing parameter is named by its path, an unknown value of an enum
/// by the request validator.
fn refuse(error: &DecodeError) -> ApiError {
    let path = error.dotted();
    match &error.fault {
        DecodeFault::Missing => {
            fault::MISSING_PARAMETER.because(format!("The parameter {path} is required."))
        }
        DecodeFault::Variant { .. } => refuse_as_validator(VALIDATION, error),
        DecodeFault::Kind { .. } | DecodeFault::Refused(_) => {
            fault::INVALID_PARAMETER_VALUE.because(format!("{} for parameter {path}", error.fault))
        }
    }
}

//! A batch of telemetry in OpenTelemetry's shapes.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use serde_json::Value;

use super::spans::spans;
use crate::telemetry::{
    LogBatch, MetricDatum, MetricValue, Scope, StandardUnit, StatisticSet, TelemetryBatch,
};
use crate::time::Timestamp;

/// What is sent of a batch: each signal's path and body, without those of which there is nothing.
pub(super) fn bodies(batch: &TelemetryBatch) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies = Vec::new();
    if !batch.traces.is_empty() {
        bodies.push(("/v1/traces", traces(batch).encode_to_vec()));
    }
    if !batch.metrics.is_empty() {
        bodies.push(("/v1/metrics", metrics(batch).encode_to_vec()));
    }
    if !batch.logs.is_empty() {
        bodies.push(("/v1/logs", logs(batch).encode_to_vec()));
    }
    bodies
}

fn traces(batch: &TelemetryBatch) -> ExportTraceServiceRequest {
    let spans = batch.traces.iter().flat_map(spans).collect();
    let scope_spans = ScopeSpans { scope: Some(library("coalmine")), spans, ..Default::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(&batch.scope)),
            scope_spans: vec![scope_spans],
            ..Default::default()
        }],
    }
}

/// Each namespace is a scope. Samples are gauges; summaries and distributions are summaries.
fn metrics(batch: &TelemetryBatch) -> ExportMetricsServiceRequest {
    let scope_metrics = batch.metrics.iter().map(|metrics| ScopeMetrics {
        scope: Some(library(&metrics.namespace)),
        metrics: metrics.data.iter().map(metric).collect(),
        ..Default::default()
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(&batch.scope)),
            scope_metrics: scope_metrics.collect(),
            ..Default::default()
        }],
    }
}

fn metric(datum: &MetricDatum) -> Metric {
    let attributes = datum
        .dimensions
        .iter()
        .map(|dimension| attribute(&dimension.name, text(&dimension.value)))
        .collect();
    let time_unix_nano = nanos(datum.timestamp);
    let data = match &datum.value {
        MetricValue::Value(value) => Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                attributes,
                time_unix_nano,
                value: Some(Number::AsDouble(*value)),
                ..Default::default()
            }],
        }),
        other => {
            let StatisticSet { sample_count, sum, minimum, maximum } = summary(other);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of samples; a cast saturates"
            )]
            let count = sample_count.round() as u64;
            let at = |quantile, value| ValueAtQuantile { quantile, value };
            let quantile_values = vec![at(0.0, minimum), at(1.0, maximum)];
            Data::Summary(Summary {
                data_points: vec![SummaryDataPoint {
                    attributes,
                    time_unix_nano,
                    count,
                    sum,
                    quantile_values,
                    ..Default::default()
                }],
            })
        }
    };
    Metric {
        name: datum.metric_name.to_string(),
        unit: unit(datum.unit).to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

fn summary(value: &MetricValue) -> StatisticSet {
    match value {
        MetricValue::StatisticSet(set) => *set,
        MetricValue::Value(value) => {
            StatisticSet { sample_count: 1.0, sum: *value, minimum: *value, maximum: *value }
        }
        MetricValue::Distribution(values) => {
            let none = StatisticSet {
                sample_count: 0.0,
                sum: 0.0,
                minimum: f64::INFINITY,
                maximum: f64::NEG_INFINITY,
            };
            values.iter().fold(none, |set, (value, count)| StatisticSet {
                sample_count: set.sample_count + count,
                sum: set.sum + value * count,
                minimum: set.minimum.min(*value),
                maximum: set.maximum.max(*value),
            })
        }
    }
}

/// Each stream is a resource, so that a receiver that knows groups and streams finds them again.
fn logs(batch: &TelemetryBatch) -> ExportLogsServiceRequest {
    let resource_logs = batch.logs.iter().map(|logs| {
        let mut resource = resource(&batch.scope);
        resource.attributes.push(attribute("aws.log.group.names", list(&logs.group)));
        resource.attributes.push(attribute("aws.log.stream.names", list(&logs.stream)));
        ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(library("coalmine")),
                log_records: records(logs),
                ..Default::default()
            }],
            ..Default::default()
        }
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

fn records(logs: &LogBatch) -> Vec<LogRecord> {
    let record = |event: &crate::telemetry::LogEvent| LogRecord {
        time_unix_nano: nanos(event.timestamp),
        body: Some(text(&event.message)),
        ..Default::default()
    };
    logs.events.iter().map(record).collect()
}

fn resource(scope: &Scope) -> Resource {
    Resource {
        attributes: vec![
            attribute("service.name", text("coalmine")),
            attribute("service.version", text(env!("CARGO_PKG_VERSION"))),
            attribute("cloud.account.id", text(scope.account.as_str())),
            attribute("cloud.region", text(scope.region.as_str())),
        ],
        ..Default::default()
    }
}

fn library(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), ..Default::default() }
}

/// Source: UCUM, as OpenTelemetry's semantic conventions use it.
const fn unit(unit: StandardUnit) -> &'static str {
    match unit {
        StandardUnit::None => "1",
        StandardUnit::Seconds => "s",
        StandardUnit::Milliseconds => "ms",
        StandardUnit::Microseconds => "us",
        StandardUnit::Bytes => "By",
        StandardUnit::Percent => "%",
        StandardUnit::Count => "{count}",
        other => other.as_str(),
    }
}

/// An attribute.
pub(super) fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

/// A text.
pub(super) fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(value.to_owned())) }
}

/// A JSON value that is a scalar; any other as its text.
pub(super) fn value(value: &Value) -> AnyValue {
    let any = match value {
        Value::Bool(value) => Any::BoolValue(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Any::IntValue(whole),
            None => Any::DoubleValue(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Any::StringValue(text.clone()),
        other => Any::StringValue(other.to_string()),
    };
    AnyValue { value: Some(any) }
}

fn list(value: &str) -> AnyValue {
    let values = vec![text(value)];
    let list = opentelemetry_proto::tonic::common::v1::ArrayValue { values };
    AnyValue { value: Some(Any::ArrayValue(list)) }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000)
}

use serde::Deserialize;

use super::INVALID_REQUEST;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::telemetry::{Dimensions, MetricBatch, MetricDatum, StandardUnit, TelemetryBatch};

/// What daemons report is kept as metrics of this namespace.
const NAMESPACE: &str = "AWS/X-Ray";
const RECORDS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    telemetry_records: Vec<Record>,
    #[serde(rename = "EC2InstanceId")]
    instance_id: Option<String>,
    hostname: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    timestamp: Instant,
    segments_received_count: Option<u32>,
    segments_sent_count: Option<u32>,
    segments_spillover_count: Option<u32>,
    segments_rejected_count: Option<u32>,
    #[serde(default)]
    backend_connection_errors: ConnectionErrors,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConnectionErrors {
    timeout_count: Option<u32>,
    connection_refused_count: Option<u32>,
    #[serde(rename = "HTTPCode4XXCount")]
    http_4xx_count: Option<u32>,
    #[serde(rename = "HTTPCode5XXCount")]
    http_5xx_count: Option<u32>,
    unknown_host_count: Option<u32>,
    other_count: Option<u32>,
}

/// Source: X-Ray API Reference, PutTelemetryRecords.
/// Differs: AWS shows them to nobody; here each count is a metric by host.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Constraints::new()
        .length("EC2InstanceId", &text(&input.instance_id), 0, 20)
        .length("Hostname", &text(&input.hostname), 0, 255)
        .length("ResourceARN", &text(&input.resource_arn), 0, 500)
        .count("TelemetryRecords", input.telemetry_records.len(), 0, RECORDS_MAX)
        .done(INVALID_REQUEST)?;
    let named = [("Hostname", input.hostname), ("InstanceId", input.instance_id)];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let dimensions = Dimensions::of(named.filter(|(_, value)| !value.is_empty()));
    let data: Vec<MetricDatum> =
        input.telemetry_records.iter().flat_map(|record| record.data(&dimensions)).collect();
    if data.is_empty() {
        return Ok(());
    }
    let mut batch = TelemetryBatch::new(call.scope().clone());
    batch.metrics.push(MetricBatch { namespace: NAMESPACE.into(), data });
    call.append(batch).await
}

impl Record {
    fn data(&self, dimensions: &Dimensions) -> Vec<MetricDatum> {
        let errors = &self.backend_connection_errors;
        let counts = [
            ("SegmentsReceivedCount", self.segments_received_count),
            ("SegmentsSentCount", self.segments_sent_count),
            ("SegmentsSpilloverCount", self.segments_spillover_count),
            ("SegmentsRejectedCount", self.segments_rejected_count),
            ("TimeoutCount", errors.timeout_count),
            ("ConnectionRefusedCount", errors.connection_refused_count),
            ("HTTPCode4XXCount", errors.http_4xx_count),
            ("HTTPCode5XXCount", errors.http_5xx_count),
            ("UnknownHostCount", errors.unknown_host_count),
            ("OtherCount", errors.other_count),
        ];
        let datum = |(name, count): (&str, Option<u32>)| {
            let value = (f64::from(count?), StandardUnit::Count);
            Some(MetricDatum::sample(name, dimensions.clone(), self.timestamp.0, value))
        };
        counts.into_iter().filter_map(datum).collect()
    }
}

//! A finished run in the shapes of CloudWatch Synthetics.
//!
//! Main function: [`batch`]. One run becomes metric data, one log stream, one trace and one event;
//! the store takes all of it or nothing. Metrics about the scheduler itself are `monitor`'s.

mod events;
mod logs;
mod metrics;
mod trace;

use xxhash_rust::xxh3::xxh3_128;

use super::definition::Canary;
use super::report::{RunOutcome, RunReport};
use crate::telemetry::{BatchId, LogBatch, MetricBatch, Scope, TelemetryBatch};

/// The namespace of canaries.
///
/// Source: CloudWatch User Guide, "CloudWatch metrics published by canaries".
pub const NAMESPACE: &str = "CloudWatchSynthetics";

/// Everything that a run emits.
///
/// Timestamps of metrics are the start of the run; retries share it, as on AWS. A run that was
/// skipped emits nothing but its log line.
pub fn batch(report: &RunReport, canary: &Canary, scope: Scope) -> TelemetryBatch {
    let mut batch = TelemetryBatch::new(scope);
    batch.id = Some(BatchId(xxh3_128(report.id.0.as_bytes()).to_be_bytes()));
    batch.logs.push(LogBatch {
        group: log_group(&batch.scope, &report.canary).into(),
        stream: logs::stream(report).into(),
        events: logs::events(report),
    });
    if report.outcome == RunOutcome::Skipped {
        return batch;
    }
    let mut data = metrics::data(report, canary);
    data.extend(report.metrics.iter().cloned());
    batch.metrics.push(MetricBatch { namespace: NAMESPACE.into(), data });
    batch.traces.push(trace::segment(report));
    batch.events.extend(events::run_result(report, &batch.scope));
    batch
}

/// The canary's id: a UUID that is the same as long as account, region and name are.
pub fn canary_id(scope: &Scope, name: &str) -> String {
    let hash = xxh3_128(format!("{scope}/{name}").as_bytes());
    uuid::Builder::from_random_bytes(hash.to_be_bytes()).into_uuid().to_string()
}

/// `/aws/lambda/cwsyn-<canary>-<id>`.
pub fn log_group(scope: &Scope, name: &str) -> String {
    format!("/aws/lambda/cwsyn-{name}-{}", canary_id(scope, name))
}

#[cfg(test)]
mod tests;

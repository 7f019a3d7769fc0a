use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::api::wire::Instant;
use crate::canary::report::RunOutcome;
use crate::monitor::{CanaryRow, CanaryRunRow, CanaryState};

/// Source: Synthetics API Reference, `RetentionPeriodInDays`, defaults.
const RETENTION_DAYS: u32 = 31;
/// What the runtime of our canaries is called.
const RUNTIME: &str = concat!("coalmine-", env!("CARGO_PKG_VERSION"));

/// A canary as the API shows it.
///
/// Source: Synthetics API Reference, `Canary`. Members of things that our canaries do not have,
/// such as a role and a bucket, are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedCanary {
    id: Arc<str>,
    name: Arc<str>,
    code: Code,
    schedule: Schedule,
    run_config: RunConfig,
    success_retention_period_in_days: u32,
    failure_retention_period_in_days: u32,
    status: CanaryStatus,
    timeline: CanaryTimeline,
    runtime_version: &'static str,
    tags: BTreeMap<Arc<str>, &'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    handler: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Schedule {
    expression: Arc<str>,
    duration_in_seconds: u32,
    retry_config: RetryConfig,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RetryConfig {
    max_retries: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    timeout_in_seconds: u64,
    active_tracing: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CanaryStatus {
    state: CanaryState,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CanaryTimeline {
    created: Instant,
    last_modified: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_started: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_stopped: Option<Instant>,
}

impl From<CanaryRow> for DescribedCanary {
    fn from(row: CanaryRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            code: Code { handler: row.file },
            schedule: Schedule {
                // Source: `rate(0 minute)` is a canary that runs when it is told to.
                expression: row.schedule.unwrap_or_else(|| "rate(0 minute)".into()),
                duration_in_seconds: 0,
                retry_config: RetryConfig { max_retries: row.attempts.saturating_sub(1) },
            },
            run_config: RunConfig { timeout_in_seconds: row.timeout_secs, active_tracing: true },
            success_retention_period_in_days: RETENTION_DAYS,
            failure_retention_period_in_days: RETENTION_DAYS,
            status: CanaryStatus { state: row.state },
            timeline: CanaryTimeline {
                created: row.created.into(),
                last_modified: row.modified.into(),
                last_started: row.started.map(Instant),
                last_stopped: row.stopped.map(Instant),
            },
            runtime_version: RUNTIME,
            tags: row.tags.into_iter().map(|tag| (tag, "")).collect(),
        }
    }
}

/// A run as the API shows it.
///
/// Source: Synthetics API Reference, `CanaryRun`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedRun {
    id: Arc<str>,
    scheduled_run_id: Arc<str>,
    name: Arc<str>,
    status: RunStatus,
    timeline: RunTimeline,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunStatus {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_code: Option<&'static str>,
    test_result: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunTimeline {
    started: Instant,
    completed: Instant,
    metric_timestamp_for_run_and_retries: Instant,
}

impl From<CanaryRunRow> for DescribedRun {
    fn from(row: CanaryRunRow) -> Self {
        let test_result = match row.outcome {
            RunOutcome::Passed | RunOutcome::Flaky => "PASSED",
            RunOutcome::Failed => "FAILED",
            RunOutcome::Error | RunOutcome::Skipped | RunOutcome::Cancelled => "UNKNOWN",
        };
        let passed = test_result == "PASSED";
        Self {
            id: Arc::clone(&row.id.0),
            scheduled_run_id: row.id.0,
            name: row.canary,
            status: RunStatus {
                state: if passed { "PASSED" } else { "FAILED" },
                state_reason: row.reason,
                state_reason_code: (!passed).then_some("CANARY_FAILURE"),
                test_result,
            },
            timeline: RunTimeline {
                started: row.started.into(),
                completed: row.completed.into(),
                metric_timestamp_for_run_and_retries: row.started.into(),
            },
        }
    }
}

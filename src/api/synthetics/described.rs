use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::runtimes::OWN;
use crate::api::wire::Instant;
use crate::canary::report::RunOutcome;
use crate::monitor::{
    CanaryDryRunRow, CanaryRetry, CanaryRow, CanaryRunConfig, CanaryRunRow, CanaryState,
    CanaryTiming, HostedCanaryRow,
};
use crate::telemetry::Scope;

/// Source: Synthetics API Reference, `RetentionPeriodInDays`, defaults.
const RETENTION_DAYS: i64 = 31;

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
    schedule: CanaryTiming,
    run_config: CanaryRunConfig,
    success_retention_period_in_days: i64,
    failure_retention_period_in_days: i64,
    status: CanaryStatus,
    timeline: CanaryTimeline,
    runtime_version: String,
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_role_arn: Option<String>,
    #[serde(rename = "ArtifactS3Location", skip_serializing_if = "Option::is_none")]
    artifact_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run_config: Option<DryRunConfig>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DryRunConfig {
    dry_run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_dry_run_execution_status: Option<Arc<str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    #[serde(skip_serializing_if = "Option::is_none")]
    source_location_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blueprint_types: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CanaryStatus {
    state: &'static str,
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

impl DescribedCanary {
    /// One that was made here.
    pub(super) fn of_hosted(scope: &Scope, name: &str, row: HostedCanaryRow) -> Self {
        let config = row.config;
        // What a function of AWS would be called; there is none, and its log group has this name.
        let function = format!("function:cwsyn-{name}-{}:1", row.id);
        let dry_run_config = row.dry_run.map(|run| DryRunConfig {
            dry_run_id: run.id,
            last_dry_run_execution_status: Some(run.status),
        });
        // Source: `RunConfig`: values of the environment are never shown.
        let run_config = CanaryRunConfig { environment_variables: None, ..config.run_config };
        Self {
            id: row.id.into(),
            name: name.into(),
            code: Code {
                source_location_arn: Some(
                    scope.arn("lambda", format_args!("layer:cwsyn-{name}:1")),
                ),
                handler: config.handler,
                blueprint_types: config.blueprint_types,
            },
            schedule: config.schedule,
            run_config,
            success_retention_period_in_days: config.success_retention_days,
            failure_retention_period_in_days: config.failure_retention_days,
            status: CanaryStatus { state: row.state.as_str() },
            timeline: CanaryTimeline {
                created: row.created.into(),
                last_modified: row.modified.into(),
                last_started: row.started.map(Instant),
                last_stopped: row.stopped.map(Instant),
            },
            runtime_version: config.runtime_version,
            tags: row.tags,
            execution_role_arn: Some(config.execution_role_arn),
            artifact_location: Some(config.artifact_location),
            engine_arn: Some(scope.arn("lambda", function)),
            dry_run_config,
            others: config.others,
        }
    }
}

impl From<CanaryRow> for DescribedCanary {
    fn from(row: CanaryRow) -> Self {
        let state = match row.state {
            CanaryState::Ready => "READY",
            CanaryState::Running => "RUNNING",
            CanaryState::Stopped => "STOPPED",
        };
        Self {
            id: row.id,
            name: row.name,
            code: Code {
                source_location_arn: None,
                handler: Some(row.file),
                blueprint_types: Vec::new(),
            },
            schedule: CanaryTiming {
                // Source: `rate(0 minute)` is a canary that runs when it is told to.
                expression: row.schedule.as_deref().unwrap_or("rate(0 minute)").to_owned(),
                duration_in_seconds: 0,
                retry_config: Some(CanaryRetry { max_retries: row.attempts.saturating_sub(1) }),
            },
            run_config: CanaryRunConfig {
                timeout_in_seconds: i64::try_from(row.timeout_secs).ok(),
                active_tracing: Some(true),
                ..CanaryRunConfig::default()
            },
            success_retention_period_in_days: RETENTION_DAYS,
            failure_retention_period_in_days: RETENTION_DAYS,
            status: CanaryStatus { state },
            timeline: CanaryTimeline {
                created: row.created.into(),
                last_modified: row.modified.into(),
                last_started: row.started.map(Instant),
                last_stopped: row.stopped.map(Instant),
            },
            runtime_version: OWN.to_owned(),
            tags: row.tags.into_iter().map(|tag| (tag.to_string(), String::new())).collect(),
            execution_role_arn: None,
            artifact_location: None,
            engine_arn: None,
            dry_run_config: None,
            others: Map::new(),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run_config: Option<DryRunConfig>,
}

impl DescribedRun {
    /// A run of a dry run.
    pub(super) fn of_dry_run(row: CanaryDryRunRow) -> Self {
        let dry_run = DryRunConfig { dry_run_id: row.dry_run, last_dry_run_execution_status: None };
        Self { dry_run_config: Some(dry_run), ..row.run.into() }
    }
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
            dry_run_config: None,
        }
    }
}

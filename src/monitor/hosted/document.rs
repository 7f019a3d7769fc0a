use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::monitor::run_row::CanaryRunRow;
use crate::time::Timestamp;

/// How a canary is configured, in the words of the API.
///
/// Source: Synthetics API Reference, CreateCanary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CanaryConfig {
    /// The object that holds its code, in the bucket of code.
    pub code_key: String,
    /// What in the code is run.
    pub handler: Option<String>,
    /// Kinds of blueprints in the code.
    #[serde(default)]
    pub blueprint_types: Vec<String>,
    /// Where artifacts would go: bucket and prefix.
    pub artifact_location: String,
    /// In whose name; kept as given.
    pub execution_role_arn: String,
    /// When it runs.
    pub schedule: CanaryTiming,
    /// How it runs.
    pub run_config: CanaryRunConfig,
    /// For which runtime it was made.
    pub runtime_version: String,
    /// How long good runs are kept.
    pub success_retention_days: i64,
    /// How long bad runs are kept.
    pub failure_retention_days: i64,
    /// What is kept and shown as it was given: networks, keys, browsers.
    #[serde(default)]
    pub others: Map<String, Value>,
}

/// When a canary runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CanaryTiming {
    /// A rate or cron expression.
    pub expression: String,
    /// For how long from its start; 0 is until it is stopped.
    #[serde(default)]
    pub duration_in_seconds: i64,
    /// Whether failed runs are repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<CanaryRetry>,
}

/// How often a failed run is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CanaryRetry {
    /// So often at most.
    pub max_retries: u32,
}

/// How a canary runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CanaryRunConfig {
    /// How long one run may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<i64>,
    /// Kept as given.
    #[serde(rename = "MemoryInMB", skip_serializing_if = "Option::is_none")]
    pub memory_in_mb: Option<i64>,
    /// Kept as given; every run has a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_tracing: Option<bool>,
    /// Variables of the canary that are given other values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_variables: Option<BTreeMap<String, String>>,
    /// Kept as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<i64>,
}

/// Where a canary is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HostedState {
    /// Made, and not started yet.
    Ready,
    /// It runs when it is due.
    Running,
    /// It was stopped.
    Stopped,
}

impl HostedState {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A canary that was made through the API, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostedCanaryRow {
    /// A UUID, the same for the canary's whole life.
    pub id: String,
    /// How it is configured.
    pub config: CanaryConfig,
    /// Where it is in its life.
    pub state: HostedState,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// When it was last started.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// When it was last stopped.
    #[serde(default)]
    pub stopped: Option<Timestamp>,
    /// Its last dry run.
    #[serde(default)]
    pub dry_run: Option<DryRunRow>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The last dry run of a canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DryRunRow {
    /// Its id.
    pub id: String,
    /// What was tried.
    pub config: CanaryConfig,
    /// How it stands: `RUNNING`, `PASSED` or `FAILED`.
    pub status: Arc<str>,
    /// When the canary had last changed by then.
    pub of: Timestamp,
}

/// One run of a dry run, a row by the canary's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryDryRunRow {
    /// The dry run.
    pub dry_run: String,
    /// The run.
    pub run: CanaryRunRow,
}

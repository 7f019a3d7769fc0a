//! What a canary is configured with, as callers give it: read, checked, merged.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{TOO_LARGE, VALIDATION, hosted_error};
use crate::api::call::{Answer, Call};
use crate::canary::schedule::Schedule;
use crate::monitor::{CanaryConfig, CanaryRunConfig, CanaryTiming};

/// Source: Synthetics API Reference, `CanaryCodeInput`, `RunConfig`, `Schedule`.
const ZIP_BYTES_MAX: usize = 10_000_000;
const TIMEOUT_SECONDS_MAX: i64 = 840;
const DURATION_SECONDS_MAX: i64 = 31_622_400;
const RETENTION_DAYS: i64 = 31;
const ENVIRONMENT_BYTES_MAX: usize = 4_096;

/// The members that say what a canary is; each is left as it was when it is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Given {
    code: Option<CodeInput>,
    execution_role_arn: Option<String>,
    artifact_s3_location: Option<String>,
    schedule: Option<CanaryTiming>,
    run_config: Option<CanaryRunConfig>,
    runtime_version: Option<String>,
    success_retention_period_in_days: Option<i64>,
    failure_retention_period_in_days: Option<i64>,
    vpc_config: Option<Value>,
    artifact_config: Option<Value>,
    browser_configs: Option<Value>,
    provisioned_resource_cleanup: Option<Value>,
    kms_key_arn: Option<Value>,
    visual_reference: Option<Value>,
    visual_references: Option<Value>,
    add_replica_locations: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CodeInput {
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    zip_file: Option<String>,
    handler: Option<String>,
    blueprint_types: Vec<String>,
}

impl Given {
    /// Whether anything but the schedule is given.
    pub(super) fn is_more_than_a_schedule(&self) -> bool {
        self.code.is_some()
            || self.run_config.is_some()
            || self.runtime_version.is_some()
            || self.execution_role_arn.is_some()
            || self.artifact_s3_location.is_some()
    }

    /// The configuration of a canary that is new.
    ///
    /// Errors: `ValidationException` for what is missing or out of its range.
    pub(super) async fn into_new(self, call: &Call) -> Answer<CanaryConfig> {
        let missing = |name: &str| {
            VALIDATION.because(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy \
                 constraint: Member must not be null"
            ))
        };
        for (name, is_missing) in [
            ("code", self.code.is_none()),
            ("artifactS3Location", self.artifact_s3_location.is_none()),
            ("executionRoleArn", self.execution_role_arn.is_none()),
            ("schedule", self.schedule.is_none()),
            ("runtimeVersion", self.runtime_version.is_none()),
        ] {
            if is_missing {
                return Err(missing(name));
            }
        }
        let empty = CanaryConfig {
            code_key: String::new(),
            handler: None,
            blueprint_types: Vec::new(),
            artifact_location: String::new(),
            execution_role_arn: String::new(),
            schedule: CanaryTiming {
                expression: String::new(),
                duration_in_seconds: 0,
                retry_config: None,
            },
            run_config: CanaryRunConfig::default(),
            runtime_version: String::new(),
            success_retention_days: RETENTION_DAYS,
            failure_retention_days: RETENTION_DAYS,
            others: Map::new(),
        };
        self.merged(call, empty).await
    }

    /// A configuration with what is given in its place.
    ///
    /// Errors: `ValidationException` for what is out of its range.
    pub(super) async fn merged(
        self,
        call: &Call,
        mut config: CanaryConfig,
    ) -> Answer<CanaryConfig> {
        if let Some(code) = self.code {
            put_code(call, code, &mut config).await?;
        }
        if let Some(location) = self.artifact_s3_location {
            let location = location.strip_prefix("s3://").unwrap_or(&location);
            config.artifact_location = location.trim_end_matches('/').to_owned();
        }
        config.execution_role_arn = self.execution_role_arn.unwrap_or(config.execution_role_arn);
        config.schedule = self.schedule.unwrap_or(config.schedule);
        config.runtime_version = self.runtime_version.unwrap_or(config.runtime_version);
        if let Some(given) = self.run_config {
            let before = config.run_config.environment_variables.take();
            config.run_config = given;
            let kept = config.run_config.environment_variables.take().or(before);
            config.run_config.environment_variables = kept;
        }
        if let Some(days) = self.success_retention_period_in_days {
            config.success_retention_days = days;
        }
        if let Some(days) = self.failure_retention_period_in_days {
            config.failure_retention_days = days;
        }
        if self.add_replica_locations.is_some() {
            return Err(VALIDATION.because("AddReplicaLocations is not supported here"));
        }
        for (name, value) in [
            ("VpcConfig", self.vpc_config),
            ("ArtifactConfig", self.artifact_config),
            ("BrowserConfigs", self.browser_configs),
            ("ProvisionedResourceCleanup", self.provisioned_resource_cleanup),
            ("KmsKeyArn", self.kms_key_arn),
            ("VisualReference", self.visual_reference),
            ("VisualReferences", self.visual_references),
        ] {
            if let Some(value) = value {
                config.others.insert(name.to_owned(), value);
            }
        }
        check(&mut config)?;
        Ok(config)
    }
}

async fn put_code(call: &Call, code: CodeInput, config: &mut CanaryConfig) -> Answer<()> {
    let bytes = match (&code.zip_file, &code.s3_bucket, &code.s3_key) {
        (Some(zip), None, None) => STANDARD
            .decode(zip)
            .map_err(|_fault| VALIDATION.because("Code.ZipFile is no base64 text."))?,
        (None, Some(bucket), Some(key)) => {
            let found = call.state().store.buckets().get(bucket, key).await;
            let found = found.map_err(|fault| VALIDATION.because(fault.to_string()))?;
            let missing =
                || VALIDATION.because(format!("There is no object s3://{bucket}/{key} here."));
            found.ok_or_else(missing)?.to_vec()
        }
        _ => {
            return Err(
                VALIDATION.because("Code must have either ZipFile or both S3Bucket and S3Key.")
            );
        }
    };
    if bytes.len() > ZIP_BYTES_MAX {
        return Err(TOO_LARGE.because(format!("Code.ZipFile has more than {ZIP_BYTES_MAX} bytes.")));
    }
    if code.blueprint_types.is_empty() && code.handler.is_none() {
        return Err(VALIDATION.because("Code.Handler is required."));
    }
    let hosted = call.state().monitor.hosted();
    config.code_key = hosted.keep_code(call.scope(), bytes).await.map_err(hosted_error)?;
    config.handler = code.handler;
    config.blueprint_types = code.blueprint_types;
    Ok(())
}

fn check(config: &mut CanaryConfig) -> Answer<()> {
    let invalid = |why: String| Err(VALIDATION.because(why));
    let expression = config.schedule.expression.as_str();
    let schedule = match Schedule::parse(expression, "UTC") {
        Ok(schedule) => schedule,
        Err(_fault) => return invalid(format!("Invalid schedule expression: {expression}")),
    };
    let frequency = schedule.period().map(|period| period.as_secs());
    if frequency.is_some_and(|seconds| !(60..=3_600).contains(&seconds)) {
        return invalid(format!(
            "Invalid schedule expression: {expression}. The rate must be from 1 minute to 1 hour."
        ));
    }
    if !(0..=DURATION_SECONDS_MAX).contains(&config.schedule.duration_in_seconds) {
        return invalid("Schedule.DurationInSeconds is out of its range.".to_owned());
    }
    let most = frequency.and_then(|seconds| i64::try_from(seconds).ok());
    let most = most.unwrap_or(TIMEOUT_SECONDS_MAX).min(TIMEOUT_SECONDS_MAX);
    let timeout = *config.run_config.timeout_in_seconds.get_or_insert(most);
    if !(3..=TIMEOUT_SECONDS_MAX).contains(&timeout) {
        return invalid(format!(
            "1 validation error detected: Value '{timeout}' at 'runConfig.timeoutInSeconds' \
             failed to satisfy constraint: Member must be between 3 and {TIMEOUT_SECONDS_MAX}"
        ));
    }
    if timeout > most {
        return invalid("TimeoutInSeconds must not be longer than the schedule's rate.".to_owned());
    }
    let memory = *config.run_config.memory_in_mb.get_or_insert(1024);
    if !(960..=3_008).contains(&memory) || memory % 64 != 0 {
        return invalid("MemoryInMB must be a multiple of 64 from 960 to 3008.".to_owned());
    }
    config.run_config.active_tracing.get_or_insert(false);
    for days in [config.success_retention_days, config.failure_retention_days] {
        if !(1..=1_024).contains(&days) {
            return invalid("A retention period has from 1 to 1024 days.".to_owned());
        }
    }
    let retries = config.schedule.retry_config.map_or(0, |retry| retry.max_retries);
    if retries > 2 || retries == 2 && timeout >= 600 {
        return invalid(
            "MaxRetries is at most 2, and less than 2 for a timeout of 600.".to_owned(),
        );
    }
    let environment = config.run_config.environment_variables.iter().flatten();
    let bytes = environment.map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if bytes > ENVIRONMENT_BYTES_MAX {
        return invalid("EnvironmentVariables have more than 4 KB.".to_owned());
    }
    super::runtimes::check(&config.runtime_version)
}

/// Checks the name of a canary.
pub(super) fn check_name(name: &str) -> Answer<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    crate::api::service::Constraints::new()
        .length("name", name, 1, 255)
        .pattern("name", name, name.bytes().all(allowed), "^[0-9a-z_\\-]+$")
        .done(VALIDATION)
}

/// The ARN of a canary.
pub(super) fn arn(call: &Call, name: &str) -> String {
    call.scope().arn("synthetics", format_args!("canary:{name}"))
}

/// The name in a canary's ARN of this account and region.
pub(super) fn name_in_arn<'a>(call: &Call, arn: &'a str) -> Option<&'a str> {
    let start: Arc<str> = self::arn(call, "").into();
    arn.strip_prefix(&*start)
}

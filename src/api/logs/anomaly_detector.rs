//! Log anomaly detectors: kept and described. None is trained here, and their state says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, NOT_FOUND, bad_token};
use super::{group, tagged};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::ResourceChanges;
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// Detectors by id.
pub(super) const KIND: &str = "log-anomaly-detector";
const VISIBILITY_DAYS: i64 = 21;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Frequency {
    OneMin,
    FiveMin,
    TenMin,
    FifteenMin,
    ThirtyMin,
    OneHour,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    name: Option<String>,
    groups: Vec<String>,
    frequency: Option<Frequency>,
    pattern: Option<String>,
    kms_key_id: Option<String>,
    visibility_days: i64,
    enabled: bool,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput {
    log_group_arn_list: Vec<Arc<str>>,
    detector_name: Option<String>,
    evaluation_frequency: Option<Frequency>,
    filter_pattern: Option<String>,
    kms_key_id: Option<String>,
    anomaly_visibility_time: Option<i64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateOutput {
    anomaly_detector_arn: String,
}

/// Source: CloudWatch Logs API Reference, CreateLogAnomalyDetector.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<CreateOutput> {
    let count = input.log_group_arn_list.len();
    Constraints::new()
        .count("logGroupArnList", count, 1, 1)
        .range("anomalyVisibilityTime", input.anomaly_visibility_time, 7, 90)
        .done(INVALID_PARAMETER)?;
    group::check_tags(&input.tags)?;
    let mut groups = Vec::new();
    for identifier in &input.log_group_arn_list {
        let name = group::by_identifier(&call, identifier)?;
        group::existing(&call, &name)?;
        groups.push(group::arn(call.scope(), &name));
    }
    let row = Row {
        name: input.detector_name,
        groups,
        frequency: input.evaluation_frequency,
        pattern: input.filter_pattern,
        kms_key_id: input.kms_key_id,
        visibility_days: input.anomaly_visibility_time.unwrap_or(VISIBILITY_DAYS),
        enabled: true,
        created: call.now(),
        modified: call.now(),
    };
    let id = uuid::Uuid::new_v4().to_string();
    let anomaly_detector_arn = arn(call.scope(), &id);
    let mut changes = ResourceChanges::new().put(KIND, &id, &row)?;
    if !input.tags.is_empty() {
        changes = changes.put(tagged::KIND, &anomaly_detector_arn, &input.tags)?;
    }
    call.apply(changes).await?;
    Ok(CreateOutput { anomaly_detector_arn })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    anomaly_detector_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly_detector_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detector_name: Option<String>,
    log_group_arn_list: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation_frequency: Option<Frequency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_pattern: Option<String>,
    anomaly_detector_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    creation_time_stamp: i64,
    last_modified_time_stamp: i64,
    anomaly_visibility_time: i64,
}

/// Source: CloudWatch Logs API Reference, GetLogAnomalyDetector.
pub(super) async fn get(call: Call, input: Input) -> Answer<Described> {
    let (_, row) = find(&call, &input.anomaly_detector_arn).await?;
    Ok(described(None, row))
}

/// Source: CloudWatch Logs API Reference, DeleteLogAnomalyDetector.
pub(super) async fn delete(call: Call, input: Input) -> Answer<()> {
    let (id, _) = find(&call, &input.anomaly_detector_arn).await?;
    let gone = ResourceChanges::new().delete(KIND, &id);
    Ok(call.apply(gone.delete(tagged::KIND, &input.anomaly_detector_arn)).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateInput {
    anomaly_detector_arn: String,
    evaluation_frequency: Option<Frequency>,
    filter_pattern: Option<String>,
    anomaly_visibility_time: Option<i64>,
    enabled: bool,
}

/// Source: CloudWatch Logs API Reference, UpdateLogAnomalyDetector.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<()> {
    Constraints::new()
        .range("anomalyVisibilityTime", input.anomaly_visibility_time, 7, 90)
        .done(INVALID_PARAMETER)?;
    let (id, before) = find(&call, &input.anomaly_detector_arn).await?;
    let row = Row {
        frequency: input.evaluation_frequency.or(before.frequency),
        pattern: input.filter_pattern.or(before.pattern),
        visibility_days: input.anomaly_visibility_time.unwrap_or(before.visibility_days),
        enabled: input.enabled,
        modified: call.now(),
        ..before
    };
    Ok(call.apply(ResourceChanges::new().put(KIND, &id, &row)?).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListInput {
    filter_log_group_arn: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListOutput {
    anomaly_detectors: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch Logs API Reference, ListLogAnomalyDetectors.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let mut found = call.all::<Row>(KIND, "").await?;
    if let Some(group) = &input.filter_log_group_arn {
        found.retain(|(_, row)| row.groups.contains(group));
    }
    let asked = (input.next_token.as_deref(), page::size(input.limit, 50));
    let (found, next_token) =
        page::of("ListLogAnomalyDetectors", found, |row| row.0.clone(), asked)
            .map_err(|_| bad_token())?;
    let described = |(id, row): (String, Row)| described(Some(arn(call.scope(), &id)), row);
    Ok(ListOutput { anomaly_detectors: found.into_iter().map(described).collect(), next_token })
}

/// The ARN of a detector.
pub(super) fn arn(scope: &Scope, id: &str) -> String {
    scope.arn("logs", format_args!("anomaly-detector:{id}"))
}

async fn find(call: &Call, detector: &str) -> Answer<(String, Row)> {
    let missing = || -> ApiError { NOT_FOUND.because("The specified detector does not exist.") };
    let own = arn(call.scope(), "");
    let id = detector.strip_prefix(&own).ok_or_else(missing)?;
    let row = call.one(KIND, id).await?.ok_or_else(missing)?;
    Ok((id.to_owned(), row))
}

fn described(anomaly_detector_arn: Option<String>, row: Row) -> Described {
    Described {
        anomaly_detector_arn,
        detector_name: row.name,
        log_group_arn_list: row.groups,
        evaluation_frequency: row.frequency,
        filter_pattern: row.pattern,
        // Never further than this: nothing is trained.
        anomaly_detector_status: if row.enabled { "INITIALIZING" } else { "PAUSED" },
        kms_key_id: row.kms_key_id,
        creation_time_stamp: row.created.as_millis(),
        last_modified_time_stamp: row.modified.as_millis(),
        anomaly_visibility_time: row.visibility_days,
    }
}

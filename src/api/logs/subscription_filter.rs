//! Subscription filters: put, described, deleted. Their deliveries are the monitor's business.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED, NOT_FOUND, bad_token};
use super::{group, metric_filter};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::monitor::{
    DestinationRow, Distribution, SubscriptionRow, TargetKind, control_message, filter_name,
    filter_prefix, kind, target_kind,
};
use crate::query::filter_pattern::FilterPattern;
use crate::query::log_metric::SystemField;
use crate::store::{AppendError, ResourceChanges};

/// Source: CloudWatch Logs quotas.
const FILTERS_OF_A_GROUP_MAX: usize = 2;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    log_group_name: Arc<str>,
    filter_name: Arc<str>,
    filter_pattern: String,
    destination_arn: String,
    role_arn: Option<String>,
    distribution: Option<Distribution>,
    apply_on_transformed_logs: Option<bool>,
    field_selection_criteria: Option<String>,
    #[serde(default)]
    emit_system_fields: Vec<SystemField>,
}

/// Source: CloudWatch Logs API Reference, PutSubscriptionFilter.
/// Differs: a log group of the same account is a destination too.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    metric_filter::check_name(&input.filter_name)?;
    Constraints::new()
        .length("filterPattern", &input.filter_pattern, 0, 1024)
        .length("destinationArn", &input.destination_arn, 1, usize::MAX)
        .done(INVALID_PARAMETER)?;
    metric_filter::refuse_unsupported(
        input.apply_on_transformed_logs,
        input.field_selection_criteria.as_deref(),
    )?;
    call.concerns("AWS::Logs::SubscriptionFilter", &input.filter_name);
    let name = filter_name(&input.log_group_name, &input.filter_name);
    group::existing(&call, &input.log_group_name)?;
    FilterPattern::parse(&input.filter_pattern)
        .map_err(|fault| INVALID_PARAMETER.because(format!("Invalid filter pattern: {fault}")))?;
    check_destination(&call, &input.destination_arn, input.role_arn.as_deref()).await?;
    let prefix = filter_prefix(&input.log_group_name);
    let kind = kind::SUBSCRIPTION_FILTER;
    let filters = call.all::<SubscriptionRow>(kind, &prefix).await?;
    if filters.iter().filter(|(known, _)| *known != name).count() >= FILTERS_OF_A_GROUP_MAX {
        return Err(LIMIT_EXCEEDED.because("Resource limit exceeded."));
    }
    let is_new_target = filters
        .iter()
        .all(|(known, row)| *known != name || row.destination_arn != input.destination_arn);
    let row = SubscriptionRow {
        pattern: input.filter_pattern,
        destination_arn: input.destination_arn,
        role_arn: input.role_arn,
        distribution: input.distribution.unwrap_or_default(),
        created: call.now(),
        system_fields: input.emit_system_fields.into_iter().collect(),
    };
    let mut changes = ResourceChanges::new().put(kind, &name, &row)?;
    let reached = target_kind(&row.destination_arn).map(|(kind, _)| kind);
    if is_new_target && reached != Some(TargetKind::LogGroup) {
        let checked = control_message(&row.destination_arn, call.now());
        let id = format!("0-{}", uuid::Uuid::new_v4());
        changes = changes.put(kind::LOG_DELIVERY, &id, &checked)?;
    }
    call.apply(changes).await?;
    let rules = call.state().monitor.logs();
    rules.delivery_added();
    Ok(rules.reload(call.scope(), &input.log_group_name).await?)
}

/// What lives elsewhere is taken on trust; what lives here must exist.
pub(super) async fn check_destination(
    call: &Call,
    arn: &str,
    role_arn: Option<&str>,
) -> Answer<()> {
    let Some((target, name)) = target_kind(arn) else {
        return Err(INVALID_PARAMETER.because(format!(
            "destinationArn '{arn}' names no Kinesis stream, Firehose stream, Lambda function, \
             destination or log group"
        )));
    };
    match target {
        TargetKind::Stream | TargetKind::Firehose if role_arn.is_none() => Err(INVALID_PARAMETER
            .because(
                "destinationArn for vendor firehose or kinesis cannot be used without roleArn",
            )),
        TargetKind::LogGroup => group::existing(call, name).map_err(|_missing| {
            INVALID_PARAMETER.because(format!("destinationArn: log group '{name}' does not exist"))
        }),
        TargetKind::Destination => {
            let found = call.one::<DestinationRow>(kind::LOG_DESTINATION, name).await?;
            match found {
                Some(row) if row.access_policy.is_some() => Ok(()),
                Some(_) => Err(INVALID_PARAMETER.because(
                    "User with accountId: is not authorized to perform logs:PutSubscriptionFilter \
                     on the destination: it has no access policy",
                )),
                None => Err(INVALID_PARAMETER.because(
                    "Could not deliver test message to specified destination. Check if the \
                     destination is valid.",
                )),
            }
        }
        _ => Ok(()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    log_group_name: Arc<str>,
    filter_name: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteSubscriptionFilter.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    metric_filter::check_name(&input.filter_name)?;
    group::existing(&call, &input.log_group_name)?;
    let name = filter_name(&input.log_group_name, &input.filter_name);
    let gone = ResourceChanges::new().delete_existing(kind::SUBSCRIPTION_FILTER, &name);
    match call.apply(gone).await {
        Ok(()) => {}
        Err(AppendError::Missing { .. }) => {
            return Err(NOT_FOUND.because("The specified subscription filter does not exist."));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(call.state().monitor.logs().reload(call.scope(), &input.log_group_name).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInput {
    log_group_name: Arc<str>,
    filter_name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    subscription_filters: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    filter_name: String,
    log_group_name: Arc<str>,
    filter_pattern: String,
    destination_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    distribution: Distribution,
    apply_on_transformed_logs: bool,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    emit_system_fields: Vec<SystemField>,
}

/// Source: CloudWatch Logs API Reference, DescribeSubscriptionFilters.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let group = input.log_group_name;
    group::check_name(&group)?;
    group::existing(&call, &group)?;
    let prefix = filter_name(&group, input.filter_name_prefix.as_deref().unwrap_or_default());
    let filters = call.all::<SubscriptionRow>(kind::SUBSCRIPTION_FILTER, &prefix).await?;
    let asked = (input.next_token.as_deref(), page::size(input.limit, 50));
    let name = |(name, _): &(String, SubscriptionRow)| name.clone();
    let (filters, next_token) =
        page::of("DescribeSubscriptionFilters", filters, name, asked).map_err(|_| bad_token())?;
    let described = |(name, row): (String, SubscriptionRow)| Described {
        filter_name: name.split_once(':').map_or("", |(_, own)| own).to_owned(),
        log_group_name: Arc::clone(&group),
        filter_pattern: row.pattern,
        destination_arn: row.destination_arn,
        role_arn: row.role_arn,
        distribution: row.distribution,
        apply_on_transformed_logs: false,
        creation_time: row.created.as_millis(),
        emit_system_fields: row.system_fields.into_iter().collect(),
    };
    let subscription_filters = filters.into_iter().map(described).collect();
    Ok(DescribeOutput { subscription_filters, next_token })
}

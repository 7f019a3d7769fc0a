use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, bad_token};
use super::group::{self, LogGroupClass};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::LogGroup;
use crate::telemetry::AccountId;

const PAGE: usize = 50;
/// How many groups are looked at together when a filter has to be applied.
const SCAN: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Vec<Arc<str>>,
    log_group_class: Option<LogGroupClass>,
    account_identifiers: Vec<AccountId>,
    include_linked_accounts: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    log_groups: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_group_name: String,
    creation_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_in_days: Option<u32>,
    metric_filter_count: usize,
    arn: String,
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    log_group_class: LogGroupClass,
    log_group_arn: String,
    deletion_protection_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_protection_status: Option<&'static str>,
}

/// Source: CloudWatch Logs API Reference, DescribeLogGroups: by name, ASCII order.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(INVALID_PARAMETER.because(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    if !input.account_identifiers.is_empty() && input.include_linked_accounts != Some(true) {
        let why = "accountIdentifiers can only be used with includeLinkedAccounts set to true";
        return Err(INVALID_PARAMETER.because(why));
    }
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE);
    let after: Option<String> = page::open("DescribeLogGroups", input.next_token.as_deref())
        .map_err(|_token| bad_token())?;
    let foreign = !input.account_identifiers.is_empty()
        && !input.account_identifiers.contains(&call.scope().account);
    let mut described = Vec::new();
    if !foreign {
        select(&call, &input, after, (limit + 1, &mut described)).await?;
    }
    let next_token = page::cut(&mut described, limit)
        .map(|last| page::seal("DescribeLogGroups", &last.log_group_name));
    Ok(Output { log_groups: described, next_token })
}

async fn select(
    call: &Call,
    input: &Input,
    mut after: Option<String>,
    (enough, described): (usize, &mut Vec<Described>),
) -> Answer<()> {
    let wanted = input
        .log_group_identifiers
        .iter()
        .map(|identifier| group::by_identifier(call, identifier))
        .collect::<Answer<Vec<_>>>()?;
    let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
    let pattern = input.log_group_name_pattern.as_deref().unwrap_or_default();
    loop {
        let logs = call.state().store.logs();
        let groups = logs.groups(call.scope(), prefix, after.as_deref(), SCAN);
        let last = groups.len() < SCAN;
        after = groups.last().map(|group| group.name.to_string());
        for found in groups {
            let named = wanted.is_empty() || wanted.contains(&found.name);
            if named && found.name.contains(pattern) {
                described.extend(describe(call, &found, input.log_group_class).await?);
            }
            if described.len() == enough {
                return Ok(());
            }
        }
        if last {
            return Ok(());
        }
    }
}

async fn describe(
    call: &Call,
    found: &LogGroup,
    class: Option<LogGroupClass>,
) -> Answer<Option<Described>> {
    let settings = group::settings(call, &found.name).await?;
    let own = settings.class.unwrap_or(LogGroupClass::Standard);
    if class.is_some_and(|class| class != own) {
        return Ok(None);
    }
    let arn = group::arn(call.scope(), &found.name);
    let protected = call.state().monitor.logs().is_protected(call.scope(), &found.name);
    Ok(Some(Described {
        log_group_name: found.name.to_string(),
        creation_time: found.created.as_millis(),
        retention_in_days: found.retention_days,
        metric_filter_count: call.state().monitor.logs().metric_filters(call.scope(), &found.name),
        arn: format!("{arn}:*"),
        stored_bytes: found.stored_bytes,
        kms_key_id: settings.kms_key_id,
        log_group_class: own,
        log_group_arn: arn,
        deletion_protection_enabled: settings.deletion_protected,
        data_protection_status: protected.then_some("ACTIVATED"),
    }))
}

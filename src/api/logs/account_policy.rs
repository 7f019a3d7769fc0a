//! Policies of an account: put, described, deleted. They work where groups' own policies do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED, NOT_FOUND, bad_token};
use super::{index_policy, subscription_filter};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::monitor::{AccountPolicyRow, GroupSelection, filter_name, filter_prefix, kind};
use crate::query::filter_pattern::FilterPattern;
use crate::query::masking::Mask;
use crate::store::{AppendError, ResourceChanges};
use crate::telemetry::AccountId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PolicyType {
    #[serde(rename = "DATA_PROTECTION_POLICY")]
    DataProtection,
    #[serde(rename = "SUBSCRIPTION_FILTER_POLICY")]
    SubscriptionFilter,
    #[serde(rename = "FIELD_INDEX_POLICY")]
    FieldIndex,
    #[serde(rename = "TRANSFORMER_POLICY")]
    Transformer,
    #[serde(rename = "METRIC_EXTRACTION_POLICY")]
    MetricExtraction,
    #[serde(rename = "RETENTION_POLICY")]
    Retention,
}

impl PolicyType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::DataProtection => "DATA_PROTECTION_POLICY",
            Self::SubscriptionFilter => "SUBSCRIPTION_FILTER_POLICY",
            Self::FieldIndex => "FIELD_INDEX_POLICY",
            Self::Transformer => "TRANSFORMER_POLICY",
            Self::MetricExtraction => "METRIC_EXTRACTION_POLICY",
            Self::Retention => "RETENTION_POLICY",
        }
    }

    /// Source: CloudWatch Logs API Reference, PutAccountPolicy.
    const fn count_max(self) -> usize {
        match self {
            Self::DataProtection | Self::SubscriptionFilter => 1,
            Self::MetricExtraction => 5,
            Self::FieldIndex | Self::Transformer | Self::Retention => 20,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum PolicyScope {
    #[default]
    All,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    policy_name: String,
    policy_document: String,
    policy_type: PolicyType,
    #[serde(default)]
    scope: PolicyScope,
    selection_criteria: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutOutput {
    account_policy: Described,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    policy_name: String,
    policy_document: String,
    last_updated_time: i64,
    policy_type: PolicyType,
    scope: PolicyScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    selection_criteria: Option<String>,
    account_id: AccountId,
}

/// Source: CloudWatch Logs API Reference, PutAccountPolicy.
/// Differs: policies of transformers and of retention are refused by name.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    check(&call, &input).await?;
    let (name, policy) = (filter_name(input.policy_type.as_str(), &input.policy_name), input);
    let kind = kind::LOG_ACCOUNT_POLICY;
    let prefix = filter_prefix(policy.policy_type.as_str());
    let policies = call.all::<AccountPolicyRow>(kind, &prefix).await?;
    let before = policies.iter().find(|(known, _)| *known == name);
    if before.is_none() && policies.len() >= policy.policy_type.count_max() {
        return Err(LIMIT_EXCEEDED.because("Resource limit exceeded."));
    }
    let row = AccountPolicyRow {
        document: policy.policy_document,
        selection: policy.selection_criteria.filter(|criteria| !criteria.is_empty()),
        since: before.map_or(call.now(), |(_, row)| row.since),
        updated: call.now(),
    };
    call.apply(ResourceChanges::new().put(kind, &name, &row)?).await?;
    call.state().monitor.logs().reload_account(call.scope()).await?;
    let account_policy = described(&call, policy.policy_type, policy.policy_name, row);
    Ok(PutOutput { account_policy: Described { scope: policy.scope, ..account_policy } })
}

async fn check(call: &Call, input: &PutInput) -> Answer<()> {
    let invalid = |why: String| Err(INVALID_PARAMETER.because(why));
    if input.policy_name.is_empty() || input.policy_name.contains([':', '*']) {
        return invalid("policyName is empty or holds a colon or an asterisk.".to_owned());
    }
    if input.dry_run == Some(true) {
        return invalid("dryRun is supported for no policy that is supported here.".to_owned());
    }
    if GroupSelection::parse(input.selection_criteria.as_deref()).is_none() {
        let criteria = input.selection_criteria.as_deref().unwrap_or_default();
        return invalid(format!("Invalid selectionCriteria: {criteria}"));
    }
    let document = input.policy_document.as_str();
    match input.policy_type {
        PolicyType::DataProtection => match Mask::parse(document) {
            Ok(_) => Ok(()),
            Err(fault) => invalid(format!("Invalid data protection policy: {fault}")),
        },
        PolicyType::SubscriptionFilter => check_subscription(call, document).await,
        PolicyType::FieldIndex => index_policy::fields(document).map(drop),
        PolicyType::MetricExtraction => match serde_json::from_str::<Value>(document) {
            Ok(Value::Object(_)) => Ok(()),
            _ => invalid("Invalid metric extraction policy.".to_owned()),
        },
        PolicyType::Transformer | PolicyType::Retention => {
            let kind = input.policy_type.as_str();
            invalid(format!("policyType {kind} is not supported here"))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionDocument {
    destination_arn: String,
    role_arn: Option<String>,
    #[serde(default)]
    filter_pattern: String,
}

async fn check_subscription(call: &Call, document: &str) -> Answer<()> {
    let document: SubscriptionDocument = serde_json::from_str(document).map_err(|fault| {
        INVALID_PARAMETER.because(format!("Invalid subscription filter policy: {fault}"))
    })?;
    FilterPattern::parse(&document.filter_pattern)
        .map_err(|fault| INVALID_PARAMETER.because(format!("Invalid filter pattern: {fault}")))?;
    let (arn, role) = (&document.destination_arn, document.role_arn.as_deref());
    subscription_filter::check_destination(call, arn, role).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteInput {
    policy_name: String,
    policy_type: PolicyType,
}

/// Source: CloudWatch Logs API Reference, DeleteAccountPolicy.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let name = filter_name(input.policy_type.as_str(), &input.policy_name);
    let gone = ResourceChanges::new().delete_existing(kind::LOG_ACCOUNT_POLICY, &name);
    match call.apply(gone).await {
        Ok(()) => Ok(call.state().monitor.logs().reload_account(call.scope()).await?),
        Err(AppendError::Missing { .. }) => {
            let name = input.policy_name;
            Err(NOT_FOUND.because(format!("Policy with name [{name}] does not exist.")))
        }
        Err(other) => Err(other.into()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInput {
    policy_type: PolicyType,
    policy_name: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    account_policies: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch Logs API Reference, DescribeAccountPolicies.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    const PAGE: usize = 50;
    let prefix = filter_prefix(input.policy_type.as_str());
    let mut found = call.all::<AccountPolicyRow>(kind::LOG_ACCOUNT_POLICY, &prefix).await?;
    if let Some(name) = &input.policy_name {
        let wanted = filter_name(input.policy_type.as_str(), name);
        found.retain(|(name, _)| *name == wanted);
        if found.is_empty() {
            return Err(NOT_FOUND.because(format!("Policy with name [{name}] does not exist.")));
        }
    }
    let asked = (input.next_token.as_deref(), PAGE);
    let (found, next_token) =
        page::of("DescribeAccountPolicies", found, |row| row.0.clone(), asked)
            .map_err(|_| bad_token())?;
    let described = |(name, row): (String, AccountPolicyRow)| {
        let own = name.strip_prefix(&prefix).unwrap_or(&name).to_owned();
        described(&call, input.policy_type, own, row)
    };
    Ok(DescribeOutput { account_policies: found.into_iter().map(described).collect(), next_token })
}

fn described(
    call: &Call,
    policy_type: PolicyType,
    name: String,
    row: AccountPolicyRow,
) -> Described {
    Described {
        policy_name: name,
        policy_document: row.document,
        last_updated_time: row.updated.as_millis(),
        policy_type,
        scope: PolicyScope::All,
        selection_criteria: row.selection,
        account_id: call.scope().account.clone(),
    }
}

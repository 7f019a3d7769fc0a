use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::check_one_page;
use super::{
    INVALID_POLICY_REVISION, INVALID_REQUEST, MALFORMED_POLICY, POLICY_COUNT_LIMIT,
    POLICY_SIZE_LIMIT,
};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::store::{AppendError, Page, ResourceChanges};
use crate::time::Timestamp;

const KIND: &str = "xray-resource-policy";
/// Source: X-Ray API Reference, PutResourcePolicy.
const POLICIES_MAX: usize = 5;
const POLICY_BYTES_MAX: usize = 5 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    policy_name: String,
    policy_document: String,
    policy_revision_id: Option<String>,
    /// Nobody is locked out here, since policies are not enforced.
    #[serde(rename = "BypassPolicyLockoutCheck")]
    _bypass: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    policy_name: String,
    policy_revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    next_token: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    document: String,
    revision: String,
    updated: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy_name: String,
    policy_document: String,
    policy_revision_id: String,
    last_updated_time: Instant,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOutput {
    resource_policy: Policy,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    resource_policies: Vec<Policy>,
}

/// Source: X-Ray API Reference, PutResourcePolicy. Policies are kept, not enforced.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let name = input.policy_name;
    let allowed = |c: char| c.is_alphanumeric() || "_+=,.@-".contains(c);
    Constraints::new()
        .length("PolicyName", &name, 1, 128)
        .pattern("PolicyName", &name, name.chars().all(allowed), r"[\w+=,.@-]+")
        .done(INVALID_REQUEST)?;
    if input.policy_document.len() > POLICY_BYTES_MAX {
        return Err(POLICY_SIZE_LIMIT.because("The policy document is larger than 5 KB"));
    }
    let parsed = serde_json::from_str::<Value>(&input.policy_document).ok();
    if parsed.is_none_or(|policy| policy.get("Statement").is_none()) {
        let why = "The policy document is not a JSON object with a Statement";
        return Err(MALFORMED_POLICY.because(why));
    }
    let known = read(&call, &name).await?;
    check_revision(known.as_ref(), input.policy_revision_id.as_deref())?;
    let all: Vec<(String, Kept)> =
        call.state().store.resources().list(call.scope(), KIND, &Page::ALL).await?;
    if known.is_none() && all.len() >= POLICIES_MAX {
        let why = format!("There are {POLICIES_MAX} resource policies, the most");
        return Err(POLICY_COUNT_LIMIT.because(why));
    }
    let kept = Kept {
        document: input.policy_document,
        revision: uuid::Uuid::new_v4().to_string(),
        updated: call.now(),
    };
    call.concerns("AWS::XRay::ResourcePolicy", &name);
    call.apply(ResourceChanges::new().put(KIND, &name, &kept)?).await?;
    Ok(PutOutput { resource_policy: policy(name, kept) })
}

/// Source: X-Ray API Reference, DeleteResourcePolicy.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<()> {
    let name = input.policy_name;
    let absent = || INVALID_REQUEST.because(format!("Resource policy {name} not found"));
    let known = read(&call, &name).await?.ok_or_else(absent)?;
    check_revision(Some(&known), input.policy_revision_id.as_deref())?;
    call.concerns("AWS::XRay::ResourcePolicy", &name);
    match call.apply(ResourceChanges::new().delete_existing(KIND, &name)).await {
        Err(AppendError::Missing { .. }) => Err(absent()),
        other => Ok(other?),
    }
}

/// Source: X-Ray API Reference, ListResourcePolicies.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    check_one_page("ListResourcePolicies", input.next_token.as_deref())?;
    let all: Vec<(String, Kept)> =
        call.state().store.resources().list(call.scope(), KIND, &Page::ALL).await?;
    let resource_policies = all.into_iter().map(|(name, kept)| policy(name, kept)).collect();
    Ok(ListOutput { resource_policies })
}

async fn read(call: &Call, name: &str) -> Answer<Option<Kept>> {
    Ok(call.state().store.resources().get(call.scope(), KIND, name).await?)
}

/// A revision that is given must be the one that is kept; 0 means that there is none yet.
fn check_revision(known: Option<&Kept>, given: Option<&str>) -> Answer<()> {
    let own = known.map_or("0", |kept| kept.revision.as_str());
    match given {
        Some(given) if given != own => {
            Err(INVALID_POLICY_REVISION.because(format!("The policy is not at revision {given}")))
        }
        _ => Ok(()),
    }
}

fn policy(name: String, kept: Kept) -> Policy {
    Policy {
        policy_name: name,
        policy_document: kept.document,
        policy_revision_id: kept.revision,
        last_updated_time: kept.updated.into(),
    }
}

//! Groups of canaries: made, listed, filled, deleted. They are of an account, not of a region.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::canaries::bad_token;
use super::config::name_in_arn;
use super::tags::check_tags;
use super::{CONFLICT, NOT_FOUND, QUOTA_EXCEEDED, VALIDATION, canaries};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::store::{Page, ResourceChanges};
use crate::telemetry::{Region, Scope};
use crate::time::Timestamp;

/// Groups by id.
const KIND: &str = "canary-group";
/// Source: CloudWatch User Guide, "Synthetics groups".
const GROUPS_MAX: usize = 20;
const CANARIES_OF_A_GROUP_MAX: usize = 10;
const GROUPS_OF_A_CANARY_MAX: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    name: String,
    arn: String,
    created: Timestamp,
    modified: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    canaries: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupOutput {
    group: Described,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    id: String,
    name: String,
    arn: String,
    tags: BTreeMap<String, String>,
    created_time: Instant,
    last_modified_time: Instant,
}

/// Source: Synthetics API Reference, CreateGroup.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<GroupOutput> {
    Constraints::new().length("name", &input.name, 1, 64).done(VALIDATION)?;
    check_tags(&input.tags)?;
    let groups = all(&call).await?;
    if groups.iter().any(|(_, row)| row.name == input.name) {
        return Err(CONFLICT.because(format!("A group named {} already exists.", input.name)));
    }
    if groups.len() >= GROUPS_MAX {
        return Err(QUOTA_EXCEEDED.because(format!("More than {GROUPS_MAX} groups exist.")));
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let row = Row {
        name: input.name,
        arn: call.scope().arn("synthetics", format_args!("group:{id}")),
        created: call.now(),
        modified: call.now(),
        tags: input.tags,
        canaries: Vec::new(),
    };
    put(&call, &id, &row).await?;
    Ok(GroupOutput { group: described(id, row) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    group_identifier: String,
}

/// Source: Synthetics API Reference, GetGroup.
pub(super) async fn get(call: Call, input: Input) -> Answer<GroupOutput> {
    let (id, row) = find(&call, &input.group_identifier).await?;
    Ok(GroupOutput { group: described(id, row) })
}

/// Source: Synthetics API Reference, DeleteGroup.
pub(super) async fn delete(call: Call, input: Input) -> Answer<()> {
    let (id, _) = find(&call, &input.group_identifier).await?;
    let gone = ResourceChanges::new().delete(KIND, &id);
    call.state().store.resources().apply(&global(call.scope()), gone).await?;
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MemberInput {
    group_identifier: String,
    resource_arn: String,
}

/// Source: Synthetics API Reference, AssociateResource.
pub(super) async fn associate(call: Call, input: MemberInput) -> Answer<()> {
    let (id, mut row) = find(&call, &input.group_identifier).await?;
    let arn = input.resource_arn;
    if let Some(name) = name_in_arn(&call, &arn) {
        canaries::any(&call, name).await?;
    } else if !arn.contains(":canary:") {
        return Err(VALIDATION.because(format!("{arn} is no ARN of a canary.")));
    }
    if row.canaries.contains(&arn) {
        return Ok(());
    }
    let groups = all(&call).await?;
    let of_canary = groups.iter().filter(|(_, row)| row.canaries.contains(&arn)).count();
    if row.canaries.len() >= CANARIES_OF_A_GROUP_MAX || of_canary >= GROUPS_OF_A_CANARY_MAX {
        return Err(QUOTA_EXCEEDED
            .because("A group has at most 10 canaries, and a canary is in at most 10 groups."));
    }
    row.canaries.push(arn);
    row.modified = call.now();
    put(&call, &id, &row).await
}

/// Source: Synthetics API Reference, DisassociateResource.
pub(super) async fn disassociate(call: Call, input: MemberInput) -> Answer<()> {
    let (id, mut row) = find(&call, &input.group_identifier).await?;
    let before = row.canaries.len();
    row.canaries.retain(|arn| *arn != input.resource_arn);
    if row.canaries.len() == before {
        return Err(NOT_FOUND.because("The canary is not in the group."));
    }
    row.modified = call.now();
    put(&call, &id, &row).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MembersInput {
    group_identifier: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MembersOutput {
    resources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: Synthetics API Reference, ListGroupResources.
pub(super) async fn members(call: Call, input: MembersInput) -> Answer<MembersOutput> {
    Constraints::new().range("maxResults", input.max_results, 1, 20).done(VALIDATION)?;
    let (_, mut row) = find(&call, &input.group_identifier).await?;
    row.canaries.sort();
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 20));
    let (resources, next_token) =
        page::of("ListGroupResources", row.canaries, String::clone, asked)
            .map_err(|_| bad_token())?;
    Ok(MembersOutput { resources, next_token })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListInput {
    resource_arn: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    groups: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    name: String,
    arn: String,
}

/// Source: Synthetics API Reference, ListGroups and ListAssociatedGroups.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("maxResults", input.max_results, 1, 20).done(VALIDATION)?;
    let mut groups = all(&call).await?;
    if let Some(arn) = &input.resource_arn {
        groups.retain(|(_, row)| row.canaries.contains(arn));
    }
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 20));
    let (groups, next_token) =
        page::of("ListGroups", groups, |row| row.0.clone(), asked).map_err(|_| bad_token())?;
    let summary = |(id, row): (String, Row)| Summary { id, name: row.name, arn: row.arn };
    Ok(ListOutput { groups: groups.into_iter().map(summary).collect(), next_token })
}

/// Takes a canary that is gone out of every group.
pub(super) async fn forget(call: &Call, arn: &str) -> Answer<()> {
    for (id, mut row) in all(call).await? {
        if row.canaries.iter().any(|own| own == arn) {
            row.canaries.retain(|own| own != arn);
            put(call, &id, &row).await?;
        }
    }
    Ok(())
}

/// The group of an id, name or ARN.
pub(super) async fn find(call: &Call, identifier: &str) -> Answer<(String, Row)> {
    let groups = all(call).await?;
    let is_it = |(id, row): &(String, Row)| {
        id == identifier || row.name == identifier || row.arn == identifier
    };
    groups
        .into_iter()
        .find(is_it)
        .ok_or_else(|| NOT_FOUND.because(format!("The group {identifier} does not exist.")))
}

/// Keeps a group.
pub(super) async fn put(call: &Call, id: &str, row: &Row) -> Answer<()> {
    call.state().store.resources().put(&global(call.scope()), KIND, id, row).await?;
    Ok(())
}

async fn all(call: &Call) -> Answer<Vec<(String, Row)>> {
    let resources = call.state().store.resources();
    Ok(resources.list(&global(call.scope()), KIND, &Page::ALL).await?)
}

fn global(scope: &Scope) -> Scope {
    Scope { account: scope.account.clone(), region: Region::default() }
}

fn described(id: String, row: Row) -> Described {
    Described {
        id,
        name: row.name,
        arn: row.arn,
        tags: row.tags,
        created_time: row.created.into(),
        last_modified_time: row.modified.into(),
    }
}

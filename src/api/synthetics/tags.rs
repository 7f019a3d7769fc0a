//! Tags of canaries and groups, by ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::name_in_arn;
use super::{BAD_REQUEST, TAG_NOT_FOUND, VALIDATION, group};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::tags::{ArnInput, UntagInput};
use crate::monitor::{HostedCanaryRow, kind};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

/// Source: Synthetics API Reference, ListTagsForResource.
pub(super) async fn list(call: Call, input: ArnInput) -> Answer<ListOutput> {
    let mut tags = BTreeMap::new();
    change(&call, &input.resource_arn, |own| tags = own.clone(), Keep::No).await?;
    Ok(ListOutput { tags })
}

/// Source: Synthetics API Reference, TagResource.
pub(super) async fn tag(call: Call, input: TagInput) -> Answer<()> {
    check_tags(&input.tags)?;
    change(&call, &input.resource_arn, |own| own.extend(input.tags), Keep::Yes).await
}

/// Source: Synthetics API Reference, UntagResource.
pub(super) async fn untag(call: Call, input: UntagInput) -> Answer<()> {
    let arn = input.resource_arn.clone();
    let keys = input.keys();
    let gone = |own: &mut BTreeMap<String, String>| own.retain(|key, _| !keys.contains(key));
    change(&call, &arn, gone, Keep::Yes).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

async fn change(
    call: &Call,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
    keep: Keep,
) -> Answer<()> {
    let missing = || TAG_NOT_FOUND.because(format!("The resource {arn} does not exist."));
    if let Some(name) = name_in_arn(call, arn) {
        let row = call.one::<HostedCanaryRow>(kind::HOSTED_CANARY, name).await?;
        let mut row = row.ok_or_else(missing)?;
        change(&mut row.tags);
        if keep == Keep::No {
            return Ok(());
        }
        check_tags(&row.tags)?;
        let changes = crate::store::ResourceChanges::new().put(kind::HOSTED_CANARY, name, &row)?;
        return Ok(call.apply(changes).await?);
    }
    if arn.contains(":group:") {
        let (id, mut row) = group::find(call, arn).await.map_err(|_missing| missing())?;
        change(&mut row.tags);
        if keep == Keep::Yes {
            check_tags(&row.tags)?;
            group::put(call, &id, &row).await?;
        }
        return Ok(());
    }
    Err(BAD_REQUEST.because(format!("{arn} is the ARN of neither a canary nor a group.")))
}

/// Checks tags as a whole.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Answer<()> {
    let mut constraints = Constraints::new().count("tags", tags.len(), 0, 50);
    for (key, value) in tags {
        let free = !key.to_ascii_lowercase().starts_with("aws:");
        constraints = constraints
            .length("tags", key, 1, 128)
            .pattern("tags", key, free, "^(?!aws:)[a-zA-Z+-=._:/]+$")
            .length("tags", value, 0, 256);
    }
    constraints.done(VALIDATION)
}

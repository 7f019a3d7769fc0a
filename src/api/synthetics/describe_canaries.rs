use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::VALIDATION;
use super::canaries::{self, Listing};
use super::described::DescribedCanary;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;

const PAGE: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Input {
    next_token: Option<String>,
    max_results: Option<i64>,
    names: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    canaries: Vec<DescribedCanary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: Synthetics API Reference, DescribeCanaries.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new()
        .range("maxResults", input.max_results, 1, 20)
        .count("names", input.names.len(), 0, 5)
        .done(VALIDATION)?;
    let listing = Listing {
        operation: "DescribeCanaries",
        names: &input.names,
        next_token: input.next_token.as_deref(),
        limit: input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE),
    };
    let (found, next_token) = canaries::list(&call, &listing).await?;
    Ok(Output { canaries: found.into_iter().map(|(_, canary)| canary).collect(), next_token })
}

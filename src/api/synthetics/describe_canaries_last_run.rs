use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::VALIDATION;
use super::canaries::{self, Listing};
use super::described::DescribedRun;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;

const PAGE: usize = 100;

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
    canaries_last_run: Vec<LastRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastRun {
    canary_name: Arc<str>,
    last_run: DescribedRun,
}

/// Source: Synthetics API Reference, DescribeCanariesLastRun; canaries that never ran are left out.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new()
        .range("maxResults", input.max_results, 1, 100)
        .count("names", input.names.len(), 0, 5)
        .done(VALIDATION)?;
    let listing = Listing {
        operation: "DescribeCanariesLastRun",
        names: &input.names,
        next_token: input.next_token.as_deref(),
        limit: input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE),
    };
    let (found, next_token) = canaries::list(&call, &listing).await?;
    let mut canaries_last_run = Vec::new();
    for (name, _) in found {
        let last = canaries::runs(&call, &name, None, 1).await?;
        canaries_last_run.extend(
            last.into_iter().map(|(_, row)| LastRun {
                canary_name: name.as_str().into(),
                last_run: row.into(),
            }),
        );
    }
    Ok(Output { canaries_last_run, next_token })
}

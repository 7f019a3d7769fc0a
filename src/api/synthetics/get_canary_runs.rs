use serde::{Deserialize, Serialize};

use super::VALIDATION;
use super::canaries;
use super::described::DescribedRun;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::monitor::{CanaryDryRunRow, kind};
use crate::store::{RowPage, SortKey};

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run_id: Option<String>,
    run_type: Option<RunType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RunType {
    CanaryRun,
    DryRun,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    canary_runs: Vec<DescribedRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: Synthetics API Reference, GetCanaryRuns: newest first.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("maxResults", input.max_results, 1, 100).done(VALIDATION)?;
    if input.dry_run_id.is_some() && input.run_type == Some(RunType::CanaryRun) {
        return Err(VALIDATION.because("DryRunId cannot be used with RunType CANARY_RUN."));
    }
    let limit = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let before: Option<String> = page::open("GetCanaryRuns", input.next_token.as_deref())
        .map_err(|_token| canaries::bad_token())?;
    canaries::any(&call, &input.name).await?;
    if input.dry_run_id.is_some() || input.run_type == Some(RunType::DryRun) {
        let page = RowPage::newest(usize::MAX);
        let resources = call.state().store.resources();
        let rows: Vec<(SortKey, CanaryDryRunRow)> =
            resources.rows(call.scope(), kind::CANARY_DRY_RUN, &input.name, &page).await?;
        let wanted = |row: &CanaryDryRunRow| {
            input.dry_run_id.as_ref().is_none_or(|wanted| *wanted == row.dry_run)
        };
        let rows = rows.into_iter().map(|(_, row)| row).filter(wanted).take(limit);
        let canary_runs = rows.map(DescribedRun::of_dry_run).collect();
        return Ok(Output { canary_runs, next_token: None });
    }
    let before = before.map(|sort| SortKey::from_text(&sort));
    let mut found = canaries::runs(&call, &input.name, before, limit + 1).await?;
    let next_token =
        page::cut(&mut found, limit).map(|(sort, _)| page::seal("GetCanaryRuns", sort.as_str()));
    Ok(Output { canary_runs: found.into_iter().map(|(_, row)| row.into()).collect(), next_token })
}

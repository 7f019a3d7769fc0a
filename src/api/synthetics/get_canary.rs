use serde::{Deserialize, Serialize};

use super::NOT_FOUND;
use super::canaries;
use super::described::DescribedCanary;
use crate::api::call::{Answer, Call};
use crate::monitor::{HostedCanaryRow, kind};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
    #[serde(rename = "dryRunId")]
    dry_run_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    canary: DescribedCanary,
}

/// Source: Synthetics API Reference, GetCanary.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let made = call.one::<HostedCanaryRow>(kind::HOSTED_CANARY, &input.name).await?;
    let Some(mut row) = made else {
        return Ok(Output { canary: canaries::get(&call, &input.name).await?.into() });
    };
    if let Some(id) = &input.dry_run_id {
        let run = row.dry_run.as_ref().filter(|run| run.id == *id);
        let missing = || NOT_FOUND.because(format!("The dry run {id} does not exist."));
        row.config = run.ok_or_else(missing)?.config.clone();
    }
    Ok(Output { canary: DescribedCanary::of_hosted(call.scope(), &input.name, row) })
}

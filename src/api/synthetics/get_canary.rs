use serde::{Deserialize, Serialize};

use super::canaries;
use super::described::DescribedCanary;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    canary: DescribedCanary,
}

/// Source: Synthetics API Reference, GetCanary.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Ok(Output { canary: canaries::get(&call, &input.name).await?.into() })
}

use serde::{Deserialize, Serialize};

use super::NOT_FOUND;
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Output {}

/// Runs a canary of the folder now, as if it were due.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let monitor = &call.state().monitor;
    if call.scope() == monitor.scope() && monitor.run_now(&input.name).await {
        return Ok(Output {});
    }
    Err(NOT_FOUND.because(format!("There is no canary {} in the folder.", input.name)))
}

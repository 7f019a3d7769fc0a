use serde::{Deserialize, Serialize};

use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::monitor::{BringError, BroughtRun};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    /// The run, as `coalmine run --push` writes it: a JSON text.
    run: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Output {}

/// Keeps a run that was made elsewhere; bringing it again changes nothing.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let run: BroughtRun = serde_json::from_str(&input.run)
        .map_err(|fault| VALIDATION.because(format!("Run cannot be read: {fault}")))?;
    let state = call.state();
    let kept = state.monitor.bring(&state.store, call.scope(), run).await;
    kept.map(|()| Output {}).map_err(|error| match error {
        BringError::Store(error) => ApiError::from(error),
        fault => VALIDATION.because(fault.to_string()),
    })
}

use serde::{Deserialize, Serialize};

use super::document;
use crate::api::call::{Answer, Call};
use crate::api::logs::fault::INVALID_PARAMETER;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    query_id: String,
}

#[derive(Debug, Serialize)]
pub(in crate::api::logs) struct Output {
    success: bool,
}

/// Source: CloudWatch Logs API Reference, StopQuery: a query that has ended cannot be stopped.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<Output> {
    document::get(&call, &input.query_id).await?;
    if call.queries().stop(&input.query_id, call.scope()) {
        return Ok(Output { success: true });
    }
    Err(INVALID_PARAMETER.because("The specified query is not running."))
}

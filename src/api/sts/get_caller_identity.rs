use serde::{Deserialize, Serialize};

use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
pub(super) struct Input {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    user_id: String,
    account: String,
    arn: String,
}

/// Source: STS API Reference, GetCallerIdentity; every key acts as its account's root.
pub(super) async fn run(call: Call, _input: Input) -> Answer<Output> {
    let scope = call.scope();
    let account = scope.account.to_string();
    let partition = scope.region.partition();
    let arn = format!("arn:{partition}:iam::{account}:root");
    Ok(Output { user_id: account.clone(), account, arn })
}

use std::sync::Arc;

use serde::Deserialize;

use super::fault::no_stream;
use super::group::{self, check_name, check_stream_name};
use crate::api::call::{Answer, Call};
use crate::store::AppendError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Arc<str>,
    log_stream_name: Arc<str>,
}

/// Source: CloudWatch Logs API Reference, DeleteLogStream.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let (group, stream) = (&*input.log_group_name, &*input.log_stream_name);
    check_name(group)?;
    check_stream_name(stream)?;
    group::existing(&call, group)?;
    call.concerns("AWS::Logs::LogStream", stream);
    match call.state().store.logs().delete_stream(call.scope(), group, stream).await {
        Ok(_lsn) => Ok(()),
        Err(AppendError::Missing { .. }) => Err(no_stream()),
        Err(other) => Err(other.into()),
    }
}

use std::sync::Arc;

use serde::Deserialize;

use super::alarms::{alarms, concerns};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::Constraints;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    alarm_names: Vec<Arc<str>>,
}

/// Source: CloudWatch API Reference, DeleteAlarms: alarms that are there are deleted even when
/// others are not; at most one composite a call.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    Constraints::new().count("alarmNames", input.alarm_names.len(), 0, 100).done(VALIDATION)?;
    concerns(&call, &input.alarm_names);
    Ok(alarms(&call).delete(call.scope(), input.alarm_names).await?)
}

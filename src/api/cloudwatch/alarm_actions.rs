use std::sync::Arc;

use serde::Deserialize;

use super::alarms::{alarms, concerns};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::Constraints;
use crate::monitor::ActionsSwitch;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    alarm_names: Vec<Arc<str>>,
}

/// Source: CloudWatch API Reference, EnableAlarmActions.
pub(super) async fn enable(call: Call, input: Input) -> Answer<()> {
    switch(&call, input, ActionsSwitch::Enable).await
}

/// Source: CloudWatch API Reference, DisableAlarmActions.
pub(super) async fn disable(call: Call, input: Input) -> Answer<()> {
    switch(&call, input, ActionsSwitch::Disable).await
}

async fn switch(call: &Call, input: Input, switch: ActionsSwitch) -> Answer<()> {
    Constraints::new().count("alarmNames", input.alarm_names.len(), 0, 100).done(VALIDATION)?;
    concerns(call, &input.alarm_names);
    Ok(alarms(call).enable_actions(call.scope(), input.alarm_names, switch).await?)
}

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::alarms::{alarms, concerns};
use super::fault::INVALID_FORMAT;
use crate::alarm::StateValue;
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::Constraints;
use crate::monitor::ForcedState;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    alarm_name: Arc<str>,
    state_value: StateValue,
    state_reason: String,
    state_reason_data: Option<String>,
}

/// Source: CloudWatch API Reference, SetAlarmState: until the next evaluation.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let data = input.state_reason_data.as_deref().unwrap_or_default();
    Constraints::new()
        .length("alarmName", &input.alarm_name, 1, 255)
        .length("stateReason", &input.state_reason, 0, 1023)
        .length("stateReasonData", data, 0, 4000)
        .done(VALIDATION)?;
    if input.state_reason_data.is_some() && serde_json::from_str::<IgnoredAny>(data).is_err() {
        return Err(INVALID_FORMAT.because("StateReasonData was not valid JSON"));
    }
    concerns(&call, std::slice::from_ref(&input.alarm_name));
    let forced = ForcedState {
        name: input.alarm_name,
        value: input.state_value,
        reason: input.state_reason,
        reason_data: input.state_reason_data,
    };
    Ok(alarms(&call).set_state(call.scope(), forced).await?)
}

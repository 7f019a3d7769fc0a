use std::sync::Arc;

use serde::Deserialize;

use super::alarms::{self, Alarm};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::service::Constraints;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    alarm_names: Vec<Arc<str>>,
}

/// Source: CloudWatch API Reference, EnableAlarmActions.
pub(super) async fn enable(call: Call, input: Input) -> Answer<()> {
    set(&call, &input, true).await
}

/// Source: CloudWatch API Reference, DisableAlarmActions.
pub(super) async fn disable(call: Call, input: Input) -> Answer<()> {
    set(&call, &input, false).await
}

/// Names of alarms that are not there are ignored.
async fn set(call: &Call, input: &Input, enabled: bool) -> Answer<()> {
    Constraints::new().count("alarmNames", input.alarm_names.len(), 0, 100).done(VALIDATION)?;
    for name in &input.alarm_names {
        let Some((mut alarm, _)) = alarms::find(call, name).await? else { continue };
        let actions = match &mut alarm {
            Alarm::Metric(alarm) => {
                alarm.configured = call.now();
                &mut alarm.actions
            }
            Alarm::Composite(alarm) => {
                alarm.configured = call.now();
                &mut alarm.actions
            }
        };
        actions.enabled = enabled;
        alarms::put(call, alarm).await?;
    }
    Ok(())
}

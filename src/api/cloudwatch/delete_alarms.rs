use std::sync::Arc;

use serde::Deserialize;

use super::alarms::{self, Alarm, no_alarm};
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
    let mut found = Vec::new();
    let mut absent = false;
    for name in &input.alarm_names {
        call.concerns("AWS::CloudWatch::Alarm", name);
        match alarms::find(&call, name).await? {
            Some(alarm) => found.push(alarm),
            None => absent = true,
        }
    }
    let is_composite = |(alarm, _): &&(Alarm, _)| matches!(alarm, Alarm::Composite(_));
    if found.iter().filter(is_composite).count() > 1 {
        return Err(VALIDATION.because("At most one composite alarm can be deleted in a call."));
    }
    for (alarm, state) in found {
        alarms::delete(&call, &alarm, &state).await?;
    }
    if absent { Err(no_alarm()) } else { Ok(()) }
}

use super::alarms::{alarms, concerns};
use crate::alarm::PutCompositeAlarm;
use crate::api::call::{Answer, Call};

/// Source: CloudWatch API Reference, PutCompositeAlarm.
pub(super) async fn run(call: Call, input: PutCompositeAlarm) -> Answer<()> {
    concerns(&call, input.alarm_name.as_slice());
    Ok(alarms(&call).put_composite(call.scope(), input).await?)
}

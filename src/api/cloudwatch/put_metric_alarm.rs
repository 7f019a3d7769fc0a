use super::alarms::{alarms, concerns};
use crate::alarm::PutMetricAlarm;
use crate::api::call::{Answer, Call};

/// Source: CloudWatch API Reference, PutMetricAlarm.
pub(super) async fn run(call: Call, input: PutMetricAlarm) -> Answer<()> {
    concerns(&call, input.alarm_name.as_slice());
    Ok(alarms(&call).put_metric(call.scope(), input).await?)
}

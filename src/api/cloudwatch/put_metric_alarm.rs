use super::alarms::{self, Alarm};
use crate::alarm::PutMetricAlarm;
use crate::api::call::{Answer, Call};

/// Source: CloudWatch API Reference, PutMetricAlarm. Tags are taken on creation only.
pub(super) async fn run(call: Call, input: PutMetricAlarm) -> Answer<()> {
    let mut alarm = input.validate(call.now())?;
    if let Some((Alarm::Metric(old), _)) = alarms::find(&call, &alarm.name).await? {
        alarm.tags = old.tags;
    }
    alarms::put(&call, Alarm::Metric(alarm)).await
}

use std::sync::Arc;

use super::described::{DescribedCompositeAlarm, DescribedMetricAlarm};
use super::fault::{
    INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE, MISSING_PARAMETER, RESOURCE_NOT_FOUND,
};
use crate::alarm::{AlarmFault, FaultCode};
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::api::fault::{UNAVAILABLE, VALIDATION};
use crate::monitor::{AlarmCallError, AlarmDefinition, AlarmHandle, AlarmSnapshot};
use crate::telemetry::Scope;

/// The monitor's alarms: the one place that changes them.
pub(super) fn alarms(call: &Call) -> &AlarmHandle {
    call.state().monitor.alarms()
}

/// The name in an alarm's ARN of this account and region.
pub(super) fn name_in_arn<'a>(scope: &Scope, arn: &'a str) -> Option<&'a str> {
    arn.strip_prefix(&scope.arn("cloudwatch", "alarm:"))
}

/// Notes the alarms that a call concerns.
pub(super) fn concerns(call: &Call, names: &[Arc<str>]) {
    for name in names {
        call.concerns("AWS::CloudWatch::Alarm", name);
    }
}

/// Both lists that the API answers alarms in.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) metric: Vec<DescribedMetricAlarm>,
    pub(super) composite: Vec<DescribedCompositeAlarm>,
}

impl Described {
    /// Adds an alarm to the list of its kind.
    pub(super) fn add(&mut self, scope: &Scope, snapshot: &AlarmSnapshot) {
        let condition = &snapshot.condition;
        match &snapshot.definition {
            AlarmDefinition::Metric(alarm) => {
                self.metric.push(DescribedMetricAlarm::of(scope, alarm, &condition.state));
            }
            AlarmDefinition::Composite(alarm) => {
                self.composite.push(DescribedCompositeAlarm::of(scope, alarm, condition));
            }
        }
    }
}

impl From<AlarmFault> for ApiError {
    fn from(fault: AlarmFault) -> Self {
        let kind = match fault.code() {
            FaultCode::ValidationError => VALIDATION,
            FaultCode::MissingParameter => MISSING_PARAMETER,
            FaultCode::InvalidParameterValue => INVALID_PARAMETER_VALUE,
            FaultCode::InvalidParameterCombination => INVALID_PARAMETER_COMBINATION,
        };
        kind.because(fault.to_string())
    }
}

impl From<AlarmCallError> for ApiError {
    fn from(error: AlarmCallError) -> Self {
        match error {
            AlarmCallError::Refused(fault) => fault.into(),
            // Source: recorded: no message.
            AlarmCallError::NoSuchAlarm { .. } => RESOURCE_NOT_FOUND.because(""),
            AlarmCallError::SeveralComposites => {
                VALIDATION.because("At most one composite alarm can be deleted in a call.")
            }
            AlarmCallError::Mute(fault) => VALIDATION.because(fault.to_string()),
            AlarmCallError::Store(error) => error.into(),
            AlarmCallError::Stopped => UNAVAILABLE.because("the monitor has stopped"),
        }
    }
}

use std::sync::Arc;

use super::described::{DescribedCompositeAlarm, DescribedMetricAlarm};
use super::fault::{
    INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE, MISSING_PARAMETER, RESOURCE_NOT_FOUND,
};
use crate::alarm::{
    AlarmFault, AlarmRef, AlarmState, CompositeAlarm, ConfigurationChange, FaultCode, HistoryItem,
    MetricAlarm,
};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::store::{ResourceChanges, SortKey};
use crate::telemetry::Scope;

/// Metric alarms are resources of this kind.
pub(super) const METRIC_ALARM: &str = "metric-alarm";
/// Composite alarms are resources of this kind.
pub(super) const COMPOSITE_ALARM: &str = "composite-alarm";
/// States of alarms of both kinds.
pub(super) const STATE: &str = "alarm-state";
/// Histories of alarms of both kinds, one row a line.
pub(super) const HISTORY: &str = "alarm-history";

/// An alarm of either kind.
#[derive(Clone, Debug)]
pub(super) enum Alarm {
    /// On a metric.
    Metric(MetricAlarm),
    /// On other alarms.
    Composite(CompositeAlarm),
}

impl Alarm {
    /// The alarm without its kind.
    pub(super) fn view(&self) -> AlarmRef<'_> {
        match self {
            Self::Metric(alarm) => alarm.into(),
            Self::Composite(alarm) => alarm.into(),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &Arc<str> {
        self.view().name()
    }

    /// The kind of resource it is.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Metric(_) => METRIC_ALARM,
            Self::Composite(_) => COMPOSITE_ALARM,
        }
    }

    /// The ARNs of all its actions.
    pub(super) fn all_actions(&self) -> impl Iterator<Item = &Arc<str>> {
        let actions = self.view().actions();
        actions.ok.iter().chain(&actions.alarm).chain(&actions.insufficient_data)
    }

    fn put(&self, changes: ResourceChanges) -> Answer<ResourceChanges> {
        Ok(match self {
            Self::Metric(alarm) => changes.put(METRIC_ALARM, &alarm.name, alarm)?,
            Self::Composite(alarm) => changes.put(COMPOSITE_ALARM, &alarm.name, alarm)?,
        })
    }
}

/// The alarm of a name, with its state.
pub(super) async fn find(call: &Call, name: &str) -> Answer<Option<(Alarm, AlarmState)>> {
    let resources = call.state().store.resources();
    let scope = call.scope();
    let alarm = match resources.get(scope, METRIC_ALARM, name).await? {
        Some(alarm) => Alarm::Metric(alarm),
        None => match resources.get(scope, COMPOSITE_ALARM, name).await? {
            Some(alarm) => Alarm::Composite(alarm),
            None => return Ok(None),
        },
    };
    let state = state_of(call, &alarm).await?;
    Ok(Some((alarm, state)))
}

/// The state of an alarm; one that was never evaluated is in its initial state.
pub(super) async fn state_of(call: &Call, alarm: &Alarm) -> Answer<AlarmState> {
    let found = call.state().store.resources().get(call.scope(), STATE, alarm.name()).await?;
    Ok(found.unwrap_or_else(|| AlarmState::initial(alarm.view().configured())))
}

/// Makes or replaces an alarm: definition, first state and history together.
///
/// Source: PutMetricAlarm: an update replaces the whole configuration and leaves the state.
pub(super) async fn put(call: &Call, alarm: Alarm) -> Answer<()> {
    let name = Arc::clone(alarm.name());
    call.concerns("AWS::CloudWatch::Alarm", &name);
    let found = find(call, &name).await?;
    let (change, state) = match found {
        Some((old, _)) if old.kind() != alarm.kind() => {
            let why = format!("The alarm {name} exists and is of another type.");
            return Err(VALIDATION.because(why));
        }
        Some((_, state)) => (ConfigurationChange::Updated, state),
        None => (ConfigurationChange::Created, AlarmState::initial(call.now())),
    };
    let mut changes = alarm.put(ResourceChanges::new())?;
    if change == ConfigurationChange::Created {
        changes = changes.put(STATE, &name, &state)?;
    }
    let changes = with_history(call, changes, &alarm, (&state, change))?;
    Ok(call.apply(changes).await?)
}

/// Deletes an alarm; its history stays.
pub(super) async fn delete(call: &Call, alarm: &Alarm, state: &AlarmState) -> Answer<()> {
    let name = alarm.name();
    let changes = ResourceChanges::new().delete(alarm.kind(), name).delete(STATE, name);
    let changes = with_history(call, changes, alarm, (state, ConfigurationChange::Deleted))?;
    Ok(call.apply(changes).await?)
}

fn with_history(
    call: &Call,
    changes: ResourceChanges,
    alarm: &Alarm,
    (state, change): (&AlarmState, ConfigurationChange),
) -> Answer<ResourceChanges> {
    let at = (call.scope(), call.now());
    let item = HistoryItem::configuration_update(alarm.view(), state, change, at);
    let sort = SortKey::at(call.now(), &call.facts().request_id);
    Ok(changes.put_row(HISTORY, alarm.name(), sort, &item)?)
}

/// The refusal for an alarm that is not there.
pub(super) fn no_alarm() -> ApiError {
    RESOURCE_NOT_FOUND.because("")
}

/// The name in an alarm's ARN of this account and region.
pub(super) fn name_in_arn<'a>(scope: &Scope, arn: &'a str) -> Option<&'a str> {
    arn.strip_prefix(&scope.arn("cloudwatch", "alarm:"))
}

/// Both lists that the API answers alarms in.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) metric: Vec<DescribedMetricAlarm>,
    pub(super) composite: Vec<DescribedCompositeAlarm>,
}

impl Described {
    /// Adds an alarm to the list of its kind.
    pub(super) fn add(&mut self, scope: &Scope, alarm: Alarm, state: AlarmState) {
        match alarm {
            Alarm::Metric(alarm) => {
                self.metric.push(DescribedMetricAlarm::of(scope, alarm, state));
            }
            Alarm::Composite(alarm) => {
                self.composite.push(DescribedCompositeAlarm::of(scope, alarm, state));
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

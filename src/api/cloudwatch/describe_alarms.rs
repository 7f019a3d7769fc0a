use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms::{Described, alarms};
use super::described::{DescribedCompositeAlarm, DescribedMetricAlarm};
use super::fault::INVALID_NEXT_TOKEN;
use crate::alarm::{AlarmRef, AlarmType, StateValue};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::Constraints;

const PAGE: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Input {
    alarm_names: BTreeSet<Arc<str>>,
    alarm_name_prefix: Option<Arc<str>>,
    alarm_types: Vec<WantedType>,
    children_of_alarm_name: Option<Arc<str>>,
    parents_of_alarm_name: Option<Arc<str>>,
    state_value: Option<StateValue>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

/// Log alarms are no error to ask for: there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum WantedType {
    #[serde(rename = "MetricAlarm")]
    Metric,
    #[serde(rename = "CompositeAlarm")]
    Composite,
    #[serde(rename = "LogAlarm")]
    Log,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    metric_alarms: Vec<DescribedMetricAlarm>,
    composite_alarms: Vec<DescribedCompositeAlarm>,
    log_alarms: Vec<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch API Reference, DescribeAlarms: without types only metric alarms; by name.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    check(&input)?;
    let limit = input.max_records.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let after: Option<Arc<str>> = page::open("DescribeAlarms", input.next_token.as_deref())
        .map_err(|_token| INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid"))?;
    let children = children(&call, &input);
    let mut found = alarms(&call).all(call.scope());
    found.retain(|snapshot| {
        let alarm = snapshot.alarm();
        after.as_ref().is_none_or(|after| alarm.name() > after)
            && input.state_value.is_none_or(|value| value == snapshot.state())
            && children.as_ref().is_none_or(|children| children.contains(alarm.name()))
            && input.takes(alarm)
    });
    found.truncate(limit + 1);
    let next_token =
        page::cut(&mut found, limit).map(|last| page::seal("DescribeAlarms", last.alarm().name()));
    let mut described = Described::default();
    for snapshot in &found {
        described.add(call.scope(), snapshot);
    }
    Ok(Output {
        metric_alarms: described.metric,
        composite_alarms: described.composite,
        log_alarms: Vec::new(),
        next_token,
    })
}

fn check(input: &Input) -> Answer<()> {
    Constraints::new()
        .range("maxRecords", input.max_records, 1, 100)
        .count("alarmNames", input.alarm_names.len(), 0, 100)
        .done(VALIDATION)?;
    let named = !input.alarm_names.is_empty();
    if named && input.alarm_name_prefix.is_some() {
        let why = "AlarmNames and AlarmNamePrefix are mutually exclusive parameters.";
        return Err(VALIDATION.because(why));
    }
    let filtered = named
        || input.alarm_name_prefix.is_some()
        || !input.alarm_types.is_empty()
        || input.state_value.is_some()
        || input.action_prefix.is_some();
    let both = input.children_of_alarm_name.is_some() && input.parents_of_alarm_name.is_some();
    if both || (input.is_of_family() && filtered) {
        let why = "ChildrenOfAlarmName and ParentsOfAlarmName can be combined with MaxRecords and \
                   NextToken only.";
        return Err(VALIDATION.because(why));
    }
    Ok(())
}

/// The names in the rule of the parent that is asked for.
fn children(call: &Call, input: &Input) -> Option<BTreeSet<Arc<str>>> {
    let parent = alarms(call).get(call.scope(), input.children_of_alarm_name.as_ref()?);
    Some(match parent.as_ref().map(|parent| parent.alarm()) {
        Some(AlarmRef::Composite(parent)) => parent.rule.alarms(),
        Some(AlarmRef::Metric(_)) | None => BTreeSet::new(),
    })
}

impl Input {
    const fn is_of_family(&self) -> bool {
        self.children_of_alarm_name.is_some() || self.parents_of_alarm_name.is_some()
    }

    fn takes(&self, alarm: AlarmRef<'_>) -> bool {
        let kind = match alarm.kind() {
            AlarmType::MetricAlarm => WantedType::Metric,
            AlarmType::CompositeAlarm => WantedType::Composite,
        };
        let wanted = match self.alarm_types.as_slice() {
            [] => self.is_of_family() || kind == WantedType::Metric,
            types => types.contains(&kind),
        };
        let named = self.alarm_names.is_empty() || self.alarm_names.contains(alarm.name());
        let prefixed = self
            .alarm_name_prefix
            .as_ref()
            .is_none_or(|prefix| alarm.name().starts_with(&**prefix));
        let actions = alarm.actions();
        let mut actions = actions.ok.iter().chain(&actions.alarm).chain(&actions.insufficient_data);
        let acts = self
            .action_prefix
            .as_ref()
            .is_none_or(|prefix| actions.any(|action| action.starts_with(prefix)));
        let is_parent = self.parents_of_alarm_name.as_ref().is_none_or(|child| match alarm {
            AlarmRef::Composite(parent) => parent.rule.alarms().contains(child),
            AlarmRef::Metric(_) => false,
        });
        wanted && named && prefixed && acts && is_parent
    }
}

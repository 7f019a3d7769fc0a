use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::alarms::{self, Alarm, COMPOSITE_ALARM, Described, METRIC_ALARM};
use super::described::{DescribedCompositeAlarm, DescribedMetricAlarm};
use super::fault::INVALID_NEXT_TOKEN;
use crate::alarm::{AlarmType, CompositeAlarm, MetricAlarm, StateValue};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::Page;

const PAGE: usize = 50;
/// How many alarms of a kind are read together.
const SCAN: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Input {
    alarm_names: Vec<Arc<str>>,
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
    let mut found = candidates(&call, &input, after.as_ref(), limit + 1).await?;
    let next_token =
        page::cut(&mut found, limit).map(|last| page::seal("DescribeAlarms", last.name()));
    let mut described = Described::default();
    for alarm in found {
        let state = alarms::state_of(&call, &alarm).await?;
        described.add(call.scope(), alarm, state);
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
    let family = input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some();
    let filtered = named
        || input.alarm_name_prefix.is_some()
        || !input.alarm_types.is_empty()
        || input.state_value.is_some()
        || input.action_prefix.is_some();
    let both = input.children_of_alarm_name.is_some() && input.parents_of_alarm_name.is_some();
    if both || (family && filtered) {
        let why = "ChildrenOfAlarmName and ParentsOfAlarmName can be combined with MaxRecords and \
                   NextToken only.";
        return Err(VALIDATION.because(why));
    }
    Ok(())
}

impl Input {
    fn wants(&self, kind: AlarmType) -> bool {
        let wanted = match kind {
            AlarmType::MetricAlarm => WantedType::Metric,
            AlarmType::CompositeAlarm => WantedType::Composite,
        };
        match self.alarm_types.as_slice() {
            [] => self.is_of_family() || wanted == WantedType::Metric,
            types => types.contains(&wanted),
        }
    }

    const fn is_of_family(&self) -> bool {
        self.children_of_alarm_name.is_some() || self.parents_of_alarm_name.is_some()
    }
}

/// Alarms that match, by name, after a name; as many as `enough`.
async fn candidates(
    call: &Call,
    input: &Input,
    after: Option<&Arc<str>>,
    enough: usize,
) -> Answer<Vec<Alarm>> {
    let mut names = input.alarm_names.clone();
    if let Some(parent) = &input.children_of_alarm_name {
        names = match alarms::find(call, parent).await? {
            Some((Alarm::Composite(parent), _)) => parent.rule.alarms().into_iter().collect(),
            _ => return Ok(Vec::new()),
        };
    } else if names.is_empty() {
        return listed(call, input, after, enough).await;
    }
    names.sort();
    names.dedup();
    let mut found = Vec::new();
    for name in names.iter().filter(|name| after.is_none_or(|after| *name > after)) {
        if let Some((alarm, _)) = alarms::find(call, name).await?
            && matches(call, input, &alarm).await?
        {
            found.push(alarm);
        }
        if found.len() == enough {
            break;
        }
    }
    Ok(found)
}

/// Both kinds are listed by name and merged.
async fn listed(
    call: &Call,
    input: &Input,
    after: Option<&Arc<str>>,
    enough: usize,
) -> Answer<Vec<Alarm>> {
    let mut found = Vec::new();
    if input.wants(AlarmType::MetricAlarm) && input.parents_of_alarm_name.is_none() {
        let kind: Kind<MetricAlarm> = (METRIC_ALARM, Alarm::Metric);
        found = of_kind(call, input, kind, (after, enough)).await?;
    }
    if input.wants(AlarmType::CompositeAlarm) {
        let kind: Kind<CompositeAlarm> = (COMPOSITE_ALARM, Alarm::Composite);
        found.extend(of_kind(call, input, kind, (after, enough)).await?);
    }
    found.sort_by(|one, other| one.name().cmp(other.name()));
    found.truncate(enough);
    Ok(found)
}

/// A kind of resource, and how one is an alarm.
type Kind<T> = (&'static str, fn(T) -> Alarm);

async fn of_kind<T: DeserializeOwned>(
    call: &Call,
    input: &Input,
    (kind, wrap): Kind<T>,
    (after, enough): (Option<&Arc<str>>, usize),
) -> Answer<Vec<Alarm>> {
    let mut found = Vec::new();
    let mut after = after.map(ToString::to_string);
    let prefix = input.alarm_name_prefix.as_deref().unwrap_or_default();
    loop {
        let page = Page { prefix, after: after.as_deref(), limit: SCAN };
        let read: Vec<(String, T)> =
            call.state().store.resources().list(call.scope(), kind, &page).await?;
        let last = read.len() < SCAN;
        after = read.last().map(|(name, _)| name.clone());
        for (_, alarm) in read {
            let alarm = wrap(alarm);
            if matches(call, input, &alarm).await? {
                found.push(alarm);
            }
            if found.len() == enough {
                return Ok(found);
            }
        }
        if last {
            return Ok(found);
        }
    }
}

async fn matches(call: &Call, input: &Input, alarm: &Alarm) -> Answer<bool> {
    if !input.wants(alarm.view().kind()) {
        return Ok(false);
    }
    if let Some(child) = &input.parents_of_alarm_name {
        return Ok(
            matches!(alarm, Alarm::Composite(parent) if parent.rule.alarms().contains(child)),
        );
    }
    if let Some(prefix) = &input.action_prefix
        && !alarm.all_actions().any(|action| action.starts_with(prefix))
    {
        return Ok(false);
    }
    match input.state_value {
        Some(value) => Ok(alarms::state_of(call, alarm).await?.value == value),
        None => Ok(true),
    }
}

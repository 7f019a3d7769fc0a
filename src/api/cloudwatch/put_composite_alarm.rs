use std::collections::HashMap;
use std::sync::Arc;

use super::alarms::{self, Alarm, COMPOSITE_ALARM};
use crate::alarm::{AlarmFault, AlarmRule, CompositeAlarm, PutCompositeAlarm, find_cycle};
use crate::api::call::{Answer, Call};
use crate::store::Page;

/// How many composites are read together.
const SCAN: usize = 500;

/// Source: CloudWatch API Reference, PutCompositeAlarm. Tags are taken on creation only.
pub(super) async fn run(call: Call, input: PutCompositeAlarm) -> Answer<()> {
    let mut alarm = input.validate(call.now())?;
    let mut absent = Vec::new();
    for child in alarm.rule.alarms() {
        if child != alarm.name && alarms::find(&call, &child).await?.is_none() {
            absent.push(child);
        }
    }
    if !absent.is_empty() {
        return Err(AlarmFault::NoSuchChildren(absent).into());
    }
    let rules = rules(&call).await?;
    let rule_of = |name: &str| rules.get(name);
    if let Some(path) = find_cycle(&alarm.name, &alarm.rule, &rule_of) {
        return Err(AlarmFault::Cycle(path).into());
    }
    if let Some((Alarm::Composite(old), _)) = alarms::find(&call, &alarm.name).await? {
        alarm.tags = old.tags;
    }
    alarms::put(&call, Alarm::Composite(alarm)).await
}

/// The rules of every composite.
async fn rules(call: &Call) -> Answer<HashMap<Arc<str>, AlarmRule>> {
    let mut rules = HashMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = Page { prefix: "", after: after.as_deref(), limit: SCAN };
        let found: Vec<(String, CompositeAlarm)> =
            call.state().store.resources().list(call.scope(), COMPOSITE_ALARM, &page).await?;
        let last = found.len() < SCAN;
        after = found.last().map(|(name, _)| name.clone());
        rules.extend(found.into_iter().map(|(_, alarm)| (alarm.name, alarm.rule)));
        if last {
            return Ok(rules);
        }
    }
}

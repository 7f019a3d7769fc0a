use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::put::{check_actions, check_length, check_name};
use super::rule_parser::name_of;
use super::wording::{instant, long_date};
use super::{AlarmActions, AlarmFault, AlarmRule, Constraint, StateValue, Tag};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// Holds the actions of a composite while another alarm is in ALARM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionsSuppressor {
    /// The name of the other alarm.
    pub alarm: Arc<str>,
    /// How long a transition waits for the suppressor to go to ALARM.
    pub wait_secs: u32,
    /// How long actions stay held once the suppressor has left ALARM.
    pub extension_secs: u32,
}

/// An alarm on other alarms, valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompositeAlarm {
    /// Its name, unique in its scope over all kinds of alarms.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// What is done on a transition.
    pub actions: AlarmActions,
    /// When it is in ALARM.
    pub rule: AlarmRule,
    /// What holds its actions.
    pub suppressor: Option<ActionsSuppressor>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When the definition was last written.
    pub configured: Timestamp,
}

impl CompositeAlarm {
    /// The state its rule puts it in.
    pub fn evaluate(&self, state_of: &dyn Fn(&str) -> Option<StateValue>) -> StateValue {
        if self.rule.holds(state_of) { StateValue::Alarm } else { StateValue::Ok }
    }

    /// Why it changed, when a child's transition is the cause.
    ///
    /// Source: recorded state reasons.
    pub fn reason_of_child(scope: &Scope, child: &str, state: StateValue, at: Timestamp) -> String {
        let arn = scope.arn("cloudwatch", format_args!("alarm:{child}"));
        format!("{arn} transitioned to {state} at {}", long_date(at))
    }

    /// Why it changed, when a child that was deleted is the cause.
    ///
    /// Differs: AWS's wording is not known.
    pub fn reason_of_gone_child(scope: &Scope, child: &str, state: StateValue) -> String {
        let arn = scope.arn("cloudwatch", format_args!("alarm:{child}"));
        format!("{arn} was deleted and the alarm rule evaluates to {state}")
    }

    /// Why it changed, when its definition is the cause.
    ///
    /// Source: recorded for a creation. Differs: the wording of an update is ours, alike.
    pub fn reason_of_definition(&self, scope: &Scope, word: &str, state: StateValue) -> String {
        let arn = scope.arn("cloudwatch", format_args!("alarm:{}", self.name));
        format!("{arn} was {word} and its alarm rule evaluates to {state}")
    }

    /// The reason data of a transition that `child` caused: a JSON text.
    pub fn reason_data_of_child(
        scope: &Scope,
        child: &str,
        state: StateValue,
        at: Timestamp,
    ) -> String {
        let arn = scope.arn("cloudwatch", format_args!("alarm:{child}"));
        let state = serde_json::json!({"value": state, "timestamp": instant(at)});
        serde_json::json!({"triggeringAlarms": [{"arn": arn, "state": state}]}).to_string()
    }
}

/// The input of PutCompositeAlarm as it came over the wire.
///
/// Source: CloudWatch API Reference, `PutCompositeAlarm`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "each field is the API's member of the same name")]
pub struct PutCompositeAlarm {
    pub alarm_name: Option<Arc<str>>,
    pub alarm_description: Option<Arc<str>>,
    pub actions_enabled: Option<bool>,
    #[serde(rename = "OKActions")]
    pub ok_actions: Vec<Arc<str>>,
    pub alarm_actions: Vec<Arc<str>>,
    pub insufficient_data_actions: Vec<Arc<str>>,
    pub alarm_rule: Option<Arc<str>>,
    pub actions_suppressor: Option<Arc<str>>,
    pub actions_suppressor_wait_period: Option<i64>,
    pub actions_suppressor_extension_period: Option<i64>,
    pub tags: Vec<Tag>,
    #[serde(skip_serializing)]
    pub action_configuration: Option<IgnoredAny>,
}

impl PutCompositeAlarm {
    /// Turns the input into an alarm, or says why AWS would refuse it. Whether its children exist
    /// and whether it closes a cycle is asked by [`find_cycle`] and its caller, who knows them.
    pub fn validate(self, at: Timestamp) -> Result<CompositeAlarm, AlarmFault> {
        let mut found: Vec<Constraint> = Vec::new();
        check_name(&mut found, "alarmName", self.alarm_name.as_deref());
        check_length(&mut found, "alarmDescription", self.alarm_description.as_deref(), 1_024);
        check_actions(&mut found, "oKActions", &self.ok_actions);
        check_actions(&mut found, "alarmActions", &self.alarm_actions);
        check_actions(&mut found, "insufficientDataActions", &self.insufficient_data_actions);
        if !found.is_empty() {
            return Err(AlarmFault::Constraints(found));
        }
        if self.action_configuration.is_some() {
            return Err(AlarmFault::NotSupported { parameter: "ActionConfiguration" });
        }
        let suppressor = self.suppressor()?;
        let rule = self.alarm_rule.ok_or(AlarmFault::Missing { parameter: "AlarmRule" })?;
        Ok(CompositeAlarm {
            name: self.alarm_name.ok_or(AlarmFault::Missing { parameter: "AlarmName" })?,
            description: self.alarm_description,
            actions: AlarmActions {
                enabled: self.actions_enabled.unwrap_or(true),
                ok: self.ok_actions,
                alarm: self.alarm_actions,
                insufficient_data: self.insufficient_data_actions,
            },
            rule: AlarmRule::parse(&rule)?,
            suppressor,
            tags: self.tags,
            configured: at,
        })
    }

    fn suppressor(&self) -> Result<Option<ActionsSuppressor>, AlarmFault> {
        let Some(alarm) = &self.actions_suppressor else { return Ok(None) };
        let seconds = |parameter, value: Option<i64>| {
            value
                .and_then(|seconds| u32::try_from(seconds).ok())
                .ok_or(AlarmFault::Missing { parameter })
        };
        let (wait, extension) =
            (self.actions_suppressor_wait_period, self.actions_suppressor_extension_period);
        Ok(Some(ActionsSuppressor {
            alarm: name_of(alarm).into(),
            wait_secs: seconds("ActionsSuppressorWaitPeriod", wait)?,
            extension_secs: seconds("ActionsSuppressorExtensionPeriod", extension)?,
        }))
    }
}

/// A path of composites from `name` back to itself, if giving it `rule` would close one.
pub fn find_cycle<'a>(
    name: &Arc<str>,
    rule: &'a AlarmRule,
    rule_of: &dyn Fn(&str) -> Option<&'a AlarmRule>,
) -> Option<Vec<Arc<str>>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut paths = vec![(vec![Arc::clone(name)], rule)];
    while let Some((path, rule)) = paths.pop() {
        for child in rule.alarms() {
            let mut path = path.clone();
            path.push(Arc::clone(&child));
            if child == *name {
                return Some(path);
            }
            if let Some(rule) = rule_of(&child)
                && seen.insert(child)
            {
                paths.push((path, rule));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(rule: &str) -> PutCompositeAlarm {
        PutCompositeAlarm {
            alarm_name: Some("all".into()),
            alarm_rule: Some(rule.into()),
            ..PutCompositeAlarm::default()
        }
    }

    #[test]
    fn a_cycle_is_found_through_other_composites() {
        let rules: Vec<(&str, AlarmRule)> = [("b", "ALARM(c) OR OK(x)"), ("c", "OK(a)")]
            .into_iter()
            .map(|(name, rule)| (name, AlarmRule::parse(rule).unwrap()))
            .collect();
        let rule_of = |name: &str| rules.iter().find(|(n, _)| *n == name).map(|(_, rule)| rule);
        let cycle = |rule: &str| {
            let rule = AlarmRule::parse(rule).unwrap();
            // The rule under test lives shorter than the known ones, so it is leaked for the test.
            find_cycle(&"a".into(), Box::leak(Box::new(rule)), &rule_of)
        };
        let path = cycle("ALARM(b)").unwrap().join(" -> ");
        assert_eq!(path, "a -> b -> c -> a");
        assert_eq!(cycle("ALARM(a)").unwrap().join(" -> "), "a -> a");
        assert_eq!(cycle("ALARM(x)"), None);
    }

    #[test]
    fn a_suppressor_needs_both_periods() {
        let mut input = put("ALARM(a)");
        input.actions_suppressor =
            Some("arn:aws:cloudwatch:us-east-1:123456789012:alarm:maintenance".into());
        input.actions_suppressor_wait_period = Some(60);
        let fault = input.clone().validate(Timestamp::EPOCH).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "The parameter ActionsSuppressorExtensionPeriod is required."
        );
        input.actions_suppressor_extension_period = Some(120);
        let alarm = input.validate(Timestamp::EPOCH).unwrap();
        assert_eq!(alarm.suppressor.unwrap().alarm.as_ref(), "maintenance");
    }

    #[test]
    fn reasons_are_worded_as_recorded() {
        let at = Timestamp::parse("2022-07-22T15:57:45Z").unwrap();
        let scope = Scope::default();
        assert_eq!(
            CompositeAlarm::reason_of_child(&scope, "cpu", StateValue::Alarm, at),
            "arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu transitioned to ALARM at Friday \
             22 July, 2022 15:57:45 UTC"
        );
        let alarm = put("ALARM(a)").validate(at).unwrap();
        assert_eq!(
            alarm.reason_of_definition(&scope, "created", StateValue::Ok),
            "arn:aws:cloudwatch:us-east-1:123456789012:alarm:all was created and its alarm rule \
             evaluates to OK"
        );
    }
}

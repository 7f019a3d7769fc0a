//! Mute rules: windows in which alarms do not act.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms::alarms;
use super::fault::{INVALID_NEXT_TOKEN, RESOURCE_NOT_FOUND_EXCEPTION};
use super::tags;
use crate::alarm::Tag;
use crate::api::call::{Answer, Call};
use crate::api::fault::{LIMIT_EXCEEDED, VALIDATION};
use crate::api::page;
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::monitor::{AlarmMuteRule, MuteStatus, PutMuteRule};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// Source: CloudWatch User Guide, quotas.
const RULES_MAX: usize = 2_000;
/// Source: CloudWatch API Reference, MuteTargets.
const TARGETS_MAX: usize = 100;
const PAGE: i64 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    name: Arc<str>,
    description: Option<Arc<str>>,
    rule: Rule,
    mute_targets: Option<MuteTargets>,
    #[serde(default)]
    tags: Vec<Tag>,
    start_date: Option<Instant>,
    expire_date: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    schedule: Schedule,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Schedule {
    expression: Arc<str>,
    duration: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<Arc<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MuteTargets {
    alarm_names: Vec<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    alarm_mute_rule_name: Arc<str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    alarm_name: Option<Arc<str>>,
    #[serde(default)]
    statuses: Vec<MuteStatus>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

/// A mute rule as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    name: Arc<str>,
    alarm_mute_rule_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Arc<str>>,
    rule: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_targets: Option<MuteTargets>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_date: Option<Instant>,
    status: MuteStatus,
    last_updated_timestamp: Instant,
    mute_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    alarm_mute_rule_summaries: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    alarm_mute_rule_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_date: Option<Instant>,
    status: MuteStatus,
    mute_type: &'static str,
    last_updated_timestamp: Instant,
}

/// Source: CloudWatch API Reference, PutAlarmMuteRule.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<()> {
    input.check()?;
    let alarms = alarms(&call);
    let known = alarms.mute_rules(call.scope());
    let is_new = known.iter().all(|rule| rule.input().name != input.name);
    if is_new && known.len() >= RULES_MAX {
        return Err(LIMIT_EXCEEDED.because(format!("At most {RULES_MAX} mute rules.")));
    }
    let Schedule { expression, duration, timezone } = input.rule.schedule;
    let rule = PutMuteRule {
        name: input.name,
        description: input.description,
        expression,
        duration,
        timezone,
        alarms: input.mute_targets.map(|targets| targets.alarm_names).unwrap_or_default(),
        tags: input.tags,
        start: input.start_date.map(|at| at.0),
        expire: input.expire_date.map(|at| at.0),
        updated: call.now(),
    };
    Ok(alarms.put_mute(call.scope(), rule).await?)
}

/// Source: CloudWatch API Reference, GetAlarmMuteRule.
pub(super) async fn get(call: Call, input: NameInput) -> Answer<Described> {
    let name = input.alarm_mute_rule_name;
    let rules = alarms(&call).mute_rules(call.scope());
    let Some(rule) = rules.iter().find(|rule| rule.input().name == name) else {
        let why = format!("Alarm mute rule {name} does not exist");
        return Err(RESOURCE_NOT_FOUND_EXCEPTION
            .because(why)
            .with("ResourceType", "AlarmMuteRule")
            .with("ResourceId", name.to_string()));
    };
    let input = rule.input();
    let schedule = Schedule {
        expression: Arc::clone(&input.expression),
        duration: Arc::clone(&input.duration),
        timezone: input.timezone.clone(),
    };
    Ok(Described {
        name: Arc::clone(&input.name),
        alarm_mute_rule_arn: rule.arn(call.scope()),
        description: input.description.clone(),
        rule: Rule { schedule },
        mute_targets: (!input.alarms.is_empty())
            .then(|| MuteTargets { alarm_names: input.alarms.clone() }),
        start_date: input.start.map(Instant),
        expire_date: input.expire.map(Instant),
        status: rule.status(call.now()),
        last_updated_timestamp: Instant(input.updated),
        mute_type: mute_type(rule),
    })
}

/// Source: CloudWatch API Reference, ListAlarmMuteRules.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("maxRecords", input.max_records, 1, 100).done(VALIDATION)?;
    let now: Timestamp = call.now();
    let mut rules = alarms(&call).mute_rules(call.scope());
    rules.retain(|rule| {
        let targets = input.alarm_name.as_ref().is_none_or(|alarm| rule.targets(alarm));
        targets && (input.statuses.is_empty() || input.statuses.contains(&rule.status(now)))
    });
    let page = usize::try_from(input.max_records.unwrap_or(PAGE)).unwrap_or(1);
    let name = |rule: &Arc<AlarmMuteRule>| rule.input().name.to_string();
    let (rules, next_token) =
        page::of("ListAlarmMuteRules", rules, name, (input.next_token.as_deref(), page))
            .map_err(|_token| INVALID_NEXT_TOKEN.because("Invalid NextToken."))?;
    let summary = |rule: Arc<AlarmMuteRule>| Summary {
        alarm_mute_rule_arn: rule.arn(call.scope()),
        expire_date: rule.input().expire.map(Instant),
        status: rule.status(now),
        mute_type: mute_type(&rule),
        last_updated_timestamp: Instant(rule.input().updated),
    };
    let alarm_mute_rule_summaries = rules.into_iter().map(summary).collect();
    Ok(ListOutput { alarm_mute_rule_summaries, next_token })
}

/// Source: CloudWatch API Reference, DeleteAlarmMuteRule: what is not there is gone already.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    Ok(alarms(&call).delete_mute(call.scope(), input.alarm_mute_rule_name).await?)
}

/// The ARN of a mute rule.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("cloudwatch", format_args!("alarm-mute-rule:{name}"))
}

impl PutInput {
    fn check(&self) -> Answer<()> {
        let schedule = &self.rule.schedule;
        let mut constraints = Constraints::new()
            .length("name", &self.name, 1, 255)
            .length("rule.schedule.expression", &schedule.expression, 1, 256)
            .length("rule.schedule.duration", &schedule.duration, 1, 50);
        if let Some(timezone) = &schedule.timezone {
            constraints = constraints.length("rule.schedule.timezone", timezone, 1, 50);
        }
        if let Some(description) = &self.description {
            constraints = constraints.length("description", description, 0, 1_024);
        }
        if let Some(targets) = &self.mute_targets {
            let count = targets.alarm_names.len();
            constraints = constraints.count("muteTargets.alarmNames", count, 0, TARGETS_MAX);
        }
        constraints.done(VALIDATION)?;
        tags::check(&self.tags)
    }
}

fn mute_type(rule: &AlarmMuteRule) -> &'static str {
    if rule.is_recurring() { "RECURRING" } else { "ONE_TIME" }
}

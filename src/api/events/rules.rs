//! Rules: put, described, listed, switched, deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus::{self, check_tags};
use super::fault::VALIDATION;
use super::listing::{Listed, Paging};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::{PutRule, Rule, RuleState, Tag};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    name: Arc<str>,
    schedule_expression: Option<Arc<str>>,
    event_pattern: Option<Arc<str>>,
    state: Option<RuleState>,
    description: Option<String>,
    role_arn: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    event_bus_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOutput {
    rule_arn: String,
}

/// Source: EventBridge API Reference, PutRule.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    let description = input.description.as_deref().unwrap_or_default();
    let constraints = check_name("name", &input.name)
        .length("scheduleExpression", &text(&input.schedule_expression), 0, 256)
        .length("eventPattern", &text(&input.event_pattern), 0, 4096)
        .length("description", description, 0, 512);
    check_tags(&input.tags, constraints).done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::Rule", &input.name);
    let given = |text: Option<Arc<str>>| text.filter(|text| !text.is_empty());
    let put = PutRule {
        name: input.name,
        bus,
        pattern: given(input.event_pattern),
        schedule: given(input.schedule_expression),
        state: input.state.unwrap_or_default(),
        description: input.description,
        role_arn: input.role_arn,
        tags: input.tags,
    };
    let rule_arn = bus::handle(&call).put_rule(call.scope(), put).await?;
    Ok(PutOutput { rule_arn })
}

/// Source: EventBridge service model, RuleName.
pub(super) fn check_name(path: &str, name: &str) -> Constraints {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let matches = name.bytes().all(allowed);
    Constraints::new().length(path, name, 1, 64).pattern(path, name, matches, r"[\.\-_A-Za-z0-9]+")
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: String,
    event_bus_name: Option<String>,
}

/// A rule as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    name: Arc<str>,
    arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_pattern: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_expression: Option<Arc<str>>,
    state: RuleState,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    event_bus_name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
}

impl Described {
    fn new(call: &Call, rule: &Rule) -> Self {
        Self {
            name: Arc::clone(&rule.name),
            arn: rule.arn(call.scope()),
            event_pattern: rule.pattern.clone(),
            schedule_expression: rule.schedule.clone(),
            state: rule.state,
            description: rule.description.clone(),
            role_arn: rule.role_arn.clone(),
            event_bus_name: Arc::clone(&rule.bus),
            created_by: None,
        }
    }
}

/// Source: EventBridge API Reference, DescribeRule.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    check_name("name", &input.name).done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    bus::handle(&call).bus(call.scope(), &bus).await?;
    let rule = bus::handle(&call).rule(call.scope(), &bus, &input.name)?;
    let created_by = Some(call.scope().account.to_string());
    Ok(Described { created_by, ..Described::new(&call, &rule) })
}

/// Source: EventBridge API Reference, EnableRule.
pub(super) async fn enable(call: Call, input: NameInput) -> Answer<()> {
    switch(&call, &input, RuleState::Enabled).await
}

/// Source: EventBridge API Reference, DisableRule.
pub(super) async fn disable(call: Call, input: NameInput) -> Answer<()> {
    switch(&call, &input, RuleState::Disabled).await
}

async fn switch(call: &Call, input: &NameInput, state: RuleState) -> Answer<()> {
    check_name("name", &input.name).done(VALIDATION)?;
    let bus = bus::name_of(call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::Rule", &input.name);
    let rule = (&bus, input.name.as_str());
    Ok(bus::handle(call).switch_rule(call.scope(), rule, state).await?)
}

/// Source: EventBridge API Reference, DeleteRule: one that is not there is deleted silently. There
/// are no managed rules here, so `Force` changes nothing.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    check_name("name", &input.name).done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::Rule", &input.name);
    Ok(bus::handle(&call).delete_rule(call.scope(), &bus, &input.name).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    rules: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListRules; by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    let prefix = input.name_prefix.unwrap_or_default();
    let mut rules = bus::handle(&call).rules(call.scope(), &bus).await?;
    rules.retain(|rule| rule.name.starts_with(&prefix));
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListRules", rules, |rule| rule.name.to_string())?;
    let rules = items.iter().map(|rule| Described::new(&call, rule)).collect();
    Ok(ListOutput { rules, next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByTargetInput {
    target_arn: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByTargetOutput {
    rule_names: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListRuleNamesByTarget; by name.
pub(super) async fn names_by_target(call: Call, input: ByTargetInput) -> Answer<ByTargetOutput> {
    Constraints::new().length("targetArn", &input.target_arn, 1, 1600).done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    let mut rules = bus::handle(&call).rules(call.scope(), &bus).await?;
    rules.retain(|rule| rule.targets.iter().any(|target| *target.arn == *input.target_arn));
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListRuleNamesByTarget", rules, |rule| rule.name.to_string())?;
    let rule_names = items.iter().map(|rule| Arc::clone(&rule.name)).collect();
    Ok(ByTargetOutput { rule_names, next_token })
}

//! Targets of rules: put, removed, listed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus;
use super::fault::VALIDATION;
use super::listing::{Listed, Paging};
use super::rules::check_name;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::bus::{FailedTarget, Target};

const TARGETS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Target>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    failed_entry_count: usize,
    failed_entries: Vec<FailedEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    target_id: Arc<str>,
    error_code: &'static str,
    error_message: String,
}

/// Source: EventBridge API Reference, PutTargets.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let mut constraints =
        check_name("rule", &input.rule).count("targets", input.targets.len(), 1, TARGETS_MAX);
    for (at, target) in (1..).zip(&input.targets) {
        constraints = check_target(constraints, &format!("targets.{at}.member"), target);
    }
    constraints.done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::Rule", &input.rule);
    bus::handle(&call).put_targets(call.scope(), (&bus, &input.rule), input.targets).await?;
    Ok(Output { failed_entry_count: 0, failed_entries: Vec::new() })
}

/// Source: EventBridge service model, Target.
fn check_target(constraints: Constraints, path: &str, target: &Target) -> Constraints {
    let at = |name: &str| format!("{path}.{name}");
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let retry = target.retry_policy.unwrap_or_default();
    let mut constraints = constraints
        .length(&at("id"), &target.id, 1, 64)
        .pattern(&at("id"), &target.id, target.id.bytes().all(allowed), r"[\.\-_A-Za-z0-9]+")
        .length(&at("arn"), &target.arn, 1, 1600)
        .length(&at("input"), &text(&target.input), 0, 8192)
        .length(&at("inputPath"), &text(&target.input_path), 0, 256)
        .range(&at("retryPolicy.maximumRetryAttempts"), retry.maximum_retry_attempts, 0, 185)
        .range(
            &at("retryPolicy.maximumEventAgeInSeconds"),
            retry.maximum_event_age_in_seconds,
            60,
            86_400,
        );
    if let Some(map) = &target.input_transformer {
        let paths = map.input_paths_map.as_ref().map_or(0, std::collections::BTreeMap::len);
        constraints = constraints
            .length(&at("inputTransformer.inputTemplate"), &map.input_template, 1, 8192)
            .count(&at("inputTransformer.inputPathsMap"), paths, 0, 100);
    }
    constraints
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveInput {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<Arc<str>>,
}

/// Source: EventBridge API Reference, RemoveTargets.
pub(super) async fn remove(call: Call, input: RemoveInput) -> Answer<Output> {
    check_name("rule", &input.rule)
        .count("ids", input.ids.len(), 1, TARGETS_MAX)
        .done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::Rule", &input.rule);
    let rule = (&bus, input.rule.as_str());
    let failed = bus::handle(&call).remove_targets(call.scope(), rule, &input.ids).await?;
    let entry = |failed: FailedTarget| FailedEntry {
        target_id: failed.id,
        error_code: failed.code,
        error_message: failed.message,
    };
    let failed_entries: Vec<_> = failed.into_iter().map(entry).collect();
    Ok(Output { failed_entry_count: failed_entries.len(), failed_entries })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    rule: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    targets: Vec<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListTargetsByRule; in the order they were first put.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    check_name("rule", &input.rule).done(VALIDATION)?;
    let bus = bus::name_of(&call, input.event_bus_name.as_deref())?;
    bus::handle(&call).bus(call.scope(), &bus).await?;
    let rule = bus::handle(&call).rule(call.scope(), &bus, &input.rule)?;
    let numbered: Vec<_> = (0u32..).zip(rule.targets.iter().cloned()).collect();
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListTargetsByRule", numbered, |(at, _)| format!("{at:06}"))?;
    let targets = items.into_iter().map(|(_, target)| target).collect();
    Ok(ListOutput { targets, next_token })
}

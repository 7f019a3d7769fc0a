use serde::{Deserialize, Serialize};

use super::reading::check_one_page;
use super::{INVALID_REQUEST, RESOURCE_NOT_FOUND};
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::time::Timestamp;

#[derive(Debug, Deserialize)]
pub(super) struct GetDestinationInput {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateDestinationInput {
    destination: Option<Destination>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Destination {
    XRay,
    CloudWatchLogs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DestinationOutput {
    destination: &'static str,
    status: &'static str,
}

const X_RAY: DestinationOutput = DestinationOutput { destination: "XRay", status: "ACTIVE" };

/// Source: X-Ray API Reference, GetTraceSegmentDestination.
pub(super) async fn destination(
    _call: Call,
    _input: GetDestinationInput,
) -> Answer<DestinationOutput> {
    Ok(X_RAY)
}

/// Source: X-Ray API Reference, UpdateTraceSegmentDestination.
pub(super) async fn update_destination(
    _call: Call,
    input: UpdateDestinationInput,
) -> Answer<DestinationOutput> {
    match input.destination {
        None | Some(Destination::XRay) => Ok(X_RAY),
        Some(Destination::CloudWatchLogs) => {
            let why = "Destination CloudWatchLogs is not supported here: every trace is searched \
                       as a trace";
            Err(INVALID_REQUEST.because(why))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RulesInput {
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRuleInput {
    name: String,
    rule: RuleUpdate,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleUpdate {
    probabilistic: ProbabilisticUpdate,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProbabilisticUpdate {
    desired_sampling_percentage: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct IndexingRule {
    name: &'static str,
    modified_at: Instant,
    rule: Rule,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    probabilistic: Probabilistic,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Probabilistic {
    desired_sampling_percentage: f64,
    actual_sampling_percentage: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RulesOutput {
    indexing_rules: [IndexingRule; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRuleOutput {
    indexing_rule: IndexingRule,
}

/// Source: X-Ray API Reference, GetIndexingRules. Every trace is indexed here.
pub(super) async fn rules(_call: Call, input: RulesInput) -> Answer<RulesOutput> {
    check_one_page("GetIndexingRules", input.next_token.as_deref())?;
    Ok(RulesOutput { indexing_rules: [everything()] })
}

/// Source: X-Ray API Reference, UpdateIndexingRule.
pub(super) async fn update_rule(_call: Call, input: UpdateRuleInput) -> Answer<UpdateRuleOutput> {
    if input.name != "Default" {
        let why = format!("Indexing rule {} not found", input.name);
        return Err(RESOURCE_NOT_FOUND.because(why).with("ResourceName", input.name));
    }
    let wanted = input.rule.probabilistic.desired_sampling_percentage;
    if !(100.0..=100.0).contains(&wanted) {
        let why =
            format!("Indexing {wanted} percent is not supported here: all traces are indexed");
        return Err(INVALID_REQUEST.because(why));
    }
    Ok(UpdateRuleOutput { indexing_rule: everything() })
}

fn everything() -> IndexingRule {
    let probabilistic =
        Probabilistic { desired_sampling_percentage: 100.0, actual_sampling_percentage: 100.0 };
    IndexingRule {
        name: "Default",
        modified_at: Timestamp::EPOCH.into(),
        rule: Rule { probabilistic },
    }
}

use serde::{Deserialize, Serialize};

use super::fault::{INSIGHT_NOT_ENABLED, INVALID_COMBINATION, INVALID_INSIGHTS, refused};
use super::trail::{find, find_own, handle};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::monitor::InsightType;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InsightSelector {
    insight_type: InsightType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_categories: Option<Vec<Category>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
enum Category {
    Management,
    Data,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    trail_name: Option<String>,
    insight_selectors: Vec<InsightSelector>,
    event_data_store: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    trail_name: Option<String>,
    event_data_store: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    insight_selectors: Vec<InsightSelector>,
}

fn show(trail_arn: String, insights: &[InsightType]) -> Output {
    let selector = |insight_type: &InsightType| InsightSelector {
        insight_type: *insight_type,
        event_categories: None,
    };
    Output { trail_arn, insight_selectors: insights.iter().map(selector).collect() }
}

/// Source: CloudTrail API Reference, PutInsightSelectors; an empty list ends it.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let name = trail_name(input.trail_name, input.event_data_store.is_some())?;
    let trail = find_own(&call, &name)?;
    let of_data = |selector: &InsightSelector| {
        let categories = selector.event_categories.iter().flatten();
        categories.into_iter().any(|category| *category == Category::Data)
    };
    if input.insight_selectors.iter().any(of_data) {
        let why = "Insights on data events are not supported here.";
        return Err(INVALID_INSIGHTS.because(why));
    }
    let mut insights = Vec::new();
    for selector in &input.insight_selectors {
        if insights.contains(&selector.insight_type) {
            return Err(INVALID_INSIGHTS.because("An insight type is given twice."));
        }
        insights.push(selector.insight_type);
    }
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    let changed = handle(&call).change(call.scope(), &trail.name, |trail| {
        trail.insights = insights;
    });
    let account = call.scope().account.as_str();
    let changed = changed.await.map_err(|error| refused(error, (&name, account)))?;
    Ok(show(changed.arn(call.scope()), &changed.insights))
}

/// Source: CloudTrail API Reference, GetInsightSelectors.
pub(super) async fn get(call: Call, input: GetInput) -> Answer<Output> {
    let name = trail_name(input.trail_name, input.event_data_store.is_some())?;
    let (home, trail) = find(&call, &name)?;
    if trail.insights.is_empty() {
        let why = format!("Insights are not enabled on trail {}.", trail.name);
        return Err(INSIGHT_NOT_ENABLED.because(why));
    }
    Ok(show(trail.arn(&home), &trail.insights))
}

fn trail_name(name: Option<String>, has_store: bool) -> Result<String, ApiError> {
    match name {
        Some(name) if !has_store => Ok(name),
        _ => Err(INVALID_COMBINATION
            .because("TrailName is required; event data stores are not supported here.")),
    }
}

use serde::{Deserialize, Serialize};

use super::reading::{check_one_page, range};
use super::{INVALID_REQUEST, group};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Instant;

/// Source: X-Ray API Reference, GetInsightSummaries: at most 30 days.
const HOURS_MAX: u32 = 30 * 24;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SummariesInput {
    #[serde(default, rename = "States")]
    states: Vec<State>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
    group_name: Option<String>,
    start_time: Instant,
    end_time: Instant,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Active,
    Closed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneInput {
    insight_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SummariesOutput {
    insight_summaries: [(); 0],
}

/// No insight exists where no group asks for any; where one does, the call is refused, because
/// faults are not watched here and an empty answer would say that there were none.
///
/// Source: X-Ray API Reference, GetInsightSummaries.
pub(super) async fn summaries(call: Call, input: SummariesInput) -> Answer<SummariesOutput> {
    check_one_page("GetInsightSummaries", input.next_token.as_deref())?;
    let states = input.states.iter().map(|state| matches!(state, State::Active | State::Closed));
    Constraints::new()
        .range("MaxResults", input.max_results, 1, 100)
        .count("States", states.count(), 0, 1)
        .done(INVALID_REQUEST)?;
    range(input.start_time.0, input.end_time.0, HOURS_MAX)?;
    let groups = match (input.group_name.as_deref(), input.group_arn.as_deref()) {
        (None, None) => group::all(&call).await?,
        (name, arn) => vec![group::by_name_or_arn(&call, name, arn).await?],
    };
    let watched = groups.iter().find(|group| group.insights_configuration.insights_enabled);
    match watched {
        None => Ok(SummariesOutput { insight_summaries: [] }),
        Some(group) => {
            let name = &group.group_name;
            let why = format!("Insights are not supported here; group {name} has them enabled");
            Err(INVALID_REQUEST.because(why))
        }
    }
}

/// Source: X-Ray API Reference, GetInsight, GetInsightEvents and GetInsightImpactGraph. There is no
/// insight that could be found.
pub(super) async fn absent(_call: Call, input: OneInput) -> Answer<()> {
    Err(INVALID_REQUEST.because(format!("Insight {} not found", input.insight_id)))
}

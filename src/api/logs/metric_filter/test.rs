use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::fault::INVALID_PARAMETER;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::query::filter_pattern::FilterPattern;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    filter_pattern: String,
    log_event_messages: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(in crate::api::logs) struct Output {
    matches: Vec<Match>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    event_number: usize,
    event_message: String,
    extracted_values: BTreeMap<String, String>,
}

/// Source: CloudWatch Logs API Reference, TestMetricFilter; events are counted from 0 as in its
/// samples.
pub(in crate::api::logs) async fn run(_call: Call, input: Input) -> Answer<Output> {
    Constraints::new()
        .count("logEventMessages", input.log_event_messages.len(), 1, 50)
        .done(INVALID_PARAMETER)?;
    let pattern = FilterPattern::parse(&input.filter_pattern)
        .map_err(|fault| INVALID_PARAMETER.because(format!("Invalid filter pattern: {fault}")))?;
    let read = |(event_number, event_message): (usize, String)| {
        let matches = pattern.matches(&event_message);
        let extracted = matches.then(|| pattern.extract(&event_message))?;
        let extracted_values =
            extracted.into_iter().map(|(name, value)| (name, value.into_owned())).collect();
        Some(Match { event_number, event_message, extracted_values })
    };
    Ok(Output {
        matches: input.log_event_messages.into_iter().enumerate().filter_map(read).collect(),
    })
}

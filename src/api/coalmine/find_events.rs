use serde::{Deserialize, Serialize};

use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::wire::Instant;
use crate::pattern::EventPattern;
use crate::telemetry::DEFAULT_EVENT_BUS;
use crate::time::TimeRange;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    event_bus_name: Option<String>,
    event_pattern: Option<String>,
    start_time: Instant,
    end_time: Instant,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    /// JSON texts, as targets get them.
    events: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// BOUND: so many events are in one answer.
const PAGE: usize = 1_000;
/// How many events are read together.
const SCAN: usize = 5_000;

/// The events of a bus that match a pattern, oldest first.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let refused = |why: String| VALIDATION.because(why);
    let pattern = input.event_pattern.as_deref().map(EventPattern::parse).transpose();
    let pattern = pattern.map_err(|fault| refused(fault.to_string()))?;
    let skipped: Option<usize> = page::open("FindEvents", input.next_token.as_deref())
        .map_err(|_token| refused("Invalid NextToken.".to_owned()))?;
    let skipped = skipped.unwrap_or(0);
    let bus = input.event_bus_name.as_deref().unwrap_or(DEFAULT_EVENT_BUS);
    let range = TimeRange::new(input.start_time.0, input.end_time.0);
    let (events, scope) = (call.state().store.events(), call.scope());
    let (mut found, mut matched, mut after) = (Vec::new(), 0, None);
    loop {
        let page = events.find((scope, bus), range, after.as_ref(), SCAN).await?;
        for event in page.events {
            let envelope = event.envelope(scope);
            if pattern.as_ref().is_some_and(|pattern| !pattern.matches(&envelope)) {
                continue;
            }
            matched += 1;
            if matched > skipped + PAGE {
                let next_token = Some(page::seal("FindEvents", &(skipped + PAGE)));
                return Ok(Output { events: found, next_token });
            }
            if matched > skipped {
                found.push(envelope.to_string());
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(Output { events: found, next_token: None }),
        }
    }
}

//! Replays: started, described, listed, cancelled.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus;
use super::fault::{VALIDATION, at_most_one};
use super::listing::{Listed, Paging};
use super::rules::check_name;
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::bus::{Replay, ReplayState};
use crate::time::Timestamp;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    arn: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter_arns: Option<Vec<Arc<str>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartInput {
    replay_name: Arc<str>,
    description: Option<String>,
    event_source_arn: Arc<str>,
    event_start_time: Instant,
    event_end_time: Instant,
    destination: Destination,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    replay_arn: String,
    state: ReplayState,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_start_time: Option<f64>,
}

/// Source: EventBridge API Reference, StartReplay.
pub(super) async fn start(call: Call, input: StartInput) -> Answer<Changed> {
    check_name("replayName", &input.replay_name).done(VALIDATION)?;
    let rules = input.destination.filter_arns.filter(|arns| !arns.is_empty());
    let replay = Replay {
        name: input.replay_name,
        description: input.description,
        state: ReplayState::Starting,
        reason: None,
        archive: input.event_source_arn,
        bus: input.destination.arn,
        rules,
        from: input.event_start_time.0,
        to: input.event_end_time.0,
        last: None,
        started: call.now(),
        ended: None,
    };
    call.concerns("AWS::Events::Replay", &replay.name);
    let replay_arn = replay.arn(call.scope());
    bus::handle(&call).start_replay(call.scope(), replay).await?;
    Ok(Changed {
        replay_arn,
        state: ReplayState::Starting,
        state_reason: None,
        replay_start_time: Some(call.now().as_secs_f64()),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    replay_name: String,
}

/// Source: EventBridge API Reference, CancelReplay.
pub(super) async fn cancel(call: Call, input: NameInput) -> Answer<Changed> {
    call.concerns("AWS::Events::Replay", &input.replay_name);
    let replay = bus::handle(&call).cancel_replay(call.scope(), &input.replay_name).await?;
    Ok(Changed {
        replay_arn: replay.arn(call.scope()),
        state: replay.state,
        state_reason: replay.reason,
        replay_start_time: None,
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    replay_name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    state: ReplayState,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<String>,
    event_source_arn: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Destination>,
    event_start_time: f64,
    event_end_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_last_replayed_time: Option<f64>,
    replay_start_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_end_time: Option<f64>,
}

impl Described {
    fn listed(replay: Replay) -> Self {
        Self {
            replay_name: replay.name,
            replay_arn: None,
            description: None,
            state: replay.state,
            state_reason: replay.reason,
            event_source_arn: replay.archive,
            destination: None,
            event_start_time: replay.from.as_secs_f64(),
            event_end_time: replay.to.as_secs_f64(),
            event_last_replayed_time: replay.last.map(Timestamp::as_secs_f64),
            replay_start_time: replay.started.as_secs_f64(),
            replay_end_time: replay.ended.map(Timestamp::as_secs_f64),
        }
    }
}

/// Source: EventBridge API Reference, DescribeReplay.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let replay = bus::handle(&call).replay(call.scope(), &input.replay_name).await?;
    let destination =
        Destination { arn: Arc::clone(&replay.bus), filter_arns: replay.rules.clone() };
    Ok(Described {
        replay_arn: Some(replay.arn(call.scope())),
        description: replay.description.clone(),
        destination: Some(destination),
        ..Described::listed(replay)
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    event_source_arn: Option<String>,
    state: Option<ReplayState>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    replays: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListReplays: at most one of the filters; by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let filters =
        [input.name_prefix.is_some(), input.event_source_arn.is_some(), input.state.is_some()];
    at_most_one("ListReplays", filters)?;
    let mut found = bus::handle(&call).replays(call.scope()).await?;
    found.retain(|replay| {
        let prefix = input.name_prefix.as_deref().unwrap_or_default();
        replay.name.starts_with(prefix)
            && input.event_source_arn.as_ref().is_none_or(|arn| **arn == *replay.archive)
            && input.state.is_none_or(|state| state == replay.state)
    });
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListReplays", found, |replay| replay.name.to_string())?;
    Ok(ListOutput { replays: items.into_iter().map(Described::listed).collect(), next_token })
}

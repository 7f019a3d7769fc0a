use serde::Serialize;

use super::fault::refused;
use super::trail::{find, find_own, handle};
use super::trails::NameInput;
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::time::Timestamp;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    is_logging: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_delivery_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_notification_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_delivery_time: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_logging_time: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_logging_time: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_cloud_watch_logs_delivery_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_cloud_watch_logs_delivery_time: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_digest_delivery_time: Option<Instant>,
    latest_delivery_attempt_time: String,
    latest_notification_attempt_time: String,
    latest_notification_attempt_succeeded: String,
    latest_delivery_attempt_succeeded: String,
    time_logging_started: String,
    time_logging_stopped: String,
}

/// Source: CloudTrail API Reference, GetTrailStatus.
pub(super) async fn get(call: Call, input: NameInput) -> Answer<Output> {
    let (_, trail) = find(&call, &input.name)?;
    let state = &trail.state;
    let text = |at: Option<Timestamp>| {
        at.map(|at| Timestamp::from_secs(at.as_secs()).to_rfc3339()).unwrap_or_default()
    };
    let delivered = state.last_delivery.filter(|_| state.delivery_error.is_none());
    let unsent = "Notifications about delivered files are not sent here.".to_owned();
    Ok(Output {
        is_logging: state.is_logging,
        latest_delivery_error: state.delivery_error.clone(),
        latest_notification_error: trail.settings.topic.as_ref().map(|_| unsent),
        latest_delivery_time: state.last_delivery.map(Instant),
        start_logging_time: state.started.map(Instant),
        stop_logging_time: state.stopped.map(Instant),
        latest_cloud_watch_logs_delivery_error: state.log_error.clone(),
        latest_cloud_watch_logs_delivery_time: state.last_log_delivery.map(Instant),
        latest_digest_delivery_time: state.last_digest.map(Instant),
        latest_delivery_attempt_time: text(state.last_delivery),
        latest_notification_attempt_time: String::new(),
        latest_notification_attempt_succeeded: String::new(),
        latest_delivery_attempt_succeeded: text(delivered),
        time_logging_started: text(state.started),
        time_logging_stopped: text(state.stopped),
    })
}

/// Source: CloudTrail API Reference, StartLogging.
pub(super) async fn start(call: Call, input: NameInput) -> Answer<()> {
    let trail = find_own(&call, &input.name)?;
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    let started = handle(&call).start(call.scope(), &trail.name).await;
    started.map_err(|error| refused(error, (&input.name, call.scope().account.as_str())))
}

/// Source: CloudTrail API Reference, StopLogging; what it took so far is delivered first, so that
/// it is there when this answers.
pub(super) async fn stop(call: Call, input: NameInput) -> Answer<()> {
    let trail = find_own(&call, &input.name)?;
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    call.trail().settle().await;
    let stopped = handle(&call).stop(call.scope(), &trail.name).await;
    stopped.map_err(|error| refused(error, (&input.name, call.scope().account.as_str())))
}

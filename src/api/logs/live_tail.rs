//! Live tails: events as they are taken, once a second, until the caller leaves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::service::{Constraints, Output, RawOutput};
use crate::api::wire::{ByteStream, event_stream};
use crate::monitor::TailedLines;
use crate::query::filter_pattern::FilterPattern;

/// Source: CloudWatch Logs API Reference, StartLiveTail.
const SESSIONS_MAX: usize = 15;
const RESULTS_OF_AN_UPDATE_MAX: usize = 500;
const SESSION_MAX: Duration = Duration::from_secs(3 * 3600);
const UPDATE_EVERY: Duration = Duration::from_secs(1);
/// So many updates wait for a slow reader; then later ones are taken together.
const UPDATES_WAITING_MAX: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_identifiers: Vec<Arc<str>>,
    #[serde(default)]
    log_stream_names: Vec<Arc<str>>,
    #[serde(default)]
    log_stream_name_prefixes: Vec<Arc<str>>,
    #[serde(default)]
    log_event_filter_pattern: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionStart {
    request_id: String,
    session_id: String,
    #[serde(flatten)]
    asked: Input,
}

/// Source: CloudWatch Logs API Reference, StartLiveTail.
pub(super) async fn run(call: Call, input: Input) -> Answer<Box<dyn Output>> {
    let session = Session::new(&call, &input)?;
    if call.tails().count(call.scope()) >= SESSIONS_MAX {
        return Err(LIMIT_EXCEEDED.because(format!("More than {SESSIONS_MAX} sessions are open.")));
    }
    let session_id = uuid::Uuid::new_v4().to_string();
    let start = SessionStart {
        request_id: call.facts().request_id.clone(),
        session_id: session_id.clone(),
        asked: input,
    };
    let (frames, sent) = mpsc::channel(UPDATES_WAITING_MAX);
    let tasks = call.state().tasks.clone();
    let stop = tasks.stop_token().child_token();
    call.tails().add(&session_id, call.scope(), &stop);
    // Watched before the answer begins: what is put after the start is never missed.
    let lines = call.state().monitor.logs().tail().watch();
    tasks.spawn(format!("live tail {session_id}"), |_stop| async move {
        // COMPAT: clients of JSON protocols wait for an initial response.
        let opening = [
            event_stream::event("initial-response", &json!({})),
            event_stream::event("sessionStart", &start),
        ];
        for frame in opening {
            // A caller that has left is noticed at the first update.
            drop(frames.send(frame).await);
        }
        session.run(lines, frames, stop).await;
        call.tails().remove(&session_id);
    });
    let stream = futures_util::stream::unfold(sent, |mut sent| async move {
        let frame = sent.recv().await?;
        Some((frame, sent))
    });
    Ok(Box::new(RawOutput {
        content_type: event_stream::CONTENT_TYPE,
        bytes: Bytes::new(),
        stream: Some(ByteStream(Box::pin(stream))),
    }))
}

struct Session {
    call: Call,
    groups: Vec<Arc<str>>,
    streams: Vec<Arc<str>>,
    prefixes: Vec<Arc<str>>,
    pattern: FilterPattern,
    results: Vec<Value>,
    sampled: bool,
}

impl Session {
    fn new(call: &Call, input: &Input) -> Answer<Self> {
        let Input { log_group_identifiers: groups, log_stream_names: streams, .. } = input;
        let prefixes = &input.log_stream_name_prefixes;
        Constraints::new()
            .count("logGroupIdentifiers", groups.len(), 1, 10)
            .count("logStreamNames", streams.len(), 0, 100)
            .count("logStreamNamePrefixes", prefixes.len(), 0, 100)
            .length("logEventFilterPattern", &input.log_event_filter_pattern, 0, 1024)
            .done(INVALID_PARAMETER)?;
        let invalid = |why: &str| Err(INVALID_PARAMETER.because(why));
        if groups.iter().any(|group| !group.starts_with("arn:") || group.ends_with('*')) {
            return invalid("logGroupIdentifiers must be ARNs that do not end in an asterisk.");
        }
        if !streams.is_empty() && !prefixes.is_empty() {
            return invalid("logStreamNames and logStreamNamePrefixes cannot be both specified.");
        }
        if groups.len() > 1 && !(streams.is_empty() && prefixes.is_empty()) {
            return invalid("Log streams can be specified for a single log group only.");
        }
        let pattern = FilterPattern::parse(&input.log_event_filter_pattern).map_err(|fault| {
            INVALID_PARAMETER.because(format!("Invalid filter pattern: {fault}"))
        })?;
        let named = groups.iter().map(|identifier| {
            let name = group::by_identifier(call, identifier)?;
            group::existing(call, &name)?;
            Ok(name)
        });
        Ok(Self {
            call: call.clone(),
            groups: named.collect::<Answer<_>>()?,
            streams: streams.clone(),
            prefixes: prefixes.clone(),
            pattern,
            results: Vec::new(),
            sampled: false,
        })
    }

    async fn run(
        mut self,
        mut lines: broadcast::Receiver<TailedLines>,
        frames: mpsc::Sender<Bytes>,
        stop: CancellationToken,
    ) {
        let mut every = tokio::time::interval(UPDATE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = tokio::time::sleep(SESSION_MAX);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = frames.closed() => return,
                () = &mut end => {
                    let why = "The session has been open for 3 hours.";
                    let last = event_stream::exception("SessionTimeoutException", why);
                    return drop(frames.send(last).await);
                }
                taken = lines.recv() => match taken {
                    Ok(taken) => self.take(&taken),
                    Err(RecvError::Lagged(_)) => self.sampled = true,
                    Err(RecvError::Closed) => return,
                },
                _ = every.tick() => self.update(&frames),
            }
        }
    }

    fn take(&mut self, taken: &TailedLines) {
        let is_asked = taken.scope == *self.call.scope()
            && self.groups.contains(&taken.group)
            && (self.streams.is_empty() || self.streams.contains(&taken.stream))
            && (self.prefixes.is_empty()
                || self.prefixes.iter().any(|prefix| taken.stream.starts_with(&**prefix)));
        if !is_asked {
            return;
        }
        let mask = group::mask(&self.call, &taken.group, None);
        for event in taken.events.iter().filter(|event| self.pattern.matches(&event.message)) {
            // BOUND: what is more than an update holds is left out, and the update says so.
            if self.results.len() >= RESULTS_OF_AN_UPDATE_MAX {
                self.sampled = true;
                return;
            }
            let account = &self.call.scope().account;
            self.results.push(json!({
                "logStreamName": taken.stream,
                "logGroupIdentifier": format!("{account}:{}", taken.group),
                "message": mask.apply(taken.ingested, &event.message),
                "timestamp": event.timestamp.as_millis(),
                "ingestionTime": taken.ingested.as_millis(),
            }));
        }
    }

    fn update(&mut self, frames: &mpsc::Sender<Bytes>) {
        let Ok(place) = frames.try_reserve() else { return };
        let update = json!({
            "sessionMetadata": {"sampled": std::mem::take(&mut self.sampled)},
            "sessionResults": std::mem::take(&mut self.results),
        });
        place.send(event_stream::event("sessionUpdate", &update));
    }
}

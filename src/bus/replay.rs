//! Replays: what an archive holds, sent once more through the rules of its bus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::archive::Archive;
use super::handle::{BusHandle, bus_arn, bus_of_arn, in_arn};
use super::kind;
use super::refusal::{BusError, RefusalKind};
use super::route::deliveries;
use crate::store::{AppendError, Page, ReadError, ResourceChanges};
use crate::telemetry::{Event, Scope, TelemetryBatch};
use crate::time::{TimeRange, Timestamp};

/// Source: EventBridge User Guide, "Amazon EventBridge quotas".
const CONCURRENT_MAX: usize = 10;

/// A replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// How far it is.
    pub state: ReplayState,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// The archive's ARN.
    pub archive: Arc<str>,
    /// The bus's ARN.
    pub bus: Arc<str>,
    /// The rules that see the events; all of them when there is none.
    pub rules: Option<Vec<Arc<str>>>,
    /// Events from here on.
    pub from: Timestamp,
    /// Events up to here.
    pub to: Timestamp,
    /// The time of the last event that was sent.
    pub last: Option<Timestamp>,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReplayState {
    /// Accepted.
    Starting,
    /// Sending.
    Running,
    /// Asked to stop.
    Cancelling,
    /// Everything was sent.
    Completed,
    /// Stopped before the end.
    Cancelled,
    /// The store could not be read or written.
    Failed,
}

/// Tokens that stop the replays under way.
#[derive(Debug, Default)]
pub(super) struct ReplayStops(Mutex<HashMap<(Scope, Arc<str>), CancellationToken>>);

impl ReplayStops {
    fn with<T>(
        &self,
        change: impl FnOnce(&mut HashMap<(Scope, Arc<str>), CancellationToken>) -> T,
    ) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Replay {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("events", format_args!("replay/{}", self.name))
    }
}

/// Why a replay stopped before its end.
enum Broken {
    Store(AppendError),
    Read(ReadError),
    Cancelled,
}

impl BusHandle {
    /// A replay.
    ///
    /// Errors: `NotFound`.
    pub async fn replay(&self, scope: &Scope, name: &str) -> Result<Replay, BusError> {
        let found = self.store.resources().get(scope, kind::REPLAY, name).await?;
        found.ok_or_else(|| RefusalKind::NotFound.because(format!("Replay {name} does not exist.")))
    }

    /// The replays of a scope, by name.
    ///
    /// Errors: the store's.
    pub async fn replays(&self, scope: &Scope) -> Result<Vec<Replay>, BusError> {
        let found = self.store.resources().list(scope, kind::REPLAY, &Page::ALL).await?;
        Ok(found.into_iter().map(|(_, replay)| replay).collect())
    }

    /// Starts a replay; it goes on in a task.
    ///
    /// Errors: `AlreadyExists`, `NotFound`, `Invalid`, `LimitExceeded`.
    pub async fn start_replay(&self, scope: &Scope, replay: Replay) -> Result<(), BusError> {
        let invalid = |why: &str| Err(RefusalKind::Invalid.because(why));
        if replay.from >= replay.to {
            let why = "Parameter EventEndTime is not valid. Reason: EventStartTime must be before \
                       EventEndTime.";
            return invalid(why);
        }
        let archive = in_arn(&replay.archive, "events")
            .filter(|(owner, _)| owner == scope)
            .and_then(|(_, resource)| resource.strip_prefix("archive/"));
        let Some(archive) = archive else {
            let why = "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.";
            return invalid(why);
        };
        let Some((owner, bus)) = bus_of_arn(&replay.bus) else {
            let why = "Parameter Destination.Arn is not valid. Reason: Must contain an event bus \
                       ARN.";
            return invalid(why);
        };
        self.bus(&owner, &bus).await?;
        let archive = self.archive(scope, archive).await?;
        if owner != *scope || bus != archive.bus {
            let why = "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is \
                       not permitted.";
            return invalid(why);
        }
        if self.replay_stops.with(|stops| stops.len()) >= CONCURRENT_MAX {
            let why = "The requested resource exceeds the maximum number allowed.";
            return Err(RefusalKind::LimitExceeded.because(why));
        }
        let changes = ResourceChanges::new().put_new(kind::REPLAY, &replay.name, &replay)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => {}
            Err(AppendError::Conflict { .. }) => {
                let why = format!("Replay {} already exists.", replay.name);
                return Err(RefusalKind::AlreadyExists.because(why));
            }
            Err(other) => return Err(other.into()),
        }
        self.send_in_task(scope.clone(), replay, archive);
        Ok(())
    }

    /// Asks a replay to stop.
    ///
    /// Errors: `NotFound`, `IllegalStatus` for one that has ended.
    pub async fn cancel_replay(&self, scope: &Scope, name: &str) -> Result<Replay, BusError> {
        let replay = self.replay(scope, name).await?;
        let stop = self
            .replay_stops
            .with(|stops| stops.get(&(scope.clone(), Arc::clone(&replay.name))).cloned());
        match (replay.state, stop) {
            (ReplayState::Starting | ReplayState::Running, Some(stop)) => {
                stop.cancel();
                Ok(Replay { state: ReplayState::Cancelling, ..replay })
            }
            _ => {
                let why = format!("Replay {name} is not in a valid state for this operation.");
                Err(RefusalKind::IllegalStatus.because(why))
            }
        }
    }

    /// Goes on with replays that an earlier life of the process did not end.
    ///
    /// Errors: as the store's reads.
    pub(super) async fn resume_replays(&self) -> Result<(), ReadError> {
        let all = self.store.resources().everywhere::<Replay>(kind::REPLAY).await?;
        for (scope, _, mut replay) in all {
            if !matches!(replay.state, ReplayState::Starting | ReplayState::Running) {
                continue;
            }
            let name = replay.archive.rsplit('/').next().unwrap_or_default().to_owned();
            let archive = self.store.resources().get(&scope, kind::ARCHIVE, &name).await?;
            let Some(archive) = archive else { continue };
            replay.from = replay.last.unwrap_or(replay.from);
            self.send_in_task(scope, replay, archive);
        }
        Ok(())
    }

    fn send_in_task(&self, scope: Scope, replay: Replay, archive: Archive) {
        let key = (scope.clone(), Arc::clone(&replay.name));
        let cancel = CancellationToken::new();
        self.replay_stops.with(|stops| stops.insert(key.clone(), cancel.clone()));
        let bus = self.clone();
        self.tasks.spawn(format!("replay {}", replay.name), |stop| async move {
            tokio::select! {
                () = bus.send(&scope, replay, archive, cancel) => {
                    bus.replay_stops.with(|stops| stops.remove(&key));
                }
                // A later life goes on from the last event that was noted.
                () = stop.cancelled() => {}
            }
        });
    }

    async fn send(
        &self,
        scope: &Scope,
        mut replay: Replay,
        archive: Archive,
        cancel: CancellationToken,
    ) {
        replay.state = ReplayState::Running;
        let ended = self.send_all(scope, &mut replay, &archive, &cancel).await;
        (replay.state, replay.reason) = match ended {
            Ok(()) => (ReplayState::Completed, None),
            Err(Broken::Cancelled) => (ReplayState::Cancelled, None),
            Err(Broken::Store(error)) => (ReplayState::Failed, Some(error.to_string())),
            Err(Broken::Read(error)) => (ReplayState::Failed, Some(error.to_string())),
        };
        replay.ended = Some(self.clock.now());
        let put = self.store.resources().put(scope, kind::REPLAY, &replay.name, &replay).await;
        if let Err(error) = put {
            tracing::error!(replay = %replay.name, %error, "end of a replay is not noted");
        }
    }

    async fn send_all(
        &self,
        scope: &Scope,
        replay: &mut Replay,
        archive: &Archive,
        cancel: &CancellationToken,
    ) -> Result<(), Broken> {
        let range = TimeRange::new(replay.from, replay.to.plus_millis(1));
        let mut next = None;
        loop {
            let held = self.held(scope, archive, range, next.as_ref()).await;
            let held = held.map_err(Broken::Read)?;
            if cancel.is_cancelled() {
                return Err(Broken::Cancelled);
            }
            self.send_page(scope, replay, archive, &held.events).await.map_err(Broken::Store)?;
            next = held.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// ORDER: what a page owes is stored together with how far the replay is, so a process that is
    /// killed sends at most the last page once more.
    async fn send_page(
        &self,
        scope: &Scope,
        replay: &mut Replay,
        archive: &Archive,
        events: &[Arc<Event>],
    ) -> Result<(), AppendError> {
        let table = self.book.table(&(scope.clone(), Arc::clone(&archive.bus)));
        let now = self.clock.now();
        let mut owed = Vec::new();
        for event in events {
            replay.last = Some(event.time);
            let Some(table) = &table else { continue };
            let mut envelope = event.envelope(scope);
            if let Value::Object(members) = &mut envelope {
                members.insert("replay-name".to_owned(), Value::from(&*replay.name));
            }
            let text: Arc<str> = envelope.to_string().into();
            for rule in table.matching(&envelope) {
                let arn = rule.arn(scope);
                let wanted = replay.rules.as_ref().is_none_or(|r| r.iter().any(|r| **r == *arn));
                if wanted {
                    owed.extend(deliveries(scope, rule, (&envelope, &text), now));
                }
            }
        }
        let following = self.router.following(scope, owed);
        let changes = following.changes.put(kind::REPLAY, &replay.name, replay)?;
        self.store.append_with(TelemetryBatch::new(scope.clone()), changes).await?;
        following.taken.into_iter().for_each(|taken| taken());
        Ok(())
    }
}

/// The ARN of the bus of an archive.
pub fn archive_source(scope: &Scope, archive: &Archive) -> String {
    bus_arn(scope, &archive.bus)
}

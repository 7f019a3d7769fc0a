use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::document::{Counted, QUERY, QueryDocument, QueryStatus, ROWS};
use crate::api::call::Call;
use crate::api::logs::log_record;
use crate::query::insights::{Context, Outcome, Query};
use crate::store::{LineMask, QueriedGroup, ResourceChanges};
use crate::telemetry::Scope;
use crate::time::TimeRange;

/// Source: CloudWatch Logs quotas: a query times out after 60 minutes.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// What is under way, by id, with what stops it: queries, and in further ones exports and tails.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct RunningQueries {
    running: Arc<Mutex<HashMap<String, (Scope, CancellationToken)>>>,
}

impl RunningQueries {
    /// Whether a query is under way.
    pub(in crate::api::logs) fn is_running(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// How many queries of an account are under way.
    pub(in crate::api::logs) fn count(&self, scope: &Scope) -> usize {
        self.lock().values().filter(|(of, _)| of == scope).count()
    }

    /// Notes a query; it is stopped with the token.
    pub(in crate::api::logs) fn add(&self, id: &str, scope: &Scope, stop: &CancellationToken) {
        self.lock().insert(id.to_owned(), (scope.clone(), stop.clone()));
    }

    /// Stops a query of an account; says whether it was under way.
    pub(in crate::api::logs) fn stop(&self, id: &str, scope: &Scope) -> bool {
        let running = self.lock();
        let found = running.get(id).filter(|(of, _)| of == scope);
        found.is_some_and(|(_, stop)| {
            stop.cancel();
            true
        })
    }

    /// Forgets one that has ended.
    pub(in crate::api::logs) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Scope, CancellationToken)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One query to run.
#[derive(Debug)]
pub(super) struct Job {
    /// Its id.
    pub(super) id: String,
    /// What is kept of it.
    pub(super) document: QueryDocument,
    /// What it asks.
    pub(super) query: Query,
    /// Over what.
    pub(super) context: Context,
}

/// Runs a query to its end and keeps what came of it.
pub(super) async fn run(call: Call, mut job: Job, stop: CancellationToken) {
    let clock = &call.state().clock;
    let started = clock.monotonic();
    let logs = call.state().store.logs();
    let groups = groups(&call, &job);
    let scan = logs.query(call.scope(), &groups, &job.query, job.context);
    let ended = tokio::select! {
        ended = tokio::time::timeout(TIME_MAX, scan) => ended,
        () = stop.cancelled() => {
            job.document.status = QueryStatus::Cancelled;
            Ok(Ok(Ok(Outcome::default())))
        }
    };
    let (status, outcome) = match ended {
        Err(_late) => (QueryStatus::Timeout, Outcome::default()),
        Ok(Err(fault)) => {
            tracing::warn!(query = %job.id, %fault, "query cannot read the store");
            (QueryStatus::Failed, Outcome::default())
        }
        Ok(Ok(Err(_fault))) => (QueryStatus::Failed, Outcome::default()),
        Ok(Ok(Ok(outcome))) if job.document.status == QueryStatus::Cancelled => {
            (QueryStatus::Cancelled, outcome)
        }
        Ok(Ok(Ok(outcome))) => (QueryStatus::Complete, outcome),
    };
    job.document.status = status;
    job.document.counted = Counted::from(&outcome);
    let elapsed = clock.monotonic().since(started);
    job.document.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let changes = ResourceChanges::new()
        .put(QUERY, &job.id, &job.document)
        .and_then(|changes| changes.put(ROWS, &job.id, &outcome.rows));
    let kept = match changes {
        Ok(changes) => call.state().store.resources().apply(call.scope(), changes).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = kept {
        tracing::warn!(query = %job.id, %fault, "query results not kept");
    }
    // ORDER: kept, then no longer running: who sees it end finds its results.
    call.queries().remove(&job.id);
}

/// The groups of a query, masked unless it says otherwise.
fn groups(call: &Call, job: &Job) -> Vec<QueriedGroup> {
    let group = |name: &Arc<str>| {
        let mask = call.state().monitor.logs().mask(call.scope(), name);
        let is_masked = !job.query.unmasks() && !mask.is_empty();
        QueriedGroup {
            name: Arc::clone(name),
            pointer_start: log_record::pointer_start(name),
            mask: is_masked.then(|| {
                LineMask::new(move |ingested, text: &str| mask.apply(ingested, text).into_owned())
            }),
        }
    };
    job.document.groups.iter().map(group).collect()
}

/// Both bounds of a query are inclusive, in seconds or, as some clients send them, milliseconds.
///
/// Source: StartQuery, `startTime` and `endTime`.
pub(super) fn range(start: i64, end: i64) -> TimeRange {
    /// Seconds until the year 5138; as milliseconds, the year 1973.
    const MILLIS_FROM: i64 = 100_000_000_000;
    let millis = |at: i64| if at.abs() >= MILLIS_FROM { at } else { at.saturating_mul(1000) };
    let last = if end.abs() >= MILLIS_FROM { end } else { millis(end).saturating_add(999) };
    let instant = crate::time::Timestamp::from_millis;
    TimeRange::new(instant(millis(start)), instant(last).plus_millis(1))
}

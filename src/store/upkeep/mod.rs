//! What the store does while nobody asks: flush, compact, roll up, expire, sweep.
//!
//! Main functions: [`start`], [`flush`], [`tidy`]. Jobs read and write objects beside the ingest;
//! only the last step of each, one catalog transaction, passes through the writer thread. A job
//! that is cut off at any point leaves what it found; its next round begins again.

mod compact;
mod expire;
mod flush;
mod sweep;

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::counters::add;
use super::error::{AppendError, UpkeepError};
use super::handle::Store;
use super::settings::Durability;
use super::writer::Command;
use crate::task::TaskGroup;

/// How often compaction, expiry and sweep look for work.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Starts the upkeep of a store.
pub(super) fn start(store: &Store, tasks: &TaskGroup) {
    let store = store.clone();
    tasks.spawn("store upkeep", |stop| async move {
        let shared = &store.shared;
        let mut look = tokio::time::interval(shared.settings.flush.look_every);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_tidy = shared.clock.monotonic();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = shared.closing.cancelled() => break,
                _ = look.tick() => {}
            }
            shared.look_at_disk();
            if shared.settings.durability == Durability::Os
                && store.tell(Command::Sync).await.is_err()
            {
                break;
            }
            if is_flush_due(&store) {
                report("flush", &store, flush(&store).await);
            }
            let now = shared.clock.monotonic();
            if now.since(last_tidy) >= TIDY_EVERY {
                last_tidy = now;
                report("tidy", &store, tidy(&store).await);
            }
        }
    });
}

fn report(job: &str, store: &Store, outcome: Result<(), UpkeepError>) {
    if let Err(error) = outcome {
        add(&store.shared.counting.upkeep_failures, 1);
        tracing::warn!(job, error = &error as &dyn std::error::Error, "upkeep failed");
    }
}

fn is_flush_due(store: &Store) -> bool {
    let policy = &store.shared.settings.flush;
    let view = store.shared.view();
    if view.frozen.is_some() {
        return true;
    }
    let recent = &view.active;
    let now = store.shared.clock.now();
    let is_old = |first| now.minus(policy.age_max) >= first;
    recent.bytes() >= policy.bytes_max
        || recent.samples() >= policy.samples_max
        || recent.first_at().is_some_and(is_old)
}

/// Moves all recent data to segments.
pub(super) async fn flush(store: &Store) -> Result<(), UpkeepError> {
    let _alone = permit(store).await?;
    flush::run(store).await
}

/// Expires, rolls up, compacts and sweeps what is due.
pub(super) async fn tidy(store: &Store) -> Result<(), UpkeepError> {
    let _alone = permit(store).await?;
    expire::run(store).await?;
    compact::run(store).await?;
    sweep::run(store).await
}

async fn permit(store: &Store) -> Result<tokio::sync::SemaphorePermit<'_>, UpkeepError> {
    let permit = store.shared.upkeep.acquire().await;
    let stopped = || UpkeepError::Commit(AppendError::Stopped);
    if store.shared.closing.is_cancelled() {
        return Err(stopped());
    }
    permit.map_err(|_closed| stopped())
}

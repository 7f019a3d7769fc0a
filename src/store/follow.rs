use std::fmt;
use std::sync::{Arc, OnceLock};

use super::resource::ResourceChanges;
use crate::telemetry::TelemetryBatch;
use crate::time::Timestamp;

/// What must be taken together with a batch that has events, or not at all.
#[derive(Default)]
pub struct Following {
    /// Resources of the batch's scope.
    pub changes: ResourceChanges,
    /// Called once both are visible; it must not block.
    pub taken: Option<Taken>,
}

/// Told that an append is visible.
pub(super) type Taken = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following").field("changes", &self.changes).finish_non_exhaustive()
    }
}

type Follow = dyn Fn(&TelemetryBatch, Timestamp) -> Following + Send + Sync;

/// Looks at every batch that has events, whoever appends it, before it is written.
#[derive(Clone, Default)]
pub(super) struct Follower(OnceLock<Arc<Follow>>);

impl Follower {
    /// Sets the one function that looks; a second one is not taken.
    pub(super) fn set(
        &self,
        follow: impl Fn(&TelemetryBatch, Timestamp) -> Following + Send + Sync + 'static,
    ) {
        let taken = self.0.set(Arc::new(follow));
        debug_assert!(taken.is_ok(), "the store is followed by one bus");
    }

    /// What follows from a batch.
    pub(super) fn follow(&self, batch: &TelemetryBatch, at: Timestamp) -> Following {
        match self.0.get() {
            Some(follow) if !batch.events.is_empty() => follow(batch, at),
            _ => Following::default(),
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Follower").field(&self.0.get().is_some()).finish()
    }
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::notify::FailedRun;
use crate::time::Timestamp;

/// What notifications tell of a canary's last runs.
#[derive(Clone, Debug, Default)]
pub(super) struct RunMemory(Arc<Mutex<HashMap<Arc<str>, LastRuns>>>);

/// The last bad and the last good run of one canary.
#[derive(Clone, Debug, Default)]
pub(super) struct LastRuns {
    pub(super) failed: Option<FailedRun>,
    pub(super) good: Option<Timestamp>,
}

impl RunMemory {
    pub(super) fn of(&self, canary: &str) -> LastRuns {
        self.lock().get(canary).cloned().unwrap_or_default()
    }

    pub(super) fn note_good(&self, canary: &Arc<str>, started: Timestamp) {
        self.lock().entry(Arc::clone(canary)).or_default().good = Some(started);
    }

    pub(super) fn note_failed(&self, canary: &Arc<str>, run: FailedRun) {
        self.lock().entry(Arc::clone(canary)).or_default().failed = Some(run);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, LastRuns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::telemetry::{LogBatch, LogEvent, Scope};
use crate::time::Timestamp;

/// So many appends wait for a slow tail; then it misses the oldest and is told.
const WAITING_MAX: usize = 256;

/// Lines of one stream that were just taken.
#[derive(Clone, Debug)]
pub struct TailedLines {
    /// Whose they are.
    pub scope: Scope,
    /// Their group.
    pub group: Arc<str>,
    /// Their stream.
    pub stream: Arc<str>,
    /// When they were taken.
    pub ingested: Timestamp,
    /// The lines.
    pub events: Arc<[LogEvent]>,
}

/// Where lines are seen as they are taken. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tail {
    lines: broadcast::Sender<TailedLines>,
}

impl Default for Tail {
    fn default() -> Self {
        Self { lines: broadcast::channel(WAITING_MAX).0 }
    }
}

impl Tail {
    /// Sees every line that is taken from now on.
    pub fn watch(&self) -> broadcast::Receiver<TailedLines> {
        self.lines.subscribe()
    }

    /// Copies lines for who watches; nothing when nobody does.
    pub(super) fn copy(&self, lines: &[LogBatch]) -> Vec<LogBatch> {
        let is_watched = self.lines.receiver_count() > 0;
        if is_watched { lines.to_vec() } else { Vec::new() }
    }

    /// Shows lines, once they are durable.
    pub(super) fn show(&self, scope: &Scope, lines: Vec<LogBatch>, ingested: Timestamp) {
        for LogBatch { group, stream, events } in lines {
            let (scope, events) = (scope.clone(), events.into());
            let shown = TailedLines { scope, group, stream, ingested, events };
            // Nobody may watch any more by now.
            drop(self.lines.send(shown));
        }
    }
}

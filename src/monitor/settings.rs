use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::notify::RetryPolicy;
use crate::telemetry::{Scope, TelemetryBatch};

/// What an operator may change about the monitor.
#[derive(Clone, Debug)]
pub struct MonitorSettings {
    /// Whose canaries they are.
    pub scope: Scope,
    /// The folder of canary files; without one the monitor only watches alarms.
    pub canaries: Option<PathBuf>,
    /// How many runs run side by side.
    pub run_slots: usize,
    /// A missed slot is caught up with if it is not older than this.
    pub catch_up_within: Duration,
    /// How often the folder is looked at.
    pub look_every: Duration,
    /// How long runs are kept in the list of runs.
    pub runs_kept_for: Duration,
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// What links in notifications begin with: `http://127.0.0.1:4586`.
    pub link_base: Option<Arc<str>>,
    /// How long runs may go on once the monitor stops.
    pub grace: Duration,
    /// Told of what each run left, once it is kept.
    pub follower: Option<RunFollower>,
}

/// Is told of what runs left; it must not block.
#[derive(Clone)]
pub struct RunFollower(pub Arc<dyn Fn(&TelemetryBatch) + Send + Sync>);

impl fmt::Debug for RunFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunFollower")
    }
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            canaries: None,
            run_slots: 8,
            catch_up_within: Duration::from_secs(3_600),
            look_every: Duration::from_secs(1),
            runs_kept_for: Duration::from_secs(31 * 86_400),
            retry: RetryPolicy::default(),
            link_base: None,
            grace: Duration::from_secs(10),
            follower: None,
        }
    }
}

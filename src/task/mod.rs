//! Named tasks with one owner, cancellation, ordered shutdown and surfaced panics.
//!
//! Main type: [`TaskGroup`]. Every task of the program is started by one; nothing is detached. What
//! a task does and in which order groups stop is the caller's business.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Owns a set of named tasks.
///
/// Cloning gives another handle to the same group. A child group is cancelled with its parent, and
/// its tasks are counted in its own shutdown only.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    tracker: TaskTracker,
    running: Mutex<BTreeMap<u64, String>>,
    next: std::sync::atomic::AtomicU64,
    panicked: watch::Sender<Option<TaskPanic>>,
}

/// A task that panicked, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPanic {
    /// The task's name.
    pub task: String,
    /// The panic's message.
    pub message: String,
}

/// How a shutdown went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Every task ended.
    Complete,
    /// These tasks were still running when the grace ended.
    StillRunning(Vec<String>),
}

impl Default for TaskGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskGroup {
    /// An empty group.
    pub fn new() -> Self {
        Self::with_stop(CancellationToken::new(), watch::channel(None).0)
    }

    /// A group that is cancelled with this one and surfaces its panics through it.
    pub fn child(&self) -> Self {
        Self::with_stop(self.stop.child_token(), self.shared.panicked.clone())
    }

    fn with_stop(stop: CancellationToken, panicked: watch::Sender<Option<TaskPanic>>) -> Self {
        let shared = Shared {
            tracker: TaskTracker::new(),
            running: Mutex::default(),
            next: std::sync::atomic::AtomicU64::new(0),
            panicked,
        };
        Self { shared: Arc::new(shared), stop }
    }

    /// Starts a task. It is handed the token that tells it to stop.
    ///
    /// A panic inside is caught and surfaced by [`TaskGroup::panicked`]; the owner decides to stop.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns tasks")]
    pub fn spawn<F, T>(&self, name: impl Into<String>, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let id = self.shared.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.running().insert(id, name.clone());
        let entry = RunningEntry { shared: Arc::clone(&self.shared), id };
        let future = task(self.stop.clone());
        let guarded = async move {
            // The entry lives as long as the task, so a dropped task leaves the list too.
            let entry = entry;
            if let Err(payload) = AssertUnwindSafe(future).catch_unwind().await {
                let message = panic_message(payload.as_ref());
                tracing::error!(task = %name, %message, "task panicked");
                entry.shared.panicked.send_replace(Some(TaskPanic { task: name, message }));
            }
        };
        drop(tokio::spawn(self.shared.tracker.track_future(guarded)));
    }

    /// The token that every task of the group is handed.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks every task to stop, without waiting.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Names of the tasks that are running now.
    pub fn names(&self) -> Vec<String> {
        self.running().values().cloned().collect()
    }

    /// Waits until a task of this group, its parents or its children has panicked.
    ///
    /// Cancel safety: yes.
    pub async fn panicked(&self) -> TaskPanic {
        let mut seen = self.shared.panicked.subscribe();
        loop {
            if let Some(panic) = seen.borrow_and_update().clone() {
                return panic;
            }
            if seen.changed().await.is_err() {
                // The sender lives in `shared`, which `self` holds.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Asks every task to stop and waits for them, at most `grace`.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        self.stop.cancel();
        self.shared.tracker.close();
        match tokio::time::timeout(grace, self.shared.tracker.wait()).await {
            Ok(()) => Shutdown::Complete,
            Err(_late) => Shutdown::StillRunning(self.names()),
        }
    }

    /// Waits until every task has ended by itself.
    pub async fn join(&self) {
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, String>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct RunningEntry {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for RunningEntry {
    fn drop(&mut self) {
        let mut running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.id);
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_tasks_that_obey() {
        let group = TaskGroup::new();
        group.spawn("obedient", |stop| async move { stop.cancelled().await });
        assert_eq!(group.names(), ["obedient"]);
        assert_eq!(group.shutdown(Duration::from_secs(1)).await, Shutdown::Complete);
        assert!(group.names().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_names_tasks_that_do_not_obey() {
        let group = TaskGroup::new();
        group.spawn("deaf", |_stop| std::future::pending());
        let shutdown = group.shutdown(Duration::from_secs(1)).await;
        assert_eq!(shutdown, Shutdown::StillRunning(vec!["deaf".to_owned()]));
    }

    #[tokio::test]
    async fn a_panic_in_a_child_surfaces_at_its_parent() {
        let parent = TaskGroup::new();
        parent.child().spawn("clumsy", |_stop| async { panic!("dropped the tray") });
        let panic = parent.panicked().await;
        assert_eq!(panic.task, "clumsy");
        assert_eq!(panic.message, "dropped the tray");
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_a_parent_cancels_its_children() {
        let parent = TaskGroup::new();
        let child = parent.child();
        child.spawn("task", |stop| async move { stop.cancelled().await });
        parent.cancel();
        child.join().await;
    }
}

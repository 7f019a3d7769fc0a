use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::bundle::{Bundle, BundleFault};
use super::document::{CanaryConfig, DryRunRow, HostedCanaryRow, HostedState};
use crate::canary::definition::Canary;
use crate::monitor::kind;
use crate::monitor::record::Recorder;
use crate::runner::Runner;
use crate::store::{AppendError, BucketError, ReadError, ResourceChanges, Store};
use crate::task::TaskGroup;
use crate::telemetry::Scope;
use crate::time::{Clock, Timestamp};

/// The bucket of what canaries are made of.
const CODE_BUCKET: &str = "canary-code";

/// The canaries that clients made: kept, started, stopped, run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HostedCanaries {
    pub(super) parts: Arc<HostedParts>,
    running: Arc<Mutex<HashMap<(Scope, String), CancellationToken>>>,
    /// Held while a canary changes, so that calls and ends of runs do not undo one another.
    changing: Arc<tokio::sync::Mutex<()>>,
    /// Free places for runs.
    pub(super) places: Arc<Semaphore>,
}

/// What they work with.
#[derive(Debug)]
pub(in crate::monitor) struct HostedParts {
    pub(in crate::monitor) store: Store,
    pub(in crate::monitor) runner: Runner,
    pub(in crate::monitor) recorder: Recorder,
    pub(in crate::monitor) clock: Arc<dyn Clock>,
    pub(in crate::monitor) tasks: TaskGroup,
}

/// Why a call on a canary was not carried out.
#[derive(Debug, Error)]
pub enum HostedFault {
    /// There is one of that name.
    #[error("a canary of this name exists")]
    Exists,
    /// There is none.
    #[error("there is no such canary")]
    Missing,
    /// Its state does not permit it.
    #[error("the canary is in state {}", .0.as_str())]
    State(HostedState),
    /// A dry run is under way, or the one named cannot be taken over.
    #[error("{0}")]
    DryRun(&'static str),
    /// Its code cannot be run here.
    #[error(transparent)]
    Code(#[from] BundleFault),
    /// Its code cannot be kept or read.
    #[error("the code cannot be kept")]
    Bucket(#[from] BucketError),
    /// The store did not take it.
    #[error("the change was not stored")]
    Store(#[from] AppendError),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
}

/// A dry run to be made.
#[derive(Debug)]
pub struct DryRunOrder {
    /// Its id.
    pub id: String,
    /// What is tried.
    pub config: CanaryConfig,
}

impl HostedCanaries {
    /// Goes on with what an earlier life of the process had started.
    ///
    /// Errors: as the store's reads.
    pub(in crate::monitor) async fn start(
        parts: HostedParts,
        run_slots: usize,
    ) -> Result<Self, ReadError> {
        let own = Self {
            parts: Arc::new(parts),
            running: Arc::default(),
            changing: Arc::default(),
            places: Arc::new(Semaphore::new(run_slots.max(1))),
        };
        own.resume().await?;
        Ok(own)
    }

    /// Knows what is kept and runs none of it.
    pub(in crate::monitor) fn at_rest(parts: HostedParts) -> Self {
        Self {
            parts: Arc::new(parts),
            running: Arc::default(),
            changing: Arc::default(),
            places: Arc::new(Semaphore::new(0)),
        }
    }

    async fn resume(&self) -> Result<(), ReadError> {
        let resources = self.parts.store.resources();
        let rows = resources.everywhere::<HostedCanaryRow>(kind::HOSTED_CANARY).await?;
        for (scope, name, row) in rows {
            if row.state == HostedState::Running {
                match self.canary(&name, &row.config).await {
                    Ok(canary) => self.schedule(&scope, &name, canary, &row),
                    Err(error) => tracing::error!(canary = %name, %error, "canary not resumed"),
                }
            }
        }
        Ok(())
    }

    /// Keeps code; gives the key to read it by.
    ///
    /// Errors: `Code` for bytes that are no zip file.
    pub async fn keep_code(&self, scope: &Scope, bytes: Vec<u8>) -> Result<String, HostedFault> {
        Bundle::unzip(&bytes)?;
        let key = format!("{scope}/{}.zip", uuid::Uuid::new_v4());
        self.parts.store.buckets().put(CODE_BUCKET, &key, bytes.into()).await?;
        Ok(key)
    }

    /// The canary of a name.
    pub async fn get(&self, scope: &Scope, name: &str) -> Result<HostedCanaryRow, HostedFault> {
        let resources = self.parts.store.resources();
        resources.get(scope, kind::HOSTED_CANARY, name).await?.ok_or(HostedFault::Missing)
    }

    /// Makes a canary; it does not run before it is started.
    pub async fn create(
        &self,
        scope: &Scope,
        name: &str,
        row: &HostedCanaryRow,
    ) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let changes = ResourceChanges::new().put_new(kind::HOSTED_CANARY, name, row)?;
        match self.parts.store.resources().apply(scope, changes).await {
            Err(AppendError::Conflict { .. }) => Err(HostedFault::Exists),
            other => other.map(drop).map_err(HostedFault::from),
        }
    }

    /// Changes a canary; one that runs starts anew with what it is now.
    pub async fn update(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut HostedCanaryRow) -> Result<(), HostedFault>,
    ) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let mut row = self.get(scope, name).await?;
        change(&mut row)?;
        row.modified = self.parts.clock.now();
        let canary = match row.state {
            HostedState::Running => Some(self.canary(name, &row.config).await?),
            _ => None,
        };
        self.put(scope, name, &row).await?;
        if let Some(canary) = canary {
            self.schedule(scope, name, canary, &row);
        }
        Ok(())
    }

    /// Starts a canary.
    ///
    /// Errors: `State` when it runs already, `Code` when its code cannot be run here.
    pub async fn start_canary(&self, scope: &Scope, name: &str) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let mut row = self.get(scope, name).await?;
        if row.state == HostedState::Running {
            return Err(HostedFault::State(row.state));
        }
        let canary = self.canary(name, &row.config).await?;
        row.state = HostedState::Running;
        row.started = Some(self.parts.clock.now());
        self.put(scope, name, &row).await?;
        self.schedule(scope, name, canary, &row);
        Ok(())
    }

    /// Stops a canary; the run under way ends by itself.
    ///
    /// Errors: `State` when it does not run.
    pub async fn stop(&self, scope: &Scope, name: &str) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let row = self.get(scope, name).await?;
        if row.state != HostedState::Running {
            return Err(HostedFault::State(row.state));
        }
        self.stopped(scope, name, row).await
    }

    /// Stops one that has nothing more to do, unless it was started anew meanwhile.
    pub(super) async fn ended(&self, scope: &Scope, name: &str, started: Option<Timestamp>) {
        let _one_at_a_time = self.changing.lock().await;
        let Ok(row) = self.get(scope, name).await else { return };
        if row.state == HostedState::Running
            && row.started == started
            && let Err(error) = self.stopped(scope, name, row).await
        {
            tracing::warn!(canary = %name, %error, "end of a canary not noted");
        }
    }

    async fn stopped(
        &self,
        scope: &Scope,
        name: &str,
        mut row: HostedCanaryRow,
    ) -> Result<(), HostedFault> {
        row.state = HostedState::Stopped;
        row.stopped = Some(self.parts.clock.now());
        self.put(scope, name, &row).await?;
        self.unschedule(scope, name);
        Ok(())
    }

    /// Deletes a canary; what its runs left stays.
    ///
    /// Errors: `State` while it runs.
    pub async fn delete(&self, scope: &Scope, name: &str) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let row = self.get(scope, name).await?;
        if row.state == HostedState::Running {
            return Err(HostedFault::State(row.state));
        }
        let gone = ResourceChanges::new()
            .delete(kind::HOSTED_CANARY, name)
            .delete_rows(kind::CANARY_RUN, name)
            .delete_rows(kind::CANARY_DRY_RUN, name);
        self.parts.store.resources().apply(scope, gone).await?;
        Ok(())
    }

    /// Runs a canary once as it might become.
    ///
    /// Errors: `DryRun` while another is under way, `Code` when its code cannot be run here.
    pub async fn dry_run(
        &self,
        scope: &Scope,
        name: &str,
        order: DryRunOrder,
    ) -> Result<(), HostedFault> {
        let _one_at_a_time = self.changing.lock().await;
        let mut row = self.get(scope, name).await?;
        if row.dry_run.as_ref().is_some_and(|run| &*run.status == "RUNNING") {
            return Err(HostedFault::DryRun("a dry run of the canary is under way"));
        }
        let canary = self.canary(name, &order.config).await?;
        row.dry_run = Some(DryRunRow {
            id: order.id.clone(),
            config: order.config,
            status: "RUNNING".into(),
            of: row.modified,
        });
        self.put(scope, name, &row).await?;
        self.run_dry((scope, name), order.id, canary);
        Ok(())
    }

    /// Notes how a dry run ended.
    pub(super) async fn dry_run_ended(&self, scope: &Scope, name: &str, id: &str, passed: bool) {
        let _one_at_a_time = self.changing.lock().await;
        let Ok(mut row) = self.get(scope, name).await else { return };
        let Some(run) = row.dry_run.as_mut().filter(|run| run.id == id) else { return };
        run.status = if passed { "PASSED" } else { "FAILED" }.into();
        if let Err(error) = self.put(scope, name, &row).await {
            tracing::warn!(canary = %name, %error, "end of a dry run not noted");
        }
    }

    /// The canary in a configuration's code, with what the configuration says of it.
    async fn canary(&self, name: &str, config: &CanaryConfig) -> Result<Canary, HostedFault> {
        let code = self.parts.store.buckets().get(CODE_BUCKET, &config.code_key).await?;
        let bundle = Bundle::unzip(&code.unwrap_or_default())?;
        let mut canary =
            bundle.canary(config.handler.as_deref(), &self.parts.runner.script_place())?;
        canary.name = name.into();
        super::running::configure(&mut canary, config);
        Ok(canary)
    }

    async fn put(
        &self,
        scope: &Scope,
        name: &str,
        row: &HostedCanaryRow,
    ) -> Result<(), HostedFault> {
        self.parts.store.resources().put(scope, kind::HOSTED_CANARY, name, row).await?;
        Ok(())
    }

    /// Replaces what is scheduled of a canary.
    fn schedule(&self, scope: &Scope, name: &str, canary: Canary, row: &HostedCanaryRow) {
        let stop = CancellationToken::new();
        let before = self.lock().insert((scope.clone(), name.to_owned()), stop.clone());
        if let Some(before) = before {
            before.cancel();
        }
        self.run_scheduled((scope, name), Arc::new(canary), (row, stop));
    }

    fn unschedule(&self, scope: &Scope, name: &str) {
        if let Some(stop) = self.lock().remove(&(scope.clone(), name.to_owned())) {
            stop.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Scope, String), CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

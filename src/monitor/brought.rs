use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::alarms::AlarmHandle;
use super::kind;
use super::record::metric_ids;
use super::run_row::{ArtifactRow, CanaryRunRow};
use crate::canary::definition::Canary;
use crate::canary::report::{ArtifactKind, RunReport};
use crate::canary::telemetry;
use crate::store::{AppendError, ResourceChanges, Store};
use crate::telemetry::{BatchId, Scope, TelemetryBatch};

/// A run that was made elsewhere, in the form in which it is brought here: telemetry, its row, and
/// the files it left.
///
/// Its batch id makes a run that is brought twice count once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BroughtRun {
    batch: TelemetryBatch,
    row: CanaryRunRow,
    files: Vec<BroughtFile>,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct BroughtFile {
    kind: ArtifactKind,
    name: String,
    media_type: String,
    /// Base64.
    body: String,
}

/// Why a run that was brought is not kept.
#[derive(Debug, Error)]
pub enum BringError {
    /// It does not say which run it is, so it could count twice.
    #[error("the run has no batch id")]
    NoId,
    /// A file's text is no base64.
    #[error("the content of {name} is not base64")]
    File {
        /// The file.
        name: String,
    },
    /// The store did not take it.
    #[error("the run was not stored")]
    Store(#[from] AppendError),
}

/// BOUND: files beyond are left out, largest last to be dropped; telemetry always goes.
const FILES_BYTES_MAX: usize = 8 * 1024 * 1024;

impl BroughtRun {
    /// What a finished run leaves, and how many of its files were too long to take along.
    pub fn of(report: &RunReport, canary: &Canary) -> (Self, usize) {
        let mut left = FILES_BYTES_MAX;
        let mut files = Vec::new();
        for artifact in &report.artifacts {
            let Some(rest) = left.checked_sub(artifact.bytes.len()) else { continue };
            left = rest;
            files.push(BroughtFile {
                kind: artifact.kind,
                name: artifact.name.clone(),
                media_type: artifact.media_type.to_owned(),
                body: STANDARD.encode(&artifact.bytes),
            });
        }
        let left_out = report.artifacts.len() - files.len();
        let batch = telemetry::batch(report, canary, Scope::default());
        (Self { batch, row: CanaryRunRow::of(report, Vec::new()), files }, left_out)
    }

    /// Keeps the run in `scope`, and has the alarms on its metrics look.
    ///
    /// Errors: `Store`; the caller brings it again and it counts once.
    pub(super) async fn keep(
        mut self,
        store: &Store,
        alarms: &AlarmHandle,
        scope: &Scope,
    ) -> Result<(), BringError> {
        self.batch.scope = scope.clone();
        let id: BatchId = self.batch.id.ok_or(BringError::NoId)?;
        // Another account's run of the same id is another run.
        let own = xxhash_rust::xxh3::xxh3_128_with_seed(&id.0, seed_of(scope));
        self.batch.id = Some(BatchId(own.to_be_bytes()));
        for file in &self.files {
            let bytes = STANDARD.decode(&file.body);
            let bytes = bytes.map_err(|_fault| BringError::File { name: file.name.clone() })?;
            let length = bytes.len() as u64;
            match store.artifacts().put(Bytes::from(bytes)).await {
                Ok(id) => self.row.artifacts.push(ArtifactRow {
                    id,
                    kind: file.kind,
                    name: file.name.clone(),
                    media_type: file.media_type.clone(),
                    bytes: length,
                }),
                Err(error) => tracing::warn!(name = file.name, %error, "artifact not kept"),
            }
        }
        let metrics = metric_ids(&self.batch);
        let canary = &self.row.canary;
        let sort = self.row.sort_key();
        let changes = ResourceChanges::new().put_row(kind::CANARY_RUN, canary, sort, &self.row)?;
        store.append_with(self.batch, changes).await?;
        alarms.recorded(scope, metrics).await;
        Ok(())
    }
}

fn seed_of(scope: &Scope) -> u64 {
    xxhash_rust::xxh3::xxh3_64(scope.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::monitor::MonitorHandle;
    use crate::store::{RowPage, StoreSettings};
    use crate::task::TaskGroup;
    use crate::telemetry::{Dimensions, MetricBatch, MetricDatum, MetricId, StandardUnit};
    use crate::time::{Clock, ManualClock, Period, TimeRange, Timestamp};

    fn run(at: Timestamp) -> BroughtRun {
        let canary: Arc<str> = "shop".into();
        let mut batch = TelemetryBatch::new(Scope::default());
        batch.id = Some(BatchId([7; 16]));
        let sample = (100.0, StandardUnit::Percent);
        let data =
            vec![MetricDatum::sample("SuccessPercent", Dimensions::of([("A", "b")]), at, sample)];
        batch.metrics.push(MetricBatch { namespace: "N".into(), data });
        let file = BroughtFile {
            kind: ArtifactKind::Screenshot,
            name: "a.png".into(),
            media_type: "image/png".into(),
            body: STANDARD.encode("pixels"),
        };
        let row = CanaryRunRow::skipped(&canary, at, "because");
        BroughtRun { batch, row, files: vec![file] }
    }

    #[tokio::test]
    async fn a_run_that_is_brought_twice_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = Timestamp::from_secs(1_795_000_020);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::frozen(at));
        let tasks = TaskGroup::new();
        let store = Store::open(StoreSettings::new(folder.path()), Arc::clone(&clock), &tasks)
            .await
            .unwrap();
        let scope = Scope::default();
        let monitor = MonitorHandle::at_rest(&store, scope.clone(), &clock).await.unwrap();
        for _ in 0..2 {
            let text = serde_json::to_string(&run(at)).unwrap();
            let again: BroughtRun = serde_json::from_str(&text).unwrap();
            monitor.bring(&store, &scope, again).await.unwrap();
        }
        let metric = MetricId {
            namespace: "N".into(),
            metric_name: "SuccessPercent".into(),
            dimensions: Dimensions::of([("A", "b")]),
        };
        let range = TimeRange::new(at, at.plus_millis(60_000));
        let read = store.metrics().read(&scope, &metric, range, (Period::MINUTE, None)).await;
        assert_eq!(read.unwrap()[0].summary.sample_count, 1.0);
        let (rows, newest) = (store.resources(), RowPage::newest(9));
        let rows = rows.rows::<CanaryRunRow>(&scope, kind::CANARY_RUN, "shop", &newest).await;
        let rows = rows.unwrap();
        assert_eq!(rows.len(), 1);
        let file = store.artifacts().get(rows[0].1.artifacts[0].id).await.unwrap();
        assert_eq!(file.as_deref(), Some(&b"pixels"[..]));
        tasks.shutdown(std::time::Duration::from_secs(1)).await;
    }
}

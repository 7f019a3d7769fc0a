use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use thiserror::Error;

use super::logs::{self, Target};
use super::metrics::{LastPoints, Mapped, Mapping};
use super::rejected::Rejected;
use super::remote_write::{self, Written};
use super::traces;
use crate::monitor::LogRules;
use crate::store::{AppendError, Store};
use crate::telemetry::{BatchId, MetricBatch, Scope, Spellings, TelemetryBatch, TraceSegment};
use crate::time::{Clock, Timestamp};

/// Maps what senders send and makes it durable. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    rules: LogRules,
    clock: Arc<dyn Clock>,
    listening_since: Timestamp,
    last: LastPoints,
    /// Series of Prometheus by their labels.
    spellings: Spellings,
}

/// Why nothing of a request was taken, or not all of it.
#[derive(Debug, Error)]
pub(super) enum ReceiveError {
    /// The store refused it.
    #[error("{0}")]
    Append(#[from] AppendError),
    /// It is not what it says.
    #[error("{0}")]
    Malformed(&'static str),
    /// The process is ending.
    #[error("the server is stopping")]
    Stopping,
}

/// A request once it is read, or why it is none.
type Sent<T> = Result<T, &'static str>;

/// Documents of one append, so that it stays well under what an append may be.
const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Receiver {
    /// Begins to listen.
    pub(super) fn new(store: Store, rules: LogRules, clock: Arc<dyn Clock>) -> Self {
        let listening_since = clock.now();
        let (last, spellings) = (LastPoints::default(), Spellings::default());
        let shared = Shared { store, rules, clock, listening_since, last, spellings };
        Self { shared: Arc::new(shared) }
    }

    /// Spans. A retry replaces each document by itself, so that it needs no id.
    pub(super) async fn traces(
        &self,
        scope: Scope,
        request: impl FnOnce() -> Sent<ExportTraceServiceRequest> + Send + 'static,
    ) -> Result<Rejected, ReceiveError> {
        let (segments, rejected) = self.work(move |_| Ok(traces::segments(&request()?))).await?;
        let mut batch = TelemetryBatch::new(scope);
        let mut bytes = 0;
        for segment in segments {
            bytes += segment.document.len();
            batch.traces.push(segment);
            if bytes >= APPEND_BYTES_MAX {
                self.append_traces(&mut batch.traces, &batch.scope).await?;
                bytes = 0;
            }
        }
        self.append_traces(&mut batch.traces, &batch.scope).await?;
        Ok(rejected)
    }

    async fn append_traces(
        &self,
        segments: &mut Vec<TraceSegment>,
        scope: &Scope,
    ) -> Result<(), ReceiveError> {
        if segments.is_empty() {
            return Ok(());
        }
        let traces = std::mem::take(segments);
        let batch = TelemetryBatch { traces, ..TelemetryBatch::new(scope.clone()) };
        self.shared.store.append(batch).await?;
        Ok(())
    }

    /// Data points.
    pub(super) async fn metrics(
        &self,
        scope: Scope,
        id: BatchId,
        request: impl FnOnce() -> Sent<ExportMetricsServiceRequest> + Send + 'static,
    ) -> Result<Rejected, ReceiveError> {
        let whose = scope.clone();
        let mapped = self
            .work(move |shared| {
                let request = request()?;
                let (now, last) = (shared.clock.now(), &shared.last);
                let listening_since = shared.listening_since;
                Ok(Mapping { scope: &whose, now, listening_since, last }.map(&request))
            })
            .await?;
        self.append_metrics(scope, id, mapped.batches).await?;
        // ORDER: what is counted from is moved on only once the counts are durable, so that a
        // request that is refused and sent again counts the same.
        self.shared.last.keep(mapped.pending);
        Ok(mapped.rejected)
    }

    async fn append_metrics(
        &self,
        scope: Scope,
        id: BatchId,
        metrics: Vec<MetricBatch>,
    ) -> Result<(), ReceiveError> {
        if metrics.is_empty() {
            return Ok(());
        }
        let batch = TelemetryBatch { id: Some(id), metrics, ..TelemetryBatch::new(scope) };
        self.shared.store.append(batch).await?;
        Ok(())
    }

    /// Log records, with the metrics and deliveries that follow from them as from any log event.
    pub(super) async fn logs(
        &self,
        (scope, target): (Scope, Target),
        id: BatchId,
        request: impl FnOnce() -> Sent<ExportLogsServiceRequest> + Send + 'static,
    ) -> Result<Rejected, ReceiveError> {
        let (logs, rejected) = self
            .work(move |shared| Ok(logs::events(&request()?, &target, shared.clock.now())))
            .await?;
        if !logs.is_empty() {
            let mut batch = TelemetryBatch { id: Some(id), logs, ..TelemetryBatch::new(scope) };
            let absorbed = self.shared.rules.absorb(&mut batch)?;
            self.shared.store.append_with(batch, absorbed.changes.clone()).await?;
            self.shared.rules.appended(absorbed);
        }
        Ok(rejected)
    }

    /// Samples of Prometheus.
    pub(super) async fn samples(
        &self,
        scope: Scope,
        id: BatchId,
        request: impl FnOnce(&Spellings) -> Sent<Written> + Send + 'static,
    ) -> Result<Written, ReceiveError> {
        let whose = scope.clone();
        let work = move |shared: &Shared| {
            let mut written = request(&shared.spellings)?;
            let mut mapped = Mapped::default();
            if !written.histograms.is_empty() {
                let (now, last) = (shared.clock.now(), &shared.last);
                let listening_since = shared.listening_since;
                let mapping = Mapping { scope: &whose, now, listening_since, last };
                written.data.extend(mapping.native(&written.histograms, &mut mapped));
                written.fault = written.fault.or(mapped.rejected.why);
            }
            Ok((written, mapped.pending))
        };
        let (mut written, pending) = self.work(work).await?;
        let data = std::mem::take(&mut written.data);
        let batch = MetricBatch { namespace: remote_write::NAMESPACE.into(), data };
        let batches = if batch.data.is_empty() { Vec::new() } else { vec![batch] };
        self.append_metrics(scope, id, batches).await?;
        // ORDER: as for data points of OpenTelemetry.
        self.shared.last.keep(pending);
        Ok(written)
    }

    /// Reading and mapping take longer than a thread that answers others may be held.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, &'static str> + Send + 'static,
    ) -> Result<T, ReceiveError> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.map_err(|_gone| ReceiveError::Stopping)?.map_err(ReceiveError::Malformed)
    }
}

/// The id of a body: the same bytes sent again count once.
pub(super) fn batch_id(body: &[u8]) -> BatchId {
    BatchId(xxhash_rust::xxh3::xxh3_128(body).to_be_bytes())
}

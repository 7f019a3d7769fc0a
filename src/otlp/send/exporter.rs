use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::sender::{OtlpSender, SendError};
use crate::telemetry::TelemetryBatch;

/// So many batches wait for a collector that is slow or gone.
const WAITING_MAX: usize = 1_000;
/// So long what waits is sent once the process stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where telemetry is handed over to be sent; never blocks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OtlpQueue {
    waiting: mpsc::Sender<TelemetryBatch>,
    lost: Arc<AtomicU64>,
}

/// Sends what is handed over, one batch after another.
#[derive(Debug)]
pub struct OtlpExporter {
    sender: OtlpSender,
    waiting: mpsc::Receiver<TelemetryBatch>,
    lost: Arc<AtomicU64>,
}

impl OtlpQueue {
    /// Hands over a batch.
    pub fn offer(&self, batch: &TelemetryBatch) {
        // BOUND: what does not fit is lost to the collector, and counted; the store has it.
        if self.waiting.try_send(batch.clone()).is_err() {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(lost, "telemetry is not sent: too much waits for the collector");
        }
    }

    /// How many batches were lost so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl OtlpExporter {
    /// An exporter and its queue.
    pub fn new(sender: OtlpSender) -> (OtlpQueue, Self) {
        let (tell, waiting) = mpsc::channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = OtlpQueue { waiting: tell, lost: Arc::clone(&lost) };
        (queue, Self { sender, waiting, lost })
    }

    /// Sends until `stop`, and what waits then as far as there is time; what is lost is said.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                batch = self.waiting.recv() => batch,
            };
            let Some(batch) = batch else { break };
            let sending = self.sender.send(&batch);
            tokio::pin!(sending);
            let sent = tokio::select! {
                sent = &mut sending => Some(sent),
                () = stop.cancelled() => tokio::time::timeout(LAST_WORDS, sending).await.ok(),
            };
            self.count(sent);
        }
        self.waiting.close();
        let until = tokio::time::Instant::now() + LAST_WORDS;
        while let Ok(batch) = self.waiting.try_recv() {
            let sent = tokio::time::timeout_at(until, self.sender.send(&batch)).await.ok();
            self.count(sent);
        }
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "telemetry of runs that the collector did not get");
        }
    }

    /// A batch that was not sent to its end is lost as one that was refused.
    fn count(&self, sent: Option<Result<(), SendError>>) {
        let error = match sent {
            Some(Ok(())) => return,
            Some(Err(error)) => Some(error),
            None => None,
        };
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        let why = error.as_ref().and_then(|error| std::error::Error::source(error));
        let why = why.map(ToString::to_string);
        let error = error.map(|error| error.to_string());
        tracing::warn!(error, why, lost, "telemetry did not reach the collector");
    }
}

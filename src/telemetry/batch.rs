use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AuditRecord, Event, LogEvent, MetricDatum, Scope, TraceSegment};

/// Names a batch so that appending it twice counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BatchId(pub [u8; 16]);

/// Data of one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricBatch {
    /// The namespace.
    pub namespace: Arc<str>,
    /// Its data.
    pub data: Vec<MetricDatum>,
}

/// Lines of one log stream, in the order their sender gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBatch {
    /// The group.
    pub group: Arc<str>,
    /// The stream.
    pub stream: Arc<str>,
    /// Its lines.
    pub events: Vec<LogEvent>,
}

/// What one run, API call or OTLP request emits. The store takes all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TelemetryBatch {
    /// Whose it is.
    pub scope: Scope,
    /// Makes a retry count once; senders that cannot retry leave it out.
    pub id: Option<BatchId>,
    /// Metric data by namespace.
    pub metrics: Vec<MetricBatch>,
    /// Log lines by stream.
    pub logs: Vec<LogBatch>,
    /// Trace segments.
    pub traces: Vec<TraceSegment>,
    /// Events.
    pub events: Vec<Event>,
    /// API calls.
    pub audit: Vec<AuditRecord>,
}

impl TelemetryBatch {
    /// An empty batch of `scope`.
    pub fn new(scope: Scope) -> Self {
        Self { scope, ..Self::default() }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
            && self.logs.is_empty()
            && self.traces.is_empty()
            && self.events.is_empty()
            && self.audit.is_empty()
    }
}

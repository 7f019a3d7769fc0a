//! The nouns of the five signals, in CloudWatch's own shapes.
//!
//! Main type: [`TelemetryBatch`], what one run, one API call or one OTLP request emits, appended to
//! the store atomically. Constructors check what the type promises; the limits and messages of each
//! wire operation are the API's business. Nothing here knows how anything is stored or sent.

mod audit;
mod batch;
mod event;
mod log;
mod metric;
mod names;
mod spelling;
mod trace;

pub use audit::{AuditKind, AuditRecord};
pub use batch::{BatchId, LogBatch, MetricBatch, TelemetryBatch};
pub use event::{DEFAULT_EVENT_BUS, Event};
pub use log::LogEvent;
pub use metric::{
    Dimension, Dimensions, MetricDatum, MetricId, MetricValue, StandardUnit, StatisticSet,
    StorageResolution, UnknownUnit,
};
pub use names::{AccountId, AccountIdError, Region, Scope};
pub use spelling::{Look, SpelledMetric, Spellings};
pub use trace::{TraceId, TraceIdError, TraceSegment};

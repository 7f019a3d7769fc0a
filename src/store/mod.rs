//! Durable telemetry, resources and artifacts of one data folder.
//!
//! Main type: [`Store`]. Small appends go to a SQLite log, durable before they are acknowledged;
//! recent data answers from memory; history lies in immutable Parquet segments, and one catalog
//! transaction moves data from the first to the last. Nothing here knows a wire protocol, when an
//! alarm fires, or what a canary is.
//!
//! ```text
//! append -> ingest (wal.db) -> catalog (resources, groups) -> recent (memory) -> acknowledged
//!                                    upkeep: recent -> segment (Parquet) -> catalog, log trimmed
//! read   <- recent + segment, as one view
//! ```

mod catalog;
mod codec;
mod counters;
mod directory;
mod error;
mod folder;
mod follow;
mod handle;
mod ingest;
mod lsn;
mod open;
mod read;
mod recent;
mod resource;
mod segment;
mod series;
mod settings;
mod state;
mod upkeep;
mod writer;

pub use codec::Fault;
pub use counters::{CounterKind, Counters};
pub use error::{AppendError, OpenError, ReadError, UpkeepError};
pub use follow::Following;
pub use handle::Store;
pub use lsn::Lsn;
pub use read::{
    ArtifactError, ArtifactId, Artifacts, Audit, AuditAttribute, AuditPosition, AuditQuery, Bucket,
    BucketError, Buckets, Direction, EventPosition, Events, FoundEvents, FoundLogs, LineMask,
    LogGroup, LogPage, LogRead, LogSearch, LogStream, Logs, Metrics, Page, QueriedGroup, Resources,
    RowOrder, RowPage, StoredLogEvent, StreamSelection, Trace, TraceSummary, Traces,
};
pub use resource::{ResourceChanges, SortKey};
pub use series::MetricFilter;
pub use settings::{CrashPoints, Durability, FlushPolicy, Retention, StoreSettings};

/// Bytes that CloudWatch Logs counts for a line beside its text.
///
/// Source: CloudWatch Logs API Reference, `PutLogEvents`.
const LOG_EVENT_OVERHEAD: u64 = 26;

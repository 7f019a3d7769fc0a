//! Views of the store, one a signal: what recent data and segments hold, as one answer.
//!
//! Main types: [`Metrics`], [`Logs`], [`Traces`], [`Events`], [`Audit`], [`Resources`],
//! [`Artifacts`], [`Buckets`]. Nothing here writes but through the store's own appends.

mod artifacts;
mod audit;
mod buckets;
mod events;
mod log_block;
mod log_directory;
mod log_query;
mod log_scan;
mod log_wanted;
mod logs;
mod metrics;
mod resources;
mod traces;

use std::sync::Arc;

use super::error::ReadError;
use super::segment::{Key, Part, Segment, Table};
use super::state::{Shared, View};
pub(super) use artifacts::{ARTIFACT_KIND, ArtifactNote};
pub use artifacts::{ArtifactError, ArtifactId, Artifacts};
pub use audit::{Audit, AuditAttribute, AuditPosition, AuditQuery};
pub use buckets::{BucketError, Buckets};
pub use events::{EventPosition, Events, FoundEvents};
pub use log_directory::{LogGroup, LogStream};
pub use log_query::QueriedGroup;
pub use log_wanted::LineMask;
pub use logs::{
    Direction, FoundLogs, LogPage, LogRead, LogSearch, Logs, StoredLogEvent, StreamSelection,
};
pub use metrics::{Bucket, Metrics};
pub use resources::{Page, Resources, RowOrder, RowPage};
pub use traces::{Trace, TraceSummary, Traces};

/// Reads every row of a table that may match: parts by key and `wanted`, rows by `keep`.
async fn rows<T: Table>(
    shared: &Shared,
    view: &View,
    key: &Key,
    wanted: impl Fn(&Part) -> bool,
    mut keep: impl FnMut(T::Row),
) -> Result<(), ReadError> {
    let segments: Vec<Arc<Segment>> =
        view.of_table(T::NAME).map(|live| Arc::clone(&live.segment)).collect();
    for segment in segments {
        for (number, part) in segment.parts.iter().enumerate() {
            if part.may_hold(key) && wanted(part) {
                segment.read::<T>(&shared.segments, number).await?.into_iter().for_each(&mut keep);
            }
        }
    }
    Ok(())
}

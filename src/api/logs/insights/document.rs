use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::logs::fault::NOT_FOUND;
use crate::query::insights::Outcome;
use crate::store::Page;
use crate::time::Timestamp;

/// Queries are resources of this kind, by id.
pub(super) const QUERY: &str = "logs-query";
/// The rows of finished queries, by the query's id.
pub(super) const ROWS: &str = "logs-query-rows";
/// Source: GetQueryResults: results are kept for seven days.
pub(super) const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum QueryStatus {
    /// Under way.
    Running,
    /// Done.
    Complete,
    /// Given up.
    Failed,
    /// Stopped by hand.
    Cancelled,
    /// Stopped because it took too long.
    Timeout,
}

/// A query, without its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct QueryDocument {
    /// Its text.
    pub(super) text: String,
    /// The groups it looks at.
    pub(super) groups: Vec<Arc<str>>,
    /// When it was started.
    pub(super) created: Timestamp,
    /// How long it took, in milliseconds.
    pub(super) elapsed_ms: u64,
    /// How far it is.
    pub(super) status: QueryStatus,
    /// What it counted.
    pub(super) counted: Counted,
}

/// What a query counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) records_matched: u64,
    pub(super) records_scanned: u64,
    pub(super) bytes_scanned: u64,
}

impl From<&Outcome> for Counted {
    fn from(outcome: &Outcome) -> Self {
        Self {
            rows: outcome.rows.len() as u64,
            records_matched: outcome.records_matched,
            records_scanned: outcome.records_scanned,
            bytes_scanned: outcome.bytes_scanned,
        }
    }
}

/// The query of an id. One that an earlier life of the process was running has failed.
pub(super) async fn get(call: &Call, id: &str) -> Answer<QueryDocument> {
    let running = call.queries().is_running(id);
    let resources = call.state().store.resources();
    let found: Option<QueryDocument> = resources.get(call.scope(), QUERY, id).await?;
    let mut document = found.ok_or_else(no_query)?;
    if document.status == QueryStatus::Running && !running {
        // It may have ended between the two looks.
        document = resources.get(call.scope(), QUERY, id).await?.ok_or_else(no_query)?;
        if document.status == QueryStatus::Running {
            document.status = QueryStatus::Failed;
        }
    }
    Ok(document)
}

/// Every query of the account that is still kept, newest first, with its id.
pub(super) async fn all(call: &Call) -> Answer<Vec<(String, QueryDocument)>> {
    let resources = call.state().store.resources();
    let mut found: Vec<(String, QueryDocument)> =
        resources.list(call.scope(), QUERY, &Page::ALL).await?;
    let oldest = call.now().minus(KEPT);
    found.retain(|(_, document)| document.created >= oldest);
    found.sort_by_key(|(_, document)| std::cmp::Reverse(document.created));
    Ok(found)
}

/// The refusal for a query that is not there.
pub(super) fn no_query() -> ApiError {
    NOT_FOUND.because("The specified query does not exist.")
}

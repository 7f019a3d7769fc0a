use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::{self, QueryStatus};
use crate::api::call::{Answer, Call};
use crate::api::logs::fault::{INVALID_PARAMETER, bad_token};
use crate::api::page;
use crate::api::service::Constraints;

const PAGE: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::api::logs) struct Input {
    log_group_name: Option<Arc<str>>,
    status: Option<QueryStatus>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Output {
    queries: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    query_language: &'static str,
    query_id: String,
    query_string: String,
    status: QueryStatus,
    create_time: i64,
    query_duration: u64,
    bytes_scanned: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_name: Option<Arc<str>>,
}

/// Source: CloudWatch Logs API Reference, DescribeQueries; newest first.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("maxResults", input.max_results, 1, 1000).done(INVALID_PARAMETER)?;
    let limit = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let after: Option<String> =
        page::open("DescribeQueries", input.next_token.as_deref()).map_err(|_bad| bad_token())?;
    let mut found = document::all(&call).await?;
    found.retain(|(_, document)| {
        input.status.is_none_or(|status| status == document.status)
            && input.log_group_name.as_ref().is_none_or(|name| document.groups.contains(name))
    });
    if let Some(after) = after {
        let seen = found.iter().position(|(id, _)| *id == after).map_or(0, |place| place + 1);
        found.drain(..seen);
    }
    found.truncate(limit + 1);
    let next_token = page::cut(&mut found, limit).map(|(id, _)| page::seal("DescribeQueries", id));
    let queries = found.into_iter().map(|(query_id, document)| Described {
        query_language: "CWLI",
        query_id,
        query_string: document.text,
        status: document.status,
        create_time: document.created.as_millis(),
        query_duration: document.elapsed_ms,
        bytes_scanned: document.counted.bytes_scanned,
        log_group_name: document.groups.into_iter().next(),
    });
    Ok(Output { queries: queries.collect(), next_token })
}

use serde::{Deserialize, Serialize};

use super::document::{self, ROWS};
use crate::api::call::{Answer, Call};
use crate::api::logs::fault::{INVALID_PARAMETER, bad_token};
use crate::api::page;
use crate::api::service::Constraints;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    query_id: String,
    next_token: Option<String>,
    max_items: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Output {
    query_language: &'static str,
    results: Vec<Vec<Field>>,
    statistics: Statistics,
    status: document::QueryStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Field {
    field: String,
    value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    result_count: f64,
    records_matched: f64,
    records_scanned: f64,
    estimated_records_skipped: f64,
    bytes_scanned: f64,
    estimated_bytes_skipped: f64,
    log_groups_scanned: f64,
}

/// Source: CloudWatch Logs API Reference, GetQueryResults.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("maxItems", input.max_items, 0, 10_000).done(INVALID_PARAMETER)?;
    let document = document::get(&call, &input.query_id).await?;
    let token: Option<(String, usize)> =
        page::open("GetQueryResults", input.next_token.as_deref()).map_err(|_bad| bad_token())?;
    let first = match token {
        Some((id, first)) if id == input.query_id => first,
        Some(_) => return Err(bad_token()),
        None => 0,
    };
    let resources = call.state().store.resources();
    let rows: Option<Vec<Vec<(String, String)>>> =
        resources.get(call.scope(), ROWS, &input.query_id).await?;
    let rows = rows.unwrap_or_default();
    let most = input.max_items.and_then(|most| usize::try_from(most).ok()).filter(|m| *m > 0);
    let end = first.saturating_add(most.unwrap_or(usize::MAX)).min(rows.len());
    let next_token =
        (end < rows.len()).then(|| page::seal("GetQueryResults", &(input.query_id.as_str(), end)));
    let field = |(field, value): (String, String)| Field { field, value };
    let page = rows.into_iter().take(end).skip(first);
    Ok(Output {
        query_language: "CWLI",
        results: page.map(|row| row.into_iter().map(field).collect()).collect(),
        statistics: statistics(&document),
        status: document.status,
        next_token,
    })
}

#[expect(clippy::cast_precision_loss, reason = "the API counts in doubles")]
fn statistics(document: &document::QueryDocument) -> Statistics {
    let counted = document.counted;
    Statistics {
        result_count: counted.rows as f64,
        records_matched: counted.records_matched as f64,
        records_scanned: counted.records_scanned as f64,
        estimated_records_skipped: 0.0,
        bytes_scanned: counted.bytes_scanned as f64,
        estimated_bytes_skipped: 0.0,
        log_groups_scanned: document.groups.len() as f64,
    }
}

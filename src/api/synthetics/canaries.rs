use std::collections::BTreeSet;

use super::{NOT_FOUND, VALIDATION};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page;
use crate::canary::report::RunOutcome;
use crate::monitor::{CanaryRow, CanaryRunRow, kind};
use crate::store::{Page, RowOrder, RowPage, SortKey};

/// How many rows are read together.
const SCAN: usize = 100;

/// Which canaries to list: of these names, or all, from where a token says.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    /// The operation, whose tokens these are.
    pub(super) operation: &'static str,
    /// The names that are wanted; empty is all.
    pub(super) names: &'a BTreeSet<String>,
    /// The token of the page.
    pub(super) next_token: Option<&'a str>,
    /// At most so many.
    pub(super) limit: usize,
}

/// A page of canaries by name, and the token of the next.
pub(super) async fn list(
    call: &Call,
    listing: &Listing<'_>,
) -> Answer<(Vec<CanaryRow>, Option<String>)> {
    let Listing { operation, names, next_token, limit } = *listing;
    let mut after: Option<String> =
        page::open(operation, next_token).map_err(|_token| bad_token())?;
    let mut found: Vec<CanaryRow> = Vec::new();
    loop {
        let page = Page { prefix: "", after: after.as_deref(), limit: SCAN };
        let rows: Vec<(String, CanaryRow)> =
            call.state().store.resources().list(call.scope(), kind::CANARY, &page).await?;
        let last = rows.len() < SCAN;
        after = rows.last().map(|(name, _)| name.clone());
        let wanted = |name: &String| names.is_empty() || names.contains(name);
        found.extend(rows.into_iter().filter(|(name, _)| wanted(name)).map(|(_, row)| row));
        if last || found.len() > limit {
            found.truncate(limit + 1);
            let next = page::cut(&mut found, limit).map(|last| page::seal(operation, &*last.name));
            return Ok((found, next));
        }
    }
}

/// The canary of a name.
pub(super) async fn get(call: &Call, name: &str) -> Answer<CanaryRow> {
    let found = call.state().store.resources().get(call.scope(), kind::CANARY, name).await?;
    found.ok_or_else(|| {
        let arn = call.scope().arn("synthetics", format_args!("canary:{name}"));
        NOT_FOUND.because(format!("Canary {arn} does not exist."))
    })
}

/// Runs of a canary, newest first, from a place; as many as `enough`.
///
/// Differs: runs that were due and did not start are rows of ours that AWS has no word for; they
/// are left out.
pub(super) async fn runs(
    call: &Call,
    name: &str,
    before: Option<SortKey>,
    enough: usize,
) -> Answer<Vec<(SortKey, CanaryRunRow)>> {
    let mut page = RowPage { from: None, before, order: RowOrder::NewestFirst, limit: SCAN };
    let mut found = Vec::new();
    loop {
        let rows: Vec<(SortKey, CanaryRunRow)> = call
            .state()
            .store
            .resources()
            .rows(call.scope(), kind::CANARY_RUN, name, &page)
            .await?;
        let last = rows.len() < SCAN;
        page.before = rows.last().map(|(sort, _)| sort.clone());
        found.extend(rows.into_iter().filter(|(_, row)| row.outcome != RunOutcome::Skipped));
        if last || found.len() >= enough {
            found.truncate(enough);
            return Ok(found);
        }
    }
}

/// The refusal of a token that this server did not make.
pub(super) fn bad_token() -> ApiError {
    VALIDATION.because("The NextToken is not valid.")
}

use std::collections::BTreeSet;

use super::described::DescribedCanary;
use super::{CONFLICT, NOT_FOUND, VALIDATION};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page;
use crate::canary::report::RunOutcome;
use crate::monitor::{CanaryRow, CanaryRunRow, HostedCanaryRow, kind};
use crate::store::{RowOrder, RowPage, SortKey};

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

/// A page of canaries by name, made here or of the folder, and the token of the next.
pub(super) async fn list(
    call: &Call,
    listing: &Listing<'_>,
) -> Answer<(Vec<(String, DescribedCanary)>, Option<String>)> {
    let Listing { operation, names, next_token, limit } = *listing;
    let of_folder = call.all::<CanaryRow>(kind::CANARY, "").await?;
    let made = call.all::<HostedCanaryRow>(kind::HOSTED_CANARY, "").await?;
    let of_folder = of_folder.into_iter().map(|(name, row)| (name, DescribedCanary::from(row)));
    let made = made.into_iter().map(|(name, row)| {
        let described = DescribedCanary::of_hosted(call.scope(), &name, row);
        (name, described)
    });
    let mut found = of_folder.chain(made).collect::<Vec<_>>();
    found.retain(|(name, _)| names.is_empty() || names.contains(name));
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    page::of(operation, found, |(name, _)| name.clone(), (next_token, limit))
        .map_err(|_token| bad_token())
}

/// The canary of a name.
pub(super) async fn get(call: &Call, name: &str) -> Answer<CanaryRow> {
    let found = call.state().store.resources().get(call.scope(), kind::CANARY, name).await?;
    found.ok_or_else(|| {
        let arn = call.scope().arn("synthetics", format_args!("canary:{name}"));
        NOT_FOUND.because(format!("Canary {arn} does not exist."))
    })
}

/// The canary of a name that was made here; one of the folder is changed in its file.
pub(super) async fn hosted(call: &Call, name: &str) -> Answer<HostedCanaryRow> {
    if let Some(row) = call.one(kind::HOSTED_CANARY, name).await? {
        return Ok(row);
    }
    let row = get(call, name).await?;
    let file = row.file;
    Err(CONFLICT.because(format!("The canary is of the file {file}, and is changed there.")))
}

/// Whether the canary of a name is of the folder; no other scope has any.
pub(super) async fn is_of_folder(call: &Call, name: &str) -> Answer<bool> {
    let made = call.one::<HostedCanaryRow>(kind::HOSTED_CANARY, name).await?;
    let is_own = call.scope() == call.state().monitor.scope();
    Ok(made.is_none() && is_own && call.one::<CanaryRow>(kind::CANARY, name).await?.is_some())
}

/// Whether there is a canary of a name, made here or of the folder.
pub(super) async fn any(call: &Call, name: &str) -> Answer<()> {
    match call.one::<HostedCanaryRow>(kind::HOSTED_CANARY, name).await? {
        Some(_) => Ok(()),
        None => get(call, name).await.map(drop),
    }
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

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::document::{Counted, KEPT, QUERY, QueryDocument, QueryStatus, ROWS};
use super::run::{self, Job};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::logs::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED, MALFORMED_QUERY};
use crate::api::logs::group;
use crate::api::service::Constraints;
use crate::query::insights::{Context, InsightsError, Query};
use crate::store::ResourceChanges;

/// Source: CloudWatch Logs quotas, concurrent queries of an account.
const RUNNING_MAX: usize = 100;
/// How long StartQuery waits, so that a small query is complete at the first GetQueryResults.
const SMALL: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    query_string: String,
    start_time: i64,
    end_time: i64,
    limit: Option<i64>,
    query_language: Option<Language>,
    log_group_name: Option<Arc<str>>,
    #[serde(default)]
    log_group_names: Vec<Arc<str>>,
    #[serde(default)]
    log_group_identifiers: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Language {
    Cwli,
    Ppl,
    Sql,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Output {
    query_id: String,
}

/// Source: CloudWatch Logs API Reference, StartQuery.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, 100_000).done(INVALID_PARAMETER)?;
    if let Some(language @ (Language::Ppl | Language::Sql)) = input.query_language {
        let why = format!("Query language {language:?} is not supported here; use CWLI.");
        return Err(INVALID_PARAMETER.because(why));
    }
    let range = run::range(input.start_time, input.end_time);
    if range.is_empty() {
        return Err(INVALID_PARAMETER.because("End time should not be less than start time."));
    }
    let groups = groups(&call, &input)?;
    let query = Query::parse(&input.query_string).map_err(malformed)?;
    if call.queries().count(call.scope()) >= RUNNING_MAX {
        let why = format!("More than {RUNNING_MAX} queries are running.");
        return Err(LIMIT_EXCEEDED.because(why));
    }
    forget_old(&call).await?;
    let id = uuid::Uuid::new_v4().to_string();
    let document = QueryDocument {
        text: input.query_string,
        groups,
        created: call.now(),
        elapsed_ms: 0,
        status: QueryStatus::Running,
        counted: Counted::default(),
    };
    call.apply(ResourceChanges::new().put(QUERY, &id, &document)?).await?;
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
    let context = Context { range, now: call.now(), limit };
    start(&call, Job { id: id.clone(), document, query, context }).await;
    Ok(Output { query_id: id })
}

async fn start(call: &Call, job: Job) {
    let tasks = &call.state().tasks;
    let stop = tasks.stop_token().child_token();
    call.queries().add(&job.id, call.scope(), &stop);
    let (ended, end) = tokio::sync::oneshot::channel();
    let running = call.clone();
    tasks.spawn(format!("query {}", job.id), |_stop| async move {
        run::run(running, job, stop).await;
        // Nobody waits for a query that is not small.
        ended.send(()).unwrap_or(());
    });
    // Late is no fault: the query goes on, and its results are asked for.
    drop(tokio::time::timeout(SMALL, end).await);
}

/// Exactly one way of naming the groups.
fn groups(call: &Call, input: &Input) -> Answer<Vec<Arc<str>>> {
    let ways = [
        input.log_group_name.is_some(),
        !input.log_group_names.is_empty(),
        !input.log_group_identifiers.is_empty(),
    ];
    if ways.iter().filter(|way| **way).count() != 1 {
        return Err(INVALID_PARAMETER.because(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.",
        ));
    }
    let named = input.log_group_name.iter().chain(&input.log_group_names);
    let mut groups = BTreeSet::new();
    for identifier in named.chain(&input.log_group_identifiers) {
        let name = group::by_identifier(call, identifier)?;
        group::existing(call, &name)?;
        groups.insert(name);
    }
    Constraints::new().count("logGroupNames", groups.len(), 1, 50).done(INVALID_PARAMETER)?;
    Ok(groups.into_iter().collect())
}

fn malformed(error: InsightsError) -> ApiError {
    let message = error.to_string();
    let refusal = MALFORMED_QUERY.because(message.clone());
    match error {
        InsightsError::Malformed { span, .. } => {
            let location = json!({"startCharOffset": span.start, "endCharOffset": span.end});
            let fault = json!({"location": location, "message": message});
            refusal.with("queryCompileError", fault)
        }
        InsightsError::TooLarge { .. } => refusal,
    }
}

/// Queries past their time are dropped when a new one comes.
async fn forget_old(call: &Call) -> Answer<()> {
    let resources = call.state().store.resources();
    let page = crate::store::Page::ALL;
    let found: Vec<(String, QueryDocument)> = resources.list(call.scope(), QUERY, &page).await?;
    let oldest = call.now().minus(KEPT);
    let old = found.iter().filter(|(_, document)| document.created < oldest);
    let drop_both =
        |changes: ResourceChanges, id: &String| changes.delete(QUERY, id).delete(ROWS, id);
    let changes = old.fold(ResourceChanges::new(), |changes, (id, _)| drop_both(changes, id));
    if !changes.is_empty() {
        resources.apply(call.scope(), changes).await?;
    }
    Ok(())
}

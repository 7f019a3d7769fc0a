//! Logs Insights: queries are started, run beside the call, and their results kept.
//!
//! Main type: [`RunningQueries`], what is under way. A finished query is a resource, so that its
//! results outlive the process; a small query is finished before StartQuery answers.

mod describe_queries;
mod document;
mod get_query_results;
mod run;
mod start_query;
mod stop_query;

pub(super) use describe_queries::run as describe_queries;
pub(super) use get_query_results::run as get_query_results;
pub(in crate::api) use run::RunningQueries;
pub(super) use start_query::run as start_query;
pub(super) use stop_query::run as stop_query;

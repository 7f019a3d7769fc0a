//! CloudWatch Logs: groups, streams and events, in JSON 1.1.

mod create_log_group;
mod create_log_stream;
mod delete_log_group;
mod delete_log_stream;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod fault;
mod filter_log_events;
mod get_log_events;
mod group;
mod insights;
mod list_tags;
mod metric_filter;
mod put_log_events;
mod put_retention_policy;
mod tag;
mod untag;

pub(super) use insights::RunningQueries;

use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "CloudWatch Logs",
        signing_name: "logs",
        event_source: "logs.amazonaws.com",
        dialects: Dialects {
            json: Some(("Logs_20140328", JsonVersion::V1_1)),
            ..Dialects::default()
        },
        error_namespace: "",
        refuse: |error| refuse_as_validator(fault::INVALID_PARAMETER, error),
        operations: vec![
            operation("CreateLogGroup", Effect::Writes, create_log_group::run),
            operation("CreateLogStream", Effect::Writes, create_log_stream::run),
            operation("DeleteLogGroup", Effect::Writes, delete_log_group::run),
            operation("DeleteLogStream", Effect::Writes, delete_log_stream::run),
            operation("DeleteMetricFilter", Effect::Writes, metric_filter::delete),
            operation("DeleteRetentionPolicy", Effect::Writes, delete_retention_policy::run),
            operation("DescribeLogGroups", Effect::Reads, describe_log_groups::run),
            operation("DescribeLogStreams", Effect::Reads, describe_log_streams::run),
            operation("DescribeMetricFilters", Effect::Reads, metric_filter::describe),
            operation("DescribeQueries", Effect::Reads, insights::describe_queries),
            operation("FilterLogEvents", Effect::ReadsData, filter_log_events::run),
            operation("GetLogEvents", Effect::ReadsData, get_log_events::run),
            operation("GetQueryResults", Effect::Reads, insights::get_query_results),
            operation("ListTagsForResource", Effect::Reads, list_tags::run_resource),
            operation("ListTagsLogGroup", Effect::Reads, list_tags::run_group),
            operation("PutLogEvents", Effect::WritesData, put_log_events::run),
            operation("PutMetricFilter", Effect::Writes, metric_filter::put),
            operation("PutRetentionPolicy", Effect::Writes, put_retention_policy::run),
            operation("StartQuery", Effect::Writes, insights::start_query),
            operation("StopQuery", Effect::Writes, insights::stop_query),
            operation("TagLogGroup", Effect::Writes, tag::run_group),
            operation("TagResource", Effect::Writes, tag::run_resource),
            operation("TestMetricFilter", Effect::Reads, metric_filter::test),
            operation("UntagLogGroup", Effect::Writes, untag::run_group),
            operation("UntagResource", Effect::Writes, untag::run_resource),
        ],
    }
}

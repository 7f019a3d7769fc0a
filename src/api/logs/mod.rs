//! CloudWatch Logs: groups, streams, events and what follows from them, in JSON 1.1.

mod account_policy;
mod anomaly_detector;
mod create_log_group;
mod create_log_stream;
mod data_protection;
mod delete_log_group;
mod delete_log_stream;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod destination;
mod export_task;
mod fault;
mod filter_log_events;
mod get_log_events;
mod group;
mod group_setting;
mod index_policy;
mod insights;
mod list_log_groups;
mod list_tags;
mod live_tail;
mod log_record;
mod metric_filter;
mod put_log_events;
mod put_retention_policy;
mod query_definition;
mod resource_policy;
mod subscription_filter;
mod tag;
mod tagged;
mod untag;

pub(super) use insights::RunningQueries;

use super::service::{
    Dialects, Effect, Operation, Service, operation, raw_operation, refuse_as_validator,
};
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
        operations: operations(),
    }
}

fn operations() -> Vec<Operation> {
    let mut all = events();
    all.extend(resources());
    all
}

/// Groups, streams, events and queries.
fn events() -> Vec<Operation> {
    vec![
        operation("AssociateKmsKey", Effect::Writes, group_setting::associate_key),
        operation("CreateLogGroup", Effect::Writes, create_log_group::run),
        operation("CreateLogStream", Effect::Writes, create_log_stream::run),
        operation("DeleteLogGroup", Effect::Writes, delete_log_group::run),
        operation("DeleteLogStream", Effect::Writes, delete_log_stream::run),
        operation("DeleteRetentionPolicy", Effect::Writes, delete_retention_policy::run),
        operation("DescribeLogGroups", Effect::Reads, describe_log_groups::run),
        operation("DescribeLogStreams", Effect::Reads, describe_log_streams::run),
        operation("DescribeQueries", Effect::Reads, insights::describe_queries),
        operation("DisassociateKmsKey", Effect::Writes, group_setting::disassociate_key),
        operation("FilterLogEvents", Effect::ReadsData, filter_log_events::run),
        operation("GetLogEvents", Effect::ReadsData, get_log_events::run),
        operation("GetLogGroupFields", Effect::Reads, log_record::fields),
        operation("GetLogRecord", Effect::ReadsData, log_record::get),
        operation("GetQueryResults", Effect::Reads, insights::get_query_results),
        operation("ListLogGroups", Effect::Reads, list_log_groups::run),
        operation("ListTagsForResource", Effect::Reads, list_tags::run_resource),
        operation("ListTagsLogGroup", Effect::Reads, list_tags::run_group),
        operation("PutLogEvents", Effect::WritesData, put_log_events::run)
            .directly(put_log_events::read_usual, put_log_events::run),
        operation("PutLogGroupDeletionProtection", Effect::Writes, group_setting::protect),
        operation("PutRetentionPolicy", Effect::Writes, put_retention_policy::run),
        raw_operation("StartLiveTail", Effect::ReadsData, live_tail::run),
        operation("StartQuery", Effect::Writes, insights::start_query),
        operation("StopQuery", Effect::Writes, insights::stop_query),
        operation("TagLogGroup", Effect::Writes, tag::run_group),
        operation("TagResource", Effect::Writes, tag::run_resource),
        operation("UntagLogGroup", Effect::Writes, untag::run_group),
        operation("UntagResource", Effect::Writes, untag::run_resource),
    ]
}

/// Filters, policies, tasks and other documents.
fn resources() -> Vec<Operation> {
    vec![
        operation("CancelExportTask", Effect::Writes, export_task::cancel),
        operation("CreateExportTask", Effect::Writes, export_task::create),
        operation("CreateLogAnomalyDetector", Effect::Writes, anomaly_detector::create),
        operation("DeleteAccountPolicy", Effect::Writes, account_policy::delete),
        operation("DeleteDataProtectionPolicy", Effect::Writes, data_protection::delete),
        operation("DeleteDestination", Effect::Writes, destination::delete),
        operation("DeleteIndexPolicy", Effect::Writes, index_policy::delete),
        operation("DeleteLogAnomalyDetector", Effect::Writes, anomaly_detector::delete),
        operation("DeleteMetricFilter", Effect::Writes, metric_filter::delete),
        operation("DeleteQueryDefinition", Effect::Writes, query_definition::delete),
        operation("DeleteResourcePolicy", Effect::Writes, resource_policy::delete),
        operation("DeleteSubscriptionFilter", Effect::Writes, subscription_filter::delete),
        operation("DescribeAccountPolicies", Effect::Reads, account_policy::describe),
        operation("DescribeDestinations", Effect::Reads, destination::describe),
        operation("DescribeExportTasks", Effect::Reads, export_task::describe),
        operation("DescribeFieldIndexes", Effect::Reads, index_policy::describe_fields),
        operation("DescribeIndexPolicies", Effect::Reads, index_policy::describe),
        operation("DescribeMetricFilters", Effect::Reads, metric_filter::describe),
        operation("DescribeQueryDefinitions", Effect::Reads, query_definition::describe),
        operation("DescribeResourcePolicies", Effect::Reads, resource_policy::describe),
        operation("DescribeSubscriptionFilters", Effect::Reads, subscription_filter::describe),
        operation("GetDataProtectionPolicy", Effect::Reads, data_protection::get),
        operation("GetLogAnomalyDetector", Effect::Reads, anomaly_detector::get),
        operation("ListLogAnomalyDetectors", Effect::Reads, anomaly_detector::list),
        operation("PutAccountPolicy", Effect::Writes, account_policy::put),
        operation("PutDataProtectionPolicy", Effect::Writes, data_protection::put),
        operation("PutDestination", Effect::Writes, destination::put),
        operation("PutDestinationPolicy", Effect::Writes, destination::put_policy),
        operation("PutIndexPolicy", Effect::Writes, index_policy::put),
        operation("PutMetricFilter", Effect::Writes, metric_filter::put),
        operation("PutQueryDefinition", Effect::Writes, query_definition::put),
        operation("PutResourcePolicy", Effect::Writes, resource_policy::put),
        operation("PutSubscriptionFilter", Effect::Writes, subscription_filter::put),
        operation("TestMetricFilter", Effect::Reads, metric_filter::test),
        operation("UpdateLogAnomalyDetector", Effect::Writes, anomaly_detector::update),
    ]
}

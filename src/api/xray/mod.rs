//! X-Ray: segments in, traces, summaries, graphs and sampling out, in REST JSON.
//!
//! What a trace is, and what an expression finds, is `query::trace`'s business. Insights are not
//! computed, and traces are not kept as logs: calls about these are refused by name.

mod batch_get_traces;
mod encryption;
mod get_trace_summaries;
mod graphs;
mod group;
mod indexing;
mod insights;
mod put_telemetry_records;
mod put_trace_segments;
mod reading;
mod resource_policies;
mod sampling_rules;
mod sampling_targets;
mod shapes;
mod tags;

use http::Method;

use super::error::Fault;
use super::service::Effect::{Reads, ReadsData, Writes, WritesData};
use super::service::{Dialects, Operation, Service, operation, refuse_as_validator};

const INVALID_REQUEST: Fault = Fault::plain("InvalidRequestException", 400);
const RESOURCE_NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 404);
const RULE_LIMIT_EXCEEDED: Fault = Fault::plain("RuleLimitExceededException", 400);
const TOO_MANY_TAGS: Fault = Fault::plain("TooManyTagsException", 400);
const MALFORMED_POLICY: Fault = Fault::plain("MalformedPolicyDocumentException", 400);
const INVALID_POLICY_REVISION: Fault = Fault::plain("InvalidPolicyRevisionIdException", 400);
const POLICY_SIZE_LIMIT: Fault = Fault::plain("PolicySizeLimitExceededException", 400);
const POLICY_COUNT_LIMIT: Fault = Fault::plain("PolicyCountLimitExceededException", 400);

/// The service's table.
pub(super) fn service() -> Service {
    let operations = data().into_iter().chain(resources()).chain(settings()).collect();
    Service {
        title: "X-Ray",
        signing_name: "xray",
        event_source: "xray.amazonaws.com",
        dialects: Dialects::default(),
        error_namespace: "",
        refuse: |error| refuse_as_validator(INVALID_REQUEST, error),
        operations,
    }
}

fn data() -> Vec<Operation> {
    let post = Method::POST;
    vec![
        operation("BatchGetTraces", ReadsData, batch_get_traces::run).at(post.clone(), "/Traces"),
        operation("GetServiceGraph", ReadsData, graphs::of_range).at(post.clone(), "/ServiceGraph"),
        operation("GetTimeSeriesServiceStatistics", ReadsData, graphs::series)
            .at(post.clone(), "/TimeSeriesServiceStatistics"),
        operation("GetTraceGraph", ReadsData, graphs::of_traces).at(post.clone(), "/TraceGraph"),
        operation("GetTraceSummaries", ReadsData, get_trace_summaries::run)
            .at(post.clone(), "/TraceSummaries"),
        operation("PutTelemetryRecords", WritesData, put_telemetry_records::run)
            .at(post.clone(), "/TelemetryRecords"),
        operation("PutTraceSegments", WritesData, put_trace_segments::run)
            .at(post.clone(), "/TraceSegments"),
        operation("GetSamplingRules", ReadsData, sampling_rules::list)
            .at(post.clone(), "/GetSamplingRules"),
        operation("GetSamplingStatisticSummaries", ReadsData, sampling_targets::summaries)
            .at(post.clone(), "/SamplingStatisticSummaries"),
        operation("GetSamplingTargets", WritesData, sampling_targets::run)
            .at(post.clone(), "/SamplingTargets"),
        operation("GetInsight", ReadsData, insights::absent).at(post.clone(), "/Insight"),
        operation("GetInsightEvents", ReadsData, insights::absent)
            .at(post.clone(), "/InsightEvents"),
        operation("GetInsightImpactGraph", ReadsData, insights::absent)
            .at(post.clone(), "/InsightImpactGraph"),
        operation("GetInsightSummaries", ReadsData, insights::summaries)
            .at(post, "/InsightSummaries"),
    ]
}

fn resources() -> Vec<Operation> {
    let post = Method::POST;
    vec![
        operation("CreateGroup", Writes, group::create).at(post.clone(), "/CreateGroup"),
        operation("UpdateGroup", Writes, group::update).at(post.clone(), "/UpdateGroup"),
        operation("DeleteGroup", Writes, group::delete).at(post.clone(), "/DeleteGroup"),
        operation("GetGroup", Reads, group::get).at(post.clone(), "/GetGroup"),
        operation("GetGroups", Reads, group::list).at(post.clone(), "/Groups"),
        operation("CreateSamplingRule", Writes, sampling_rules::create)
            .at(post.clone(), "/CreateSamplingRule"),
        operation("UpdateSamplingRule", Writes, sampling_rules::update)
            .at(post.clone(), "/UpdateSamplingRule"),
        operation("DeleteSamplingRule", Writes, sampling_rules::delete)
            .at(post.clone(), "/DeleteSamplingRule"),
        operation("TagResource", Writes, tags::tag).at(post.clone(), "/TagResource"),
        operation("UntagResource", Writes, tags::untag).at(post.clone(), "/UntagResource"),
        operation("ListTagsForResource", Reads, tags::list).at(post, "/ListTagsForResource"),
    ]
}

fn settings() -> Vec<Operation> {
    let post = Method::POST;
    vec![
        operation("GetEncryptionConfig", Reads, encryption::get)
            .at(post.clone(), "/EncryptionConfig"),
        operation("PutEncryptionConfig", Writes, encryption::put)
            .at(post.clone(), "/PutEncryptionConfig"),
        operation("PutResourcePolicy", Writes, resource_policies::put)
            .at(post.clone(), "/PutResourcePolicy"),
        operation("DeleteResourcePolicy", Writes, resource_policies::delete)
            .at(post.clone(), "/DeleteResourcePolicy"),
        operation("ListResourcePolicies", Reads, resource_policies::list)
            .at(post.clone(), "/ListResourcePolicies"),
        operation("GetTraceSegmentDestination", Reads, indexing::destination)
            .at(post.clone(), "/GetTraceSegmentDestination"),
        operation("UpdateTraceSegmentDestination", Writes, indexing::update_destination)
            .at(post.clone(), "/UpdateTraceSegmentDestination"),
        operation("GetIndexingRules", Reads, indexing::rules).at(post.clone(), "/GetIndexingRules"),
        operation("UpdateIndexingRule", Writes, indexing::update_rule)
            .at(post, "/UpdateIndexingRule"),
    ]
}

/// The last part of a group's ARN: 52 characters of base 32.
fn short_id() -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digit = |_| char::from(*fastrand::choice(DIGITS).unwrap_or(&b'A'));
    (0..52).map(digit).collect()
}

//! Metric streams: kept and described, started and stopped. The monitor sends what they are for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{
    INVALID_NEXT_TOKEN, INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE,
    RESOURCE_NOT_FOUND_EXCEPTION,
};
use super::tags;
use crate::alarm::Tag;
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::{Constraints, Empty};
use crate::api::wire::Instant;
use crate::monitor::{MetricStreamFilter as Filter, MetricStreamRow as Row, StreamFormat, kind};
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

/// Streams by name.
pub(super) const KIND: &str = kind::METRIC_STREAM;
/// Source: CloudWatch API Reference, PutMetricStream.
const FILTERS_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    name: String,
    #[serde(default)]
    include_filters: Vec<Filter>,
    #[serde(default)]
    exclude_filters: Vec<Filter>,
    firehose_arn: String,
    role_arn: String,
    output_format: StreamFormat,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    statistics_configurations: Vec<Value>,
    include_linked_accounts_metrics: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOutput {
    arn: String,
}

/// Source: CloudWatch API Reference, PutMetricStream.
/// Differs: what is sent becomes files of the bucket `outgoing`; OTLP 0.7 is not made.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let (include, exclude) = (input.include_filters, input.exclude_filters);
    Constraints::new()
        .length("name", &input.name, 1, 255)
        .length("firehoseArn", &input.firehose_arn, 1, 1024)
        .length("roleArn", &input.role_arn, 1, 1024)
        .count("includeFilters", include.len(), 0, FILTERS_MAX)
        .count("excludeFilters", exclude.len(), 0, FILTERS_MAX)
        .count("statisticsConfigurations", input.statistics_configurations.len(), 0, 100)
        .done(VALIDATION)?;
    if !include.is_empty() && !exclude.is_empty() {
        return Err(INVALID_PARAMETER_COMBINATION
            .because("IncludeFilters and ExcludeFilters cannot both be specified."));
    }
    if !input.firehose_arn.contains(":firehose:") {
        return Err(INVALID_PARAMETER_VALUE.because("FirehoseArn is no ARN of a Firehose stream."));
    }
    if input.output_format == StreamFormat::OpenTelemetry07 {
        return Err(INVALID_PARAMETER_VALUE.because(
            "OutputFormat opentelemetry0.7 is not supported here, only json and opentelemetry1.0.",
        ));
    }
    tags::check(&input.tags)?;
    call.concerns("AWS::CloudWatch::MetricStream", &input.name);
    let before = call.one::<Row>(KIND, &input.name).await?;
    let row = Row {
        include,
        exclude,
        firehose_arn: input.firehose_arn,
        role_arn: input.role_arn,
        output_format: input.output_format,
        statistics: input.statistics_configurations,
        linked_accounts: input.include_linked_accounts_metrics.unwrap_or(false),
        running: before.as_ref().is_none_or(|row| row.running),
        created: before.as_ref().map_or(call.now(), |row| row.created),
        updated: call.now(),
        tags: before.map_or(input.tags, |row| row.tags),
    };
    call.apply(ResourceChanges::new().put(KIND, &input.name, &row)?).await?;
    Ok(PutOutput { arn: arn(call.scope(), &input.name) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetOutput {
    #[serde(flatten)]
    entry: Entry,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include_filters: Vec<Filter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude_filters: Vec<Filter>,
    role_arn: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statistics_configurations: Vec<Value>,
    include_linked_accounts_metrics: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    arn: String,
    creation_date: Instant,
    last_update_date: Instant,
    name: String,
    firehose_arn: String,
    state: &'static str,
    output_format: StreamFormat,
}

/// Source: CloudWatch API Reference, GetMetricStream.
pub(super) async fn get(call: Call, input: NameInput) -> Answer<GetOutput> {
    let row = existing(&call, &input.name).await?;
    Ok(GetOutput {
        entry: entry(&call, input.name, &row),
        include_filters: row.include,
        exclude_filters: row.exclude,
        role_arn: row.role_arn,
        statistics_configurations: row.statistics,
        include_linked_accounts_metrics: row.linked_accounts,
    })
}

/// Source: CloudWatch API Reference, DeleteMetricStream; one that is not there is no fault.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<Empty> {
    let changes = ResourceChanges::new().delete(KIND, &input.name);
    call.apply(changes.delete(kind::METRIC_STREAM_SENT, &input.name)).await?;
    Ok(Empty {})
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListInput {
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch API Reference, ListMetricStreams.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    Constraints::new().range("maxResults", input.max_results, 1, 500).done(VALIDATION)?;
    let found = call.all::<Row>(KIND, "").await?;
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 500));
    let (found, next_token) = page::of("ListMetricStreams", found, |row| row.0.clone(), asked)
        .map_err(|_| INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid"))?;
    let entries = found.into_iter().map(|(name, row)| entry(&call, name, &row)).collect();
    Ok(ListOutput { entries, next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamesInput {
    names: Vec<String>,
}

/// Source: CloudWatch API Reference, StartMetricStreams.
pub(super) async fn start(call: Call, input: NamesInput) -> Answer<Empty> {
    switch(&call, &input.names, true).await
}

/// Source: CloudWatch API Reference, StopMetricStreams.
pub(super) async fn stop(call: Call, input: NamesInput) -> Answer<Empty> {
    switch(&call, &input.names, false).await
}

async fn switch(call: &Call, names: &[String], running: bool) -> Answer<Empty> {
    let mut changes = ResourceChanges::new();
    for name in names {
        // Names that are unknown are passed over.
        if let Some(row) = call.one::<Row>(KIND, name).await? {
            if running && !row.running {
                // What passed while it was stopped is not sent.
                changes = changes.put(kind::METRIC_STREAM_SENT, name, &call.now())?;
            }
            changes = changes.put(KIND, name, &Row { running, ..row })?;
        }
    }
    call.apply(changes).await?;
    Ok(Empty {})
}

async fn existing(call: &Call, name: &str) -> Answer<Row> {
    let missing = || -> ApiError {
        RESOURCE_NOT_FOUND_EXCEPTION
            .because(format!("Metric stream {name} does not exist"))
            .with("ResourceType", "MetricStream")
            .with("ResourceId", name)
    };
    call.one(KIND, name).await?.ok_or_else(missing)
}

/// The ARN of a stream.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("cloudwatch", format_args!("metric-stream/{name}"))
}

fn entry(call: &Call, name: String, row: &Row) -> Entry {
    Entry {
        arn: arn(call.scope(), &name),
        creation_date: row.created.into(),
        last_update_date: row.updated.into(),
        name,
        firehose_arn: row.firehose_arn.clone(),
        state: if row.running { "running" } else { "stopped" },
        output_format: row.output_format,
    }
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::fault::{INVALID_PARAMETER, bad_token};
use super::super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::monitor::{MetricFilterRow, filter_name, kind};
use crate::query::log_metric::{MetricTransformation, SystemField};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::api::logs) struct Input {
    log_group_name: Option<Arc<str>>,
    filter_name_prefix: Option<String>,
    metric_name: Option<String>,
    metric_namespace: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Output {
    metric_filters: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    filter_name: String,
    filter_pattern: String,
    metric_transformations: [MetricTransformation; 1],
    creation_time: i64,
    log_group_name: String,
    apply_on_transformed_logs: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    emit_system_field_dimensions: Vec<SystemField>,
}

/// Source: CloudWatch Logs API Reference, DescribeMetricFilters.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<Output> {
    check(&input)?;
    let group = input.log_group_name.as_deref();
    if let Some(group) = group {
        group::check_name(group)?;
        group::existing(&call, group)?;
    }
    let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
    let start = group.map_or_else(String::new, |group| filter_name(group, prefix));
    let metric = input.metric_namespace.as_deref().zip(input.metric_name.as_deref());
    let filters = call.all::<MetricFilterRow>(kind::METRIC_FILTER, &start).await?;
    let mut found = filters
        .into_iter()
        .filter_map(|(name, row)| described(&name, row))
        .filter(|found| metric.is_none_or(|metric| found.is_of(metric)))
        .collect::<Vec<_>>();
    let place = |found: &Described| format!("{}:{}", found.filter_name, found.log_group_name);
    found.sort_by_key(place);
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50);
    let asked = (input.next_token.as_deref(), limit);
    let (metric_filters, next_token) =
        page::of("DescribeMetricFilters", found, place, asked).map_err(|_token| bad_token())?;
    Ok(Output { metric_filters, next_token })
}

fn check(input: &Input) -> Answer<()> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    if input.filter_name_prefix.is_some() && input.log_group_name.is_none() {
        return Err(INVALID_PARAMETER.because(
            "If you include the filterNamePrefix parameter in your request, you must also \
             include the logGroupName parameter.",
        ));
    }
    let (one, other) = match (&input.metric_name, &input.metric_namespace) {
        (Some(_), None) => ("metricName", "metricNamespace"),
        (None, Some(_)) => ("metricNamespace", "metricName"),
        _ => return Ok(()),
    };
    Err(INVALID_PARAMETER.because(format!(
        "If you include the {one} parameter in your request, you must also include the {other} \
         parameter."
    )))
}

fn described(name: &str, row: MetricFilterRow) -> Option<Described> {
    let (group, filter) = name.split_once(':')?;
    Some(Described {
        filter_name: filter.to_owned(),
        filter_pattern: row.pattern,
        metric_transformations: [row.transformation],
        creation_time: row.created.as_millis(),
        log_group_name: group.to_owned(),
        apply_on_transformed_logs: false,
        emit_system_field_dimensions: row.system_dimensions.into_iter().collect(),
    })
}

impl Described {
    fn is_of(&self, (namespace, name): (&str, &str)) -> bool {
        let [transformation] = &self.metric_transformations;
        &*transformation.metric_namespace == namespace && &*transformation.metric_name == name
    }
}

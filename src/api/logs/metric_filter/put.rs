use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::super::fault::{INVALID_PARAMETER, LIMIT_EXCEEDED};
use super::super::group;
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::service::Constraints;
use crate::monitor::{MetricFilterRow, filter_name, filter_prefix, kind};
use crate::query::log_metric::{MetricFilterFault, MetricTransformation, SystemField};
use crate::store::ResourceChanges;

/// Source: CloudWatch Logs quotas.
const FILTERS_OF_A_GROUP_MAX: usize = 100;
/// Source: "Filter pattern syntax": filters of one group that use a regular expression.
const REGEX_FILTERS_OF_A_GROUP_MAX: usize = 5;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::logs) struct Input {
    log_group_name: Arc<str>,
    filter_name: Arc<str>,
    filter_pattern: String,
    metric_transformations: Vec<MetricTransformation>,
    apply_on_transformed_logs: Option<bool>,
    field_selection_criteria: Option<String>,
    #[serde(default)]
    emit_system_field_dimensions: Vec<SystemField>,
}

/// Makes or replaces a metric filter.
///
/// Source: CloudWatch Logs API Reference, PutMetricFilter.
/// Differs: what needs log transformers is refused by name, since there are none here.
pub(in crate::api::logs) async fn run(call: Call, input: Input) -> Answer<()> {
    check(&input)?;
    call.concerns("AWS::Logs::MetricFilter", &input.filter_name);
    group::existing(&call, &input.log_group_name)?;
    let Some(transformation) = input.metric_transformations.into_iter().next() else {
        return Err(INVALID_PARAMETER.because("A metric transformation is required."));
    };
    let row = MetricFilterRow {
        pattern: input.filter_pattern,
        transformation,
        created: call.now(),
        system_dimensions: input.emit_system_field_dimensions.into_iter().collect(),
    };
    row.compile().map_err(|fault| {
        INVALID_PARAMETER.because(match fault {
            MetricFilterFault::Pattern(fault) => format!("Invalid filter pattern: {fault}"),
            other => format!("Invalid metric transformation: {other}."),
        })
    })?;
    let name = filter_name(&input.log_group_name, &input.filter_name);
    check_quotas(&call, &input.log_group_name, (&name, &row)).await?;
    call.apply(ResourceChanges::new().put(kind::METRIC_FILTER, &name, &row)?).await?;
    Ok(call.state().monitor.logs().reload(call.scope(), &input.log_group_name).await?)
}

fn check(input: &Input) -> Answer<()> {
    group::check_name(&input.log_group_name)?;
    super::check_name(&input.filter_name)?;
    let mut constraints = Constraints::new()
        .length("filterPattern", &input.filter_pattern, 0, 1024)
        .count("metricTransformations", input.metric_transformations.len(), 1, 1);
    for transformation in &input.metric_transformations {
        let at = |member: &str| format!("metricTransformations.1.member.{member}");
        let named = |c: Constraints, member: &str, value: &str| {
            let plain = !value.contains([':', '*', '$']);
            c.length(&at(member), value, 0, 255).pattern(&at(member), value, plain, "[^:*$]*")
        };
        constraints = named(constraints, "metricName", &transformation.metric_name);
        constraints = named(constraints, "metricNamespace", &transformation.metric_namespace);
        constraints = constraints.length(&at("metricValue"), &transformation.metric_value, 0, 100);
        for (name, value) in &transformation.dimensions {
            constraints = constraints.length(&at("dimensions"), name, 0, 255).length(
                &at("dimensions"),
                value,
                0,
                255,
            );
        }
    }
    constraints.done(INVALID_PARAMETER)?;
    refuse_unsupported(input.apply_on_transformed_logs, input.field_selection_criteria.as_deref())?;
    let fields = &input.emit_system_field_dimensions;
    if fields.iter().collect::<BTreeSet<_>>().len() != fields.len() {
        return Err(INVALID_PARAMETER.because("emitSystemFieldDimensions holds a field twice."));
    }
    Ok(())
}

/// Refuses what a filter of either kind can ask for and this server does not do.
pub(in crate::api::logs) fn refuse_unsupported(
    apply_on_transformed_logs: Option<bool>,
    field_selection_criteria: Option<&str>,
) -> Answer<()> {
    let refused = |what: &str| Err(INVALID_PARAMETER.because(format!("{what} not supported here")));
    if apply_on_transformed_logs == Some(true) {
        return refused("applyOnTransformedLogs needs a log transformer, and those are");
    }
    match field_selection_criteria {
        Some(criteria) if !criteria.trim().is_empty() => refused("fieldSelectionCriteria is"),
        _ => Ok(()),
    }
}

async fn check_quotas(
    call: &Call,
    group: &str,
    (name, row): (&str, &MetricFilterRow),
) -> Answer<()> {
    let filters = call.all::<MetricFilterRow>(kind::METRIC_FILTER, &filter_prefix(group)).await?;
    let others: BTreeMap<_, _> = filters.into_iter().filter(|(known, _)| known != name).collect();
    let exceeded = || -> ApiError { LIMIT_EXCEEDED.because("Resource limit exceeded.") };
    if others.len() >= FILTERS_OF_A_GROUP_MAX {
        return Err(exceeded());
    }
    let uses_regex = |row: &MetricFilterRow| row.pattern.contains('%');
    let regexes = others.values().filter(|row| uses_regex(row)).count();
    if uses_regex(row) && regexes >= REGEX_FILTERS_OF_A_GROUP_MAX {
        return Err(exceeded());
    }
    Ok(())
}

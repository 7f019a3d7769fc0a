use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reading::{self, check_one_page, trace_ids};
use super::shapes::{HistogramEntry, Service, Summary, histogram, services};
use super::{INVALID_REQUEST, group};
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::query::trace::{EntitySelector, ServiceGraph, Statistics, Trace};
use crate::time::{Period, TimeRange, Timestamp};

const HOURS_MAX: u32 = 6;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TraceGraphInput {
    trace_ids: Vec<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TraceGraphOutput {
    services: Vec<Service>,
}

/// Source: X-Ray API Reference, GetTraceGraph.
pub(super) async fn of_traces(call: Call, input: TraceGraphInput) -> Answer<TraceGraphOutput> {
    check_one_page("GetTraceGraph", input.next_token.as_deref())?;
    let ids = trace_ids(&input.trace_ids)?;
    let found = call.state().store.traces().get(call.scope(), &ids).await?;
    let assemble = |found: &crate::store::Trace| {
        Trace::assemble(found.id, found.segments.iter().map(AsRef::as_ref))
    };
    let traces: Vec<Trace> = found.iter().map(assemble).collect();
    Ok(TraceGraphOutput { services: services(&ServiceGraph::of(&traces)) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ServiceGraphInput {
    start_time: Instant,
    end_time: Instant,
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ServiceGraphOutput {
    start_time: Instant,
    end_time: Instant,
    services: Vec<Service>,
    contains_old_group_versions: bool,
}

/// Source: X-Ray API Reference, GetServiceGraph: traces with segments that were under way.
/// Differs: a group's expression is applied when the graph is asked for, so that no graph holds
/// traces that an older version of it let in.
pub(super) async fn of_range(call: Call, input: ServiceGraphInput) -> Answer<ServiceGraphOutput> {
    check_one_page("GetServiceGraph", input.next_token.as_deref())?;
    let range = reading::range(input.start_time.0, input.end_time.0, HOURS_MAX)?;
    let asked = (input.group_name.as_deref(), input.group_arn.as_deref());
    let traces = traces(&call, range, asked).await?;
    Ok(ServiceGraphOutput {
        start_time: input.start_time,
        end_time: input.end_time,
        services: services(&ServiceGraph::of(&traces)),
        contains_old_group_versions: false,
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SeriesInput {
    start_time: Instant,
    end_time: Instant,
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
    entity_selector_expression: Option<String>,
    period: Option<u32>,
    #[serde(default)]
    forecast_statistics: bool,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SeriesOutput {
    time_series_service_statistics: Vec<Point>,
    contains_old_group_versions: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    timestamp: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    edge_summary_statistics: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_summary_statistics: Option<Summary>,
    response_time_histogram: Vec<HistogramEntry>,
}

/// Statistics by period; without a selector those of the calls that enter from outside.
///
/// Source: X-Ray API Reference, GetTimeSeriesServiceStatistics.
pub(super) async fn series(call: Call, input: SeriesInput) -> Answer<SeriesOutput> {
    check_one_page("GetTimeSeriesServiceStatistics", input.next_token.as_deref())?;
    let range = reading::range(input.start_time.0, input.end_time.0, HOURS_MAX)?;
    if input.forecast_statistics {
        let why = "ForecastStatistics is not supported here: faults are not forecast.";
        return Err(INVALID_REQUEST.because(why));
    }
    let period = match input.period {
        None | Some(60) => Period::MINUTE,
        Some(300) => Period::FIVE_MINUTES,
        Some(_) => return Err(INVALID_REQUEST.because("Period must be 60 or 300.")),
    };
    let invalid = |error| INVALID_REQUEST.because(format!("Invalid entity selector: {error}"));
    let selector = input.entity_selector_expression.as_deref();
    let selector = selector.map(EntitySelector::parse).transpose().map_err(invalid)?;
    let asked = (input.group_name.as_deref(), input.group_arn.as_deref());
    let traces = traces(&call, range, asked).await?;
    let mut points: BTreeMap<Timestamp, (bool, Statistics)> = BTreeMap::new();
    for trace in &traces {
        let selected = match &selector {
            Some(selector) => selector.select(trace),
            None => trace.root().map(|root| (true, root)).into_iter().collect(),
        };
        for (is_edge, segment) in selected {
            let at = Timestamp::from_secs_f64(segment.start);
            if range.contains(at) {
                let (of_edges, counted) = points.entry(at.floor(period)).or_default();
                *of_edges = is_edge;
                counted.add(segment);
            }
        }
    }
    let time_series_service_statistics = points.into_iter().map(point).collect();
    Ok(SeriesOutput { time_series_service_statistics, contains_old_group_versions: false })
}

fn point((at, (of_edges, counted)): (Timestamp, (bool, Statistics))) -> Point {
    let summary = Summary::from(&counted);
    let (edge, service) = if of_edges { (Some(summary), None) } else { (None, Some(summary)) };
    Point {
        timestamp: at.into(),
        edge_summary_statistics: edge,
        service_summary_statistics: service,
        response_time_histogram: histogram(&counted.response_times),
    }
}

/// Traces of a group, or all, that were under way in `range`.
async fn traces(
    call: &Call,
    range: TimeRange,
    (name, arn): (Option<&str>, Option<&str>),
) -> Answer<Vec<Trace>> {
    let expression = match (name, arn) {
        (None, None) => None,
        (name, arn) => group::by_name_or_arn(call, name, arn).await?.filter_expression,
    };
    let filter = reading::filter(call, expression.as_deref()).await?;
    let found = reading::near(call, range).await?.into_iter();
    let wanted = found.filter(|read| read.is_active_in(range));
    Ok(wanted.filter(|read| filter.matches(&read.trace, &read.facts)).map(|r| r.trace).collect())
}

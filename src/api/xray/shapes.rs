//! Shapes that several operations answer with.

use serde::Serialize;

use crate::api::wire::Instant;
use crate::query::trace::{
    EdgeKind, GraphNode, ResponseTimes, ServiceGraph, ServiceId, Statistics,
};
use crate::time::Timestamp;

/// Source: X-Ray API Reference, `ServiceId`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedService {
    name: String,
    names: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "Type")]
    kind: Option<String>,
}

impl From<&ServiceId> for NamedService {
    fn from(service: &ServiceId) -> Self {
        Self {
            name: service.name.clone(),
            names: [service.name.clone()],
            account_id: service.account_id.clone(),
            kind: service.kind.clone(),
        }
    }
}

/// Source: X-Ray API Reference, `ServiceStatistics` and `EdgeStatistics`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    ok_count: u64,
    error_statistics: Errors,
    fault_statistics: Faults,
    total_count: u64,
    total_response_time: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Errors {
    throttle_count: u64,
    other_count: u64,
    total_count: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Faults {
    other_count: u64,
    total_count: u64,
}

impl From<&Statistics> for Summary {
    fn from(counted: &Statistics) -> Self {
        Self {
            ok_count: counted.ok,
            error_statistics: Errors {
                throttle_count: counted.throttled,
                other_count: counted.errors,
                total_count: counted.throttled + counted.errors,
            },
            fault_statistics: Faults { other_count: counted.faults, total_count: counted.faults },
            total_count: counted.total(),
            total_response_time: counted.total_response_time,
        }
    }
}

/// Source: X-Ray API Reference, `HistogramEntry`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HistogramEntry {
    value: f64,
    count: u64,
}

/// A histogram's entries, by value.
pub(super) fn histogram(times: &ResponseTimes) -> Vec<HistogramEntry> {
    times.entries().map(|(value, count)| HistogramEntry { value, count }).collect()
}

/// Source: X-Ray API Reference, `Service`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Service {
    reference_id: usize,
    #[serde(flatten)]
    id: NamedService,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<bool>,
    state: &'static str,
    start_time: Instant,
    end_time: Instant,
    edges: Vec<Edge>,
    #[serde(flatten)]
    own: Option<Own>,
}

/// What a node's own segments say; a client has none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Own {
    summary_statistics: Summary,
    duration_histogram: Vec<HistogramEntry>,
    response_time_histogram: Vec<HistogramEntry>,
}

/// Source: X-Ray API Reference, `Edge`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Edge {
    reference_id: usize,
    start_time: Instant,
    end_time: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_statistics: Option<Summary>,
    response_time_histogram: Vec<HistogramEntry>,
    aliases: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    edge_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    received_event_age_histogram: Vec<HistogramEntry>,
}

/// The nodes of a graph, as the API lists them.
pub(super) fn services(graph: &ServiceGraph) -> Vec<Service> {
    graph.nodes.iter().enumerate().map(|(at, node)| service(at, node)).collect()
}

fn service(reference_id: usize, node: &GraphNode) -> Service {
    let (start, end) = node.active;
    let statistics = &node.statistics;
    Service {
        reference_id,
        id: (&node.service).into(),
        root: node.is_root.then_some(true),
        state: if node.is_client { "unknown" } else { "active" },
        start_time: Timestamp::from_secs_f64(start).into(),
        end_time: Timestamp::from_secs_f64(end).into(),
        edges: node.edges.iter().map(edge).collect(),
        own: (!node.is_client).then(|| Own {
            summary_statistics: statistics.into(),
            duration_histogram: histogram(&statistics.response_times),
            response_time_histogram: histogram(&statistics.response_times),
        }),
    }
}

fn edge(edge: &crate::query::trace::Edge) -> Edge {
    let (start, end) = edge.active;
    let is_link = edge.kind == EdgeKind::Link;
    Edge {
        reference_id: edge.to,
        start_time: Timestamp::from_secs_f64(start).into(),
        end_time: Timestamp::from_secs_f64(end).into(),
        summary_statistics: (!is_link).then(|| (&edge.statistics).into()),
        response_time_histogram: histogram(&edge.statistics.response_times),
        aliases: [],
        edge_type: is_link.then_some("link"),
        received_event_age_histogram: histogram(&edge.ages),
    }
}

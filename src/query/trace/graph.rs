//! The service graph: who called whom, how often, how long and how well.

use std::collections::{BTreeMap, HashMap};

use super::assemble::Trace;
use super::document::{Flags, Segment};
use super::facts::ServiceId;
use super::filter::edges;

/// Nodes and edges over a set of traces.
///
/// Source: X-Ray API Reference, GetServiceGraph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceGraph {
    /// Nodes; a node's reference is its position.
    pub nodes: Vec<GraphNode>,
}

/// One service, or a client in front of one.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphNode {
    /// Which.
    pub service: ServiceId,
    /// Traces enter here.
    pub is_root: bool,
    /// A client, of which nothing is known but its calls.
    pub is_client: bool,
    /// First and last instant of its segments, epoch seconds.
    pub active: (f64, f64),
    /// Its own segments.
    pub statistics: Statistics,
    /// Calls to other nodes.
    pub edges: Vec<Edge>,
}

/// Calls from one node to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Position of the callee.
    pub to: usize,
    /// How the two belong together.
    pub kind: EdgeKind,
    /// First and last instant, epoch seconds.
    pub active: (f64, f64),
    /// The calls, as the caller saw them; nothing for a link.
    pub statistics: Statistics,
    /// For a link: from the end of what was sent to the start of what received it.
    pub ages: ResponseTimes,
}

/// How two nodes belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// One called the other.
    Call,
    /// What one sent was received by the other in a trace of its own.
    Link,
}

/// Counts of requests by outcome. Only completed ones count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Neither error nor fault.
    pub ok: u64,
    /// Throttled.
    pub throttled: u64,
    /// Other client errors.
    pub errors: u64,
    /// Server faults.
    pub faults: u64,
    /// Seconds, all together.
    pub total_response_time: f64,
    /// How long they took.
    pub response_times: ResponseTimes,
}

/// A sparse histogram of response times: seconds to three significant digits, and how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseTimes(BTreeMap<u64, u64>);

impl Statistics {
    /// All completed requests.
    pub const fn total(&self) -> u64 {
        self.ok + self.throttled + self.errors + self.faults
    }

    /// Counts one request.
    pub fn add(&mut self, segment: &Segment) {
        if segment.end.is_none() || segment.flags.in_progress {
            return;
        }
        // Of several flags the worst counts.
        let count = match segment.flags {
            Flags { fault: true, .. } => &mut self.faults,
            Flags { throttle: true, .. } => &mut self.throttled,
            Flags { error: true, .. } => &mut self.errors,
            _ => &mut self.ok,
        };
        *count += 1;
        self.total_response_time += segment.duration();
        self.response_times.add(segment.duration());
    }
}

impl ResponseTimes {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    fn add(&mut self, seconds: f64) {
        // Kept in microseconds, rounded to three significant digits.
        let micros = seconds * 1e6;
        let digits = micros.max(1.0).log10().floor() as i32 - 2;
        let unit = 10_f64.powi(digits.max(0));
        *self.0.entry(((micros / unit).round() * unit) as u64).or_default() += 1;
    }

    /// Seconds and counts, ascending.
    #[expect(clippy::cast_precision_loss, reason = "response times are far below 2^52 us")]
    pub fn entries(&self) -> impl Iterator<Item = (f64, u64)> {
        self.0.iter().map(|(micros, count)| (*micros as f64 / 1e6, *count))
    }
}

impl ServiceGraph {
    /// Counts the graph of these traces.
    pub fn of<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Self {
        let mut graph = Self::default();
        let mut senders = HashMap::new();
        let mut receivers = Vec::new();
        for trace in traces {
            graph.add(trace);
            for segment in trace.segments.iter().filter(|segment| !segment.is_inferred) {
                segment.walk(&mut |part| {
                    senders.insert((trace.id, part.id.as_str()), (segment, part));
                    let links = part.links.iter();
                    receivers.extend(links.map(|(trace, id)| (*trace, id.as_str(), segment)));
                });
            }
        }
        for (trace, id, receiver) in receivers {
            if let Some((owner, sender)) = senders.get(&(trace, id)) {
                graph.link(owner, sender, receiver);
            }
        }
        graph
    }

    fn link(&mut self, owner: &Segment, sender: &Segment, receiver: &Segment) {
        let from = self.node(owner.service(), false, owner);
        let to = self.node(receiver.service(), false, receiver);
        if let Some(edge) = self.edge(from, (to, EdgeKind::Link), receiver) {
            let sent = sender.end.unwrap_or(sender.start);
            edge.ages.add((receiver.start - sent).max(0.0));
        }
    }

    fn add(&mut self, trace: &Trace) {
        for segment in trace.segments.iter().filter(|segment| !segment.is_subsegment) {
            let at = self.node(segment.service(), false, segment);
            if let Some(node) = self.nodes.get_mut(at) {
                node.statistics.add(segment);
            }
        }
        for (caller, call, callee) in edges(trace) {
            let from = self.node(caller.service(), false, caller);
            let to = self.node(callee.service(), false, callee);
            self.call(from, to, call);
        }
        if let Some(root) = trace.root() {
            let to = self.node(root.service(), false, root);
            if let Some(node) = self.nodes.get_mut(to) {
                node.is_root = true;
            }
            let client = ServiceId { kind: Some("client".to_owned()), ..root.service() };
            let from = self.node(client, true, root);
            self.call(from, to, root);
        }
    }

    fn node(&mut self, service: ServiceId, is_client: bool, segment: &Segment) -> usize {
        let span = (segment.start, segment.end.unwrap_or(segment.start));
        let known = self.nodes.iter().position(|node| node.service == service);
        if let Some(node) = known.and_then(|at| self.nodes.get_mut(at)) {
            node.active = joined(node.active, span);
        }
        known.unwrap_or_else(|| {
            let (statistics, edges) = (Statistics::default(), Vec::new());
            let active = span;
            self.nodes.push(GraphNode {
                service,
                is_root: false,
                is_client,
                active,
                statistics,
                edges,
            });
            self.nodes.len() - 1
        })
    }

    fn call(&mut self, from: usize, to: usize, call: &Segment) {
        if let Some(edge) = self.edge(from, (to, EdgeKind::Call), call) {
            edge.statistics.add(call);
        }
    }

    fn edge(
        &mut self,
        from: usize,
        (to, kind): (usize, EdgeKind),
        call: &Segment,
    ) -> Option<&mut Edge> {
        let node = self.nodes.get_mut(from)?;
        let active = (call.start, call.end.unwrap_or(call.start));
        let known = node.edges.iter().position(|edge| edge.to == to && edge.kind == kind);
        let at = known.unwrap_or_else(|| {
            let (statistics, ages) = (Statistics::default(), ResponseTimes::default());
            node.edges.push(Edge { to, kind, active, statistics, ages });
            node.edges.len() - 1
        });
        let edge = node.edges.get_mut(at)?;
        edge.active = joined(edge.active, active);
        Some(edge)
    }
}

fn joined(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

use serde_json::{Value, json};

use super::{DocumentFault, ServiceGraph, Trace, TraceFilter, read_document};
use crate::telemetry::TraceId;

const TRACE: &str = "1-581cf771-a006649127e371903a2de979";

fn trace(documents: &[Value]) -> Trace {
    let read = |document: &Value| {
        let mut document = document.clone();
        document["trace_id"] = TRACE.into();
        read_document(&document.to_string()).expect("a document")
    };
    let documents: Vec<_> = documents.iter().map(read).collect();
    Trace::assemble(TraceId::parse(TRACE).unwrap(), &documents)
}

/// A shop that asks a table and a topic; the second call fails and is handled.
fn shop() -> Trace {
    trace(&[
        json!({"id": "000000000000000b", "name": "topic-call", "type": "subsegment",
            "parent_id": "0000000000000001", "namespace": "aws", "start_time": 1.2, "end_time": 1.3,
            "name": "SNS", "fault": true, "annotations": {"kind": "late"}}),
        json!({"id": "0000000000000001", "name": "shop", "origin": "AWS::EC2::Instance",
        "start_time": 1.0, "end_time": 2.0, "user": "ann",
        "http": {"request": {"method": "GET", "url": "http://shop/cart"},
                     "response": {"status": 200}},
        "annotations": {"cart": 3, "vip": true, "tier.name": "gold", "list": [1]},
        "aws": {"ec2": {"instance_id": "i-1", "availability_zone": "a"}},
        "subsegments": [
            {"id": "000000000000000a", "name": "DynamoDB", "namespace": "aws",
             "start_time": 1.1, "end_time": 1.15, "aws": {"table_name": "carts"}},
            {"id": "000000000000000c", "name": "local", "start_time": 1.4, "end_time": 1.5},
            {"id": "000000000000000d", "name": "pay", "namespace": "remote",
             "start_time": 1.5, "end_time": 1.9, "http": {"request": {"traced": true}}}
        ]}),
        json!({"id": "0000000000000002", "parent_id": "000000000000000d", "name": "pay",
            "start_time": 1.6, "end_time": 1.8, "error": true}),
    ])
}

#[test]
fn documents_in_any_order_form_one_trace() {
    let trace = shop();
    let names: Vec<&str> = trace.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["shop", "carts", "SNS", "pay"]);
    assert_eq!(trace.segments[0].subsegments.len(), 4);
    assert!(trace.segments[1].is_inferred);
    assert_eq!(trace.segments[1].origin.as_deref(), Some("AWS::DynamoDB::Table"));
    assert_eq!(trace.root().unwrap().name, "shop");
    let facts = trace.facts();
    assert!((facts.duration - 1.0).abs() < 1e-9 && facts.response_time.is_some());
    assert!(!facts.has_fault && !facts.has_error && !facts.is_partial);
    assert_eq!(facts.services.len(), 4);
    assert_eq!(facts.annotations.len(), 4);
}

#[test]
fn a_complete_document_beats_one_in_progress_in_either_order() {
    let early =
        json!({"id": "0000000000000001", "name": "a", "start_time": 1, "in_progress": true});
    let late = json!({"id": "0000000000000001", "name": "a", "start_time": 1, "end_time": 2});
    for documents in [[early.clone(), late.clone()], [late, early.clone()]] {
        assert!(!trace(&documents).facts().is_partial);
    }
    assert!(trace(&[early]).facts().is_partial);
}

#[test]
fn filters_follow_the_reference() {
    let trace = shop();
    let facts = trace.facts();
    for (filter, expected) in [
        ("", true),
        ("ok", true),
        ("error", false),
        ("!fault", true),
        ("ok = true AND partial = false", true),
        ("responseTime > 0.5", true),
        ("duration < 0.5 OR http.status = 200", true),
        ("ok !partial duration < 3", true),
        ("http.url CONTAINS \"cart\"", true),
        ("http.url BEGINSWITH \"https\"", false),
        ("http.method = \"GET\" and user = \"ann\"", true),
        ("user CONTAINS \"\"", true),
        ("http.useragent", false),
        ("annotation[cart] = 3", true),
        ("annotation.cart > 3", false),
        ("annotation[vip] = true", true),
        ("annotation[tier.name] = \"gold\"", true),
        ("annotation[kind] = \"late\"", true),
        ("!annotation[nope]", true),
        ("service(\"pay\") { error }", true),
        ("service(\"pay\") { fault }", false),
        ("service() { fault }", true),
        ("service(id(type: \"AWS::DynamoDB::Table\"))", true),
        ("!service(\"nope\")", true),
        ("service(\"shop\") { annotation[cart] = 3 }", true),
        ("edge(\"shop\", \"pay\")", true),
        ("edge(\"pay\", \"shop\")", false),
        ("edge(\"shop\", \"SNS\") { fault }", true),
        ("edge(\"shop\", \"pay\") { responsetime > 0.3 }", true),
        ("instance.id = \"i-1\" availabilityzone = \"a\"", true),
    ] {
        let parsed = TraceFilter::parse(filter).expect(filter);
        assert_eq!(parsed.matches(&trace, &facts), expected, "{filter}");
    }
}

#[test]
fn wrong_filters_say_where() {
    for (filter, offset) in [
        ("nope = 1", 0),
        ("duration", 8),
        ("duration > x", 11),
        ("user = ann", 7),
        ("(ok", 3),
        ("service(\"a\") { service(\"b\") }", 15),
        ("service(\"a\") { annotation.x = 1 }", 15),
        ("ok)", 2),
        ("coverage > 0.5", 0),
    ] {
        assert_eq!(TraceFilter::parse(filter).unwrap_err().offset, offset, "{filter}");
    }
    assert!(TraceFilter::parse(&"(".repeat(1500)).is_err());
}

#[test]
fn the_graph_counts_nodes_and_edges() {
    let (one, two) = (shop(), shop());
    let graph = ServiceGraph::of([&one, &two]);
    let named = |name: &str, client: bool| {
        let is = |node: &&super::GraphNode| node.service.name == name && node.is_client == client;
        graph.nodes.iter().find(is).unwrap()
    };
    let shop = named("shop", false);
    assert!(shop.is_root);
    assert_eq!((shop.statistics.ok, shop.statistics.total()), (2, 2));
    let callees: Vec<&str> =
        shop.edges.iter().map(|edge| graph.nodes[edge.to].service.name.as_str()).collect();
    assert_eq!(callees, ["carts", "pay", "SNS"]);
    assert_eq!(shop.edges[2].statistics.faults, 2);
    assert_eq!(named("pay", false).statistics.errors, 2);
    let client = named("shop", true);
    assert_eq!(client.edges[0].statistics, shop.statistics);
    let times: Vec<(f64, u64)> = shop.edges[0].statistics.response_times.entries().collect();
    assert_eq!(times, [(0.05, 2)]);
}

#[test]
fn bad_documents_are_refused_by_name() {
    let good = json!({"id": "0000000000000001", "trace_id": TRACE, "name": "a",
        "start_time": 1, "end_time": 2});
    let with = |key: &str, value: Value| {
        let mut document = good.clone();
        document[key] = value;
        document.to_string()
    };
    for (document, fault) in [
        ("[]".to_owned(), DocumentFault::ParseError),
        ("{".to_owned(), DocumentFault::ParseError),
        ("{}".to_owned(), DocumentFault::MissingId),
        (with("id", "xyz".into()), DocumentFault::InvalidId),
        (with("trace_id", "1-2-3".into()), DocumentFault::InvalidTraceId),
        (with("name", Value::Null), DocumentFault::MissingName),
        (with("name", "a?b".into()), DocumentFault::InvalidName),
        (with("end_time", Value::Null), DocumentFault::InvalidTime),
        (with("metadata", "x".repeat(65_536).into()), DocumentFault::SegmentTooLarge),
    ] {
        assert_eq!(read_document(&document).unwrap_err().1, fault, "{document:.80}");
    }
}

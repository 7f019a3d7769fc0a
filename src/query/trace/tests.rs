use serde_json::{Value, json};

use super::{
    DocumentFault, EdgeKind, EntitySelector, GroupReference, ServiceGraph, Trace, TraceFilter,
    processed, read_document,
};
use crate::telemetry::TraceId;

const TRACE: &str = "1-581cf771-a006649127e371903a2de979";

fn trace(documents: &[Value]) -> Trace {
    let read = |document: &Value| {
        let mut document = document.clone();
        document["trace_id"] = TRACE.into();
        read_document(document.to_string().into()).expect("a document")
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
        ("first", 0),
        ("rootcause.fault.service { user = \"a\" }", 26),
        ("rootcause.fault { name = \"a\" }", 0),
        ("rootcause.responsetime.exception { name = \"a\" }", 0),
        ("rootcause.json = #{}", 18),
        ("service(\"a\") { source.annotation[x] = 1 }", 15),
        ("service(\"a\") { group.name = \"x\" }", 15),
        ("service(\"a\") { fault", 20),
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
        (with("start_time", Value::Null), DocumentFault::MissingStartTime),
        (with("end_time", Value::Null), DocumentFault::MissingEndTime),
        (with("type", "subsegment".into()), DocumentFault::MissingParentId),
        (with("metadata", "x".repeat(65_536).into()), DocumentFault::SegmentTooLarge),
    ] {
        assert_eq!(read_document(document.as_str().into()).unwrap_err().1, fault, "{document:.80}");
    }
}

/// A shop whose payment fails inside a remote service, which the customer sees.
fn failing() -> Trace {
    trace(&[
        json!({"id": "0000000000000001", "name": "shop", "start_time": 0.0, "end_time": 10.0,
        "fault": true, "annotations": {"tenant": "blue"},
        "subsegments": [
            {"id": "000000000000000a", "name": "quick", "start_time": 0.0, "end_time": 1.0},
            {"id": "000000000000000b", "name": "pay", "namespace": "remote", "fault": true,
             "start_time": 1.0, "end_time": 9.0,
             "cause": {"exceptions": [{"type": "HTTPError", "message": "502"}]}}
        ]}),
        json!({"id": "0000000000000002", "parent_id": "000000000000000b", "name": "pay",
            "origin": "AWS::ECS::Container", "start_time": 1.5, "end_time": 8.5, "fault": true,
            "annotations": {"card": "visa"},
            "subsegments": [{"id": "000000000000000c", "name": "charge", "fault": true,
                "start_time": 2.0, "end_time": 8.0,
                "cause": {"exceptions": [{"type": "Timeout", "message": "bank is silent"}]}}]}),
    ])
}

#[test]
fn root_causes_follow_what_failed_and_what_took_long() {
    let causes = failing().root_causes();
    let shown = serde_json::to_value(&causes.fault).unwrap();
    assert_eq!(
        shown,
        json!([{"ClientImpacting": true, "Services": [
            {"Name": "shop", "Names": ["shop"], "Inferred": false, "EntityPath": [
                {"Name": "shop", "Exceptions": [], "Remote": false},
                {"Name": "pay", "Remote": true,
                 "Exceptions": [{"Name": "HTTPError", "Message": "502"}]}]},
            {"Name": "pay", "Names": ["pay"], "Type": "AWS::ECS::Container", "Inferred": false,
             "EntityPath": [
                {"Name": "pay", "Exceptions": [], "Remote": false},
                {"Name": "charge", "Remote": false,
                 "Exceptions": [{"Name": "Timeout", "Message": "bank is silent"}]}]}
        ]}])
    );
    let longest: Vec<(&str, f64)> = causes.response_time[0]
        .services
        .iter()
        .flat_map(|service| &service.entity_path)
        .map(|entity| (entity.name.as_str(), entity.coverage.unwrap()))
        .collect();
    assert_eq!(longest, [("shop", 1.0), ("pay", 0.8), ("pay", 0.7), ("charge", 0.6)]);
    assert!(causes.error.is_empty());
    let handled = shop().root_causes();
    assert_eq!(handled.fault.len(), 1);
    assert!(!handled.fault[0].client_impacting);
}

#[test]
fn filters_look_at_root_causes_edges_and_their_ends() {
    let trace = failing();
    let facts = trace.facts();
    for (filter, expected) in [
        ("rootcause.fault.service { name = \"pay\" }", true),
        ("rootcause.fault.service { name = \"pay\" AND last }", true),
        ("rootcause.fault.service { name = \"pay\" AND first }", false),
        ("rootcause.fault.service { type = \"AWS::ECS::Container\" index = 1 }", true),
        ("rootcause.fault.entity { name = \"charge\" }", true),
        ("rootcause.fault.entity { name = \"pay\" and remote }", true),
        ("rootcause.fault.exception { last and message = \"bank is silent\" }", true),
        ("rootcause.fault.exception { first and message CONTAINS \"bank\" }", false),
        ("rootcause.error.service { name = \"pay\" }", false),
        ("rootcause.responsetime.entity { name = \"charge\" coverage >= 0.5 }", true),
        ("rootcause.responsetime.entity { name = \"quick\" }", false),
        (r#"rootcause.json = #[{"Services": [{"Name": "shop"}, {"Name": "pay"}]}]"#, true),
        (r#"rootcause.json = #[{"Services": [{"Name": "pay"}, {"Name": "shop"}]}]"#, false),
        (r#"rootcause.json = #[{"Services": [{"Name": "shop"}]}] AND fault"#, false),
        ("edge() { source.annotation[tenant] = \"blue\" }", true),
        ("edge(\"shop\", \"pay\") { destination.annotation[card] = \"visa\" }", true),
        ("edge(\"shop\", \"pay\") { annotation[card] = \"visa\" }", false),
        ("service(\"pay\") { annotation[\"card\"] BEGINSWITH \"vi\" }", true),
        ("http.status = 200 OR fault = true", true),
        ("service(\"pay\") { fault } AND !ok", true),
    ] {
        let parsed = TraceFilter::parse(filter).expect(filter);
        assert_eq!(parsed.matches(&trace, &facts), expected, "{filter}");
    }
}

#[test]
fn a_group_stands_for_its_expression() {
    let trace = failing();
    let facts = trace.facts();
    let filter = TraceFilter::parse("group.name = \"slow\" AND !ok").unwrap();
    let groups = filter.groups();
    assert_eq!(groups, [GroupReference::Name("slow".to_owned())]);
    assert!(!filter.matches(&trace, &facts));
    let slow = TraceFilter::parse("duration > 5").unwrap();
    assert!(filter.clone().with_group(&groups[0], &slow).matches(&trace, &facts));
    let slower = TraceFilter::parse("duration > 50").unwrap();
    assert!(!filter.with_group(&groups[0], &slower).matches(&trace, &facts));
}

#[test]
fn a_selector_picks_segments_or_calls() {
    let trace = failing();
    let picked = |source: &str| -> Vec<(bool, String)> {
        let selector = EntitySelector::parse(source).expect(source);
        selector.select(&trace).iter().map(|(edge, s)| (*edge, s.id.clone())).collect()
    };
    let (pay, call) = ("0000000000000002".to_owned(), "000000000000000b".to_owned());
    assert_eq!(picked("service(\"pay\")"), [(false, pay.clone())]);
    assert_eq!(picked("id(name: \"pay\", type: \"AWS::ECS::Container\")"), [(false, pay)]);
    assert_eq!(picked("edge(\"shop\", \"pay\") { fault }"), [(true, call)]);
    assert!(EntitySelector::parse("fault").is_err());
}

#[test]
fn the_51st_annotation_is_kept_and_not_searched() {
    let annotations: serde_json::Map<String, Value> =
        (0..51).map(|n| (format!("k{n:02}"), n.into())).collect();
    let trace = trace(&[json!({"id": "0000000000000001", "name": "a", "start_time": 1,
        "end_time": 2, "annotations": annotations})]);
    let facts = trace.facts();
    assert_eq!(facts.annotations.len(), 50);
    let holds = |filter: &str| TraceFilter::parse(filter).unwrap().matches(&trace, &facts);
    assert!(holds("annotation[k49] = 49") && !holds("annotation[k50] = 50"));
}

#[test]
fn processed_documents_hold_their_subsegments_and_what_was_inferred() {
    let sent = |mut document: Value| {
        document["trace_id"] = TRACE.into();
        std::sync::Arc::new(read_document(document.to_string().into()).unwrap())
    };
    let documents = [
        sent(json!({"id": "000000000000000b", "name": "inner", "type": "subsegment",
            "parent_id": "000000000000000a", "start_time": 1.2, "end_time": 1.3})),
        sent(json!({"id": "000000000000000a", "name": "queue", "type": "subsegment",
            "parent_id": "0000000000000001", "namespace": "aws", "start_time": 1.1,
            "end_time": 1.4, "aws": {"queue_url": "http://q/1/jobs"}, "metadata": {"m": 1}})),
        sent(json!({"id": "0000000000000001", "name": "a", "start_time": 1, "end_time": 2})),
    ];
    let found = processed(TraceId::parse(TRACE).unwrap(), &documents);
    let read: Vec<Value> =
        found.iter().map(|document| serde_json::from_str(&document.text).unwrap()).collect();
    assert_eq!(read.len(), 2);
    let queue = &read[0]["subsegments"][0];
    assert_eq!(queue["metadata"], json!({"m": 1}));
    assert_eq!(queue["subsegments"][0]["name"], "inner");
    assert_eq!(queue.get("trace_id"), None);
    assert_eq!(read[1]["inferred"], true);
    assert_eq!(read[1]["name"], "jobs");
    assert_eq!(read[1]["parent_id"], "000000000000000a");
}

#[test]
fn a_link_is_an_edge_between_traces_with_the_age_of_what_was_received() {
    let sender = trace(&[json!({"id": "0000000000000001", "name": "sender", "start_time": 1.0,
        "end_time": 2.0})]);
    let mut receiver = trace(&[json!({"id": "0000000000000002", "name": "receiver",
        "start_time": 5.0, "end_time": 6.0,
        "links": [{"trace_id": TRACE, "id": "0000000000000001"}]})]);
    receiver.id = TraceId::parse("1-581cf772-a006649127e371903a2de979").unwrap();
    let graph = ServiceGraph::of([&receiver, &sender]);
    let node = graph.nodes.iter().find(|node| node.service.name == "sender").unwrap();
    let edge = &node.edges[0];
    assert_eq!(edge.kind, EdgeKind::Link);
    assert_eq!(graph.nodes[edge.to].service.name, "receiver");
    assert_eq!(edge.ages.entries().collect::<Vec<_>>(), [(3.0, 1)]);
    assert_eq!(edge.statistics.total(), 0);
}

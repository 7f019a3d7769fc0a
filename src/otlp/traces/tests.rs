use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::{Value, json};

use super::segments;
use crate::query::trace::read_document;

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let text = |text: &str| Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) });
    let pair = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: text(value),
        ..KeyValue::default()
    };
    pairs.iter().map(pair).collect()
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(kind: SpanKind, parent: u8) -> Span {
    Span {
        trace_id: [7; 16].to_vec(),
        span_id: [1; 8].to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { [parent; 8].to_vec() },
        name: "GET /cart".to_owned(),
        kind: kind as i32,
        start_time_unix_nano: 1_700_000_000_500_000_000,
        end_time_unix_nano: 1_700_000_001_750_000_000,
        ..Span::default()
    }
}

fn documents(span: Span) -> Vec<Value> {
    let resource = attributes(&[
        ("service.name", "shop"),
        ("service.version", "1.2"),
        ("cloud.platform", "aws_ec2"),
        ("host.id", "i-1"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", "python"),
    ]);
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: resource, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    let (found, rejected) = segments(&request);
    assert!(rejected.is_empty(), "{rejected:?}");
    let read = |segment: crate::telemetry::TraceSegment| {
        let again =
            read_document(std::sync::Arc::clone(&segment.document)).expect("X-Ray takes it");
        assert_eq!((&again.id, again.trace_id), (&segment.id, segment.trace_id));
        assert!((again.start_time - segment.start_time).abs() < 1e-6);
        serde_json::from_str(&segment.document).unwrap()
    };
    found.into_iter().map(read).collect()
}

#[test]
fn a_server_span_is_a_segment_of_its_service() {
    let mut server = span(SpanKind::Server, 9);
    server.attributes = attributes(&[
        ("http.request.method", "GET"),
        ("url.full", "http://shop/cart"),
        ("user_agent.original", "curl"),
        ("client.address", "10.0.0.1"),
        ("enduser.id", "ann"),
        ("http.route", "/cart"),
    ]);
    server.attributes.push(number("http.response.status_code", 429));
    server.attributes.push(number("cart-items", 3));
    let document = &documents(server)[0];
    assert_eq!(document["name"], "shop");
    assert_eq!(document["trace_id"], "1-07070707-070707070707070707070707");
    assert_eq!(document["parent_id"], "0909090909090909");
    assert_eq!(document["end_time"].as_f64(), Some(1_700_000_001.75));
    assert_eq!(document.get("type"), None);
    assert_eq!(document["origin"], "AWS::EC2::Instance");
    assert_eq!(document["aws"]["ec2"]["instance_id"], "i-1");
    assert_eq!(document["aws"]["xray"]["sdk"], "opentelemetry for python");
    assert_eq!(document["service"]["version"], "1.2");
    assert_eq!(document["user"], "ann");
    assert_eq!((&document["error"], &document["throttle"]), (&json!(true), &json!(true)));
    assert_eq!(document.get("fault"), None);
    assert_eq!(document["http"]["response"]["status"], 429);
    assert_eq!(document["http"]["request"]["x_forwarded_for"], true);
    assert_eq!(document["annotations"], json!({"http.route": "/cart", "cart_items": 3}));
    assert_eq!(document["metadata"]["default"]["otel.resource.service.name"], "shop");
}

#[test]
fn a_call_inside_is_a_subsegment_and_one_without_a_parent_a_segment() {
    let mut call = span(SpanKind::Client, 9);
    call.attributes = attributes(&[
        ("rpc.system", "aws-api"),
        ("aws.remote.service", "AWS.SDK.DynamoDB"),
        ("rpc.method", "GetItem"),
        ("aws.table_name", "carts"),
    ]);
    let document = &documents(call)[0];
    assert_eq!((&document["type"], &document["namespace"]), (&json!("subsegment"), &json!("aws")));
    assert_eq!(document["name"], "DynamoDB");
    assert_eq!(document["aws"], json!({"operation": "GetItem", "table_name": "carts"}));
    assert_eq!(documents(span(SpanKind::Internal, 9))[0]["type"], "subsegment");
    assert_eq!(documents(span(SpanKind::Client, 0))[0].get("type"), None);
    assert_eq!(documents(span(SpanKind::Client, 0))[0]["name"], "GET /cart");
}

#[test]
fn a_span_that_is_service_and_call_becomes_two_documents() {
    let mut root = span(SpanKind::Client, 0);
    root.attributes = attributes(&[
        ("aws.span.kind", "LOCAL_ROOT"),
        ("aws.local.service", "worker"),
        ("aws.remote.service", "queue"),
    ]);
    let documents = documents(root);
    assert_eq!(documents[0]["name"], "worker");
    assert_eq!(documents[1]["name"], "queue");
    assert_eq!(documents[1]["parent_id"], documents[0]["id"]);
    assert_eq!(documents[1]["type"], "subsegment");
}

#[test]
fn exceptions_statuses_links_and_databases_are_told() {
    let mut call = span(SpanKind::Client, 9);
    call.status = Some(Status { code: StatusCode::Error as i32, message: "broken".to_owned() });
    call.attributes = attributes(&[
        ("db.system", "postgresql"),
        ("db.name", "carts"),
        ("db.statement", "SELECT 1"),
        ("aws.xray.metadata.debug", "{\"a\": [1]}"),
    ]);
    call.links =
        vec![Link { trace_id: [8; 16].to_vec(), span_id: [2; 8].to_vec(), ..Link::default() }];
    let plain = &documents(call.clone())[0];
    assert_eq!(plain["cause"]["exceptions"][0]["message"], "broken");
    assert_eq!(plain["fault"], true);
    assert_eq!(plain["sql"]["sanitized_query"], "SELECT 1");
    assert_eq!(plain["links"][0]["id"], "0202020202020202");
    assert_eq!(plain["metadata"]["debug"], json!({"a": [1]}));
    call.events = vec![Event {
        name: "exception".to_owned(),
        attributes: attributes(&[
            ("exception.type", "ValueError"),
            ("exception.message", "no"),
            (
                "exception.stacktrace",
                "Traceback:\n  File \"/a.py\", line 1, in main\n    pay()\n  \
                 File \"/b.py\", line 2, in pay\n    raise",
            ),
        ]),
        ..Event::default()
    }];
    let exception = &documents(call)[0]["cause"]["exceptions"][0];
    assert_eq!(exception["type"], "ValueError");
    assert_eq!(exception["remote"], true);
    assert_eq!(exception["stack"][0], json!({"path": "/b.py", "line": 2, "label": "pay"}));
}

#[test]
fn a_span_without_an_end_is_in_progress_and_one_without_ids_is_rejected() {
    let mut open = span(SpanKind::Server, 0);
    open.end_time_unix_nano = 0;
    assert_eq!(documents(open)[0]["in_progress"], true);
    let mut nameless = span(SpanKind::Server, 0);
    nameless.trace_id = vec![0; 16];
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![nameless], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    let (found, rejected) = segments(&request);
    assert_eq!((found.len(), rejected.count), (0, 1));
}

//! Unary gRPC calls against a server of the test, described by itself or by a file.

use std::convert::Infallible;
use std::path::Path;

use coalmine::canary::report::{RunOutcome, Verdict};
use coalmine::runner::RunnerSettings;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

use crate::run_fixture::{Ran, canary_in, run};
use crate::target::Target;

fn field(name: &str, number: i32, kind: Type, repeats: bool) -> FieldDescriptorProto {
    let label = if repeats { Label::Repeated } else { Label::Optional };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field: fields, ..DescriptorProto::default() }
}

/// Two files, one of which needs the other.
fn files() -> [FileDescriptorProto; 2] {
    let file = |name: &str| FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("shop.v1".to_owned()),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let query = field("query", 1, Type::String, false);
    let items = field("items", 1, Type::String, true);
    let in_stock = field("in_stock", 2, Type::Int32, false);
    let messages = FileDescriptorProto {
        message_type: vec![message("Query", vec![query]), message("Found", vec![items, in_stock])],
        ..file("shop/messages.proto")
    };
    let method = |name: &str, streams| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".shop.v1.Query".to_owned()),
        output_type: Some(".shop.v1.Found".to_owned()),
        server_streaming: Some(streams),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Catalogue".to_owned()),
        method: vec![method("Find", false), method("Watch", true)],
        ..ServiceDescriptorProto::default()
    };
    let catalogue = FileDescriptorProto {
        dependency: vec!["shop/messages.proto".to_owned()],
        service: vec![service],
        ..file("shop/catalogue.proto")
    };
    [catalogue, messages]
}

/// A field of bytes, as it stands in a message.
fn bytes_field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

type Answer = (i32, Option<Vec<u8>>);

async fn server(answer: fn(&str, &[u8]) -> Answer) -> Target {
    Target::serve(move |stream| async move {
        let service =
            service_fn(move |request: hyper::Request<hyper::body::Incoming>| async move {
                let path = request.uri().path().trim_start_matches('/').to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let (status, message) = answer(&path, &body[5..]);
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", status.into());
                let data = message.map(|message| {
                    let mut framed = vec![0];
                    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
                    framed.extend_from_slice(&message);
                    Ok(Frame::data(bytes::Bytes::from(framed)))
                });
                let frames: Vec<Result<_, Infallible>> =
                    data.into_iter().chain([Ok(Frame::trailers(trailers))]).collect();
                let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
                Ok::<_, Infallible>(hyper::Response::new(body))
            });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        drop(server.serve_connection(TokioIo::new(stream), service).await);
    })
    .await
}

/// Finds lamps, and describes itself by the older of the two reflection services.
fn catalogue(path: &str, message: &[u8]) -> Answer {
    let [catalogue, messages] = files();
    let described = |file: &FileDescriptorProto| {
        (0, Some(bytes_field(4, &bytes_field(1, &file.encode_to_vec()))))
    };
    match path {
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
            if message == bytes_field(4, b"shop.v1.Catalogue") {
                described(&catalogue)
            } else if message == bytes_field(3, b"shop/messages.proto") {
                described(&messages)
            } else {
                (0, Some(bytes_field(7, &bytes_field(2, b"no such symbol"))))
            }
        }
        "shop.v1.Catalogue/Find" if message == bytes_field(1, b"lamp") => {
            (0, Some([bytes_field(1, b"desk"), bytes_field(1, b"floor")].concat()))
        }
        "shop.v1.Catalogue/Find" => (3, None),
        _ => (12, None),
    }
}

async fn call(target: &Target, folder: &Path, rest: &str) -> Ran {
    let yaml = format!(
        "canary: grpc\nvars: {{ what: lamp }}\nsteps:\n  - step: find\n    \
         grpc: {{ url: 'http://{}', {rest}",
        target.address
    );
    run(RunnerSettings::default(), &canary_in(folder, &yaml)).await
}

const FIND: &str = "call: shop.v1.Catalogue/Find, message: { query: '{{ what }}' }";

#[tokio::test]
async fn a_unary_call_is_made_by_what_the_server_says_of_itself() {
    let target = server(catalogue).await;
    let here = Path::new(".");
    let expect = "}\n    expect: { json: { '$.items[1]': floor, '$.inStock': 0 } }";
    let ran = call(&target, here, &format!("{FIND} {expect}")).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let exchanges = &ran.report.attempts[0].steps[0].exchanges;
    let asked: Vec<&str> = exchanges.iter().map(|exchange| exchange.url.as_str()).collect();
    let url = format!("http://{}/", target.address);
    let expected = [format!("{url}grpc.reflection"), format!("{url}shop.v1.Catalogue/Find")];
    assert_eq!(asked, expected);

    let ran = call(&target, here, "call: shop.v1.Catalogue/Find, message: { query: x } }").await;
    assert_eq!(ran.failure().message, "status is 3, expected 0");
}

#[tokio::test]
async fn a_file_of_descriptors_serves_where_the_server_says_nothing() {
    let silent = server(|path, message| match path {
        "shop.v1.Catalogue/Find" => catalogue(path, message),
        _ => (12, None),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let set = FileDescriptorSet { file: files().into_iter().rev().collect() };
    std::fs::write(folder.path().join("shop.pb"), set.encode_to_vec()).unwrap();
    std::fs::write(folder.path().join("bad.pb"), b"\xff").unwrap();
    let ran = call(&silent, folder.path(), &format!("{FIND}, descriptors: shop.pb }}")).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    for (rest, said) in [
        (format!("{FIND} }}"), "the server does not describe itself; give a file"),
        (format!("{FIND}, descriptors: bad.pb }}"), "the descriptors cannot be used"),
        (
            "call: shop.v1.Catalogue/Watch, descriptors: shop.pb }".to_owned(),
            "`shop.v1.Catalogue/Watch` streams; only unary methods can be called",
        ),
        (
            "call: shop.v1.Catalogue/Nope, descriptors: shop.pb }".to_owned(),
            "there is no method `shop.v1.Catalogue/Nope`",
        ),
        (
            "call: shop.v1.Catalogue/Find, message: { qury: x }, descriptors: shop.pb }".to_owned(),
            "the message is no shop.v1.Query: unrecognized field name 'qury'",
        ),
    ] {
        let ran = call(&silent, folder.path(), &rest).await;
        let failure = ran.failure();
        assert_eq!(failure.verdict, Verdict::Canary, "{rest}: {}", failure.message);
        assert!(failure.message.starts_with(said), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_described_is_no_answer() {
    let target = server(|path, message| match path {
        "shop.v1.Catalogue/Find" => (0, Some(vec![0xff, 0xff, 0xff])),
        _ => catalogue(path, message),
    })
    .await;
    let ran = call(&target, Path::new("."), &format!("{FIND} }}")).await;
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    let endless = server(|path, _| {
        let [catalogue, _] = files();
        // Each file needs another that does not come.
        let file = FileDescriptorProto { dependency: vec!["x.proto".into()], ..catalogue };
        let described = bytes_field(4, &bytes_field(1, &file.encode_to_vec()));
        (if path.contains("reflection") { 0 } else { 12 }, Some(described))
    })
    .await;
    let ran = call(&endless, Path::new("."), &format!("{FIND} }}")).await;
    assert_eq!(ran.failure().verdict, Verdict::Canary, "{}", ran.failure().message);
}

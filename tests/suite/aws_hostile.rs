//! What the API refuses: cross-site requests, bombs, floods and unsigned calls.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use coalmine::api::{Access, ApiSettings, Credential, Credentials, SecretKey};
use coalmine::telemetry::AccountId;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::aws_server::Server;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "Logs_20140328.CreateLogGroup"),
];

async fn groups(server: &Server) -> String {
    let target = ("x-amz-target", "Logs_20140328.DescribeLogGroups");
    server.post("/", &[JSON[0], target], b"{}").await
}

/// A page that a developer opens must not be able to change anything here.
#[tokio::test(flavor = "multi_thread")]
async fn cross_site_requests_are_refused_and_change_nothing() {
    let server = Server::start().await;
    let create = br#"{"logGroupName": "/cross-site"}"#;
    let form = b"Action=PutMetricData&Version=2010-08-01&Namespace=App\
        &MetricData.member.1.MetricName=m&MetricData.member.1.Value=1";
    for foreign in [
        ("host", "evil.example"),
        ("host", "evil.example:80"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "localhost.evil.example"),
        ("host", "10.1.2.3"),
        ("host", "0.0.0.0"),
        ("host", "monitoring.us-east-1.amazonaws.com"),
        ("origin", "http://evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("origin", "file://"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "unknown"),
    ] {
        let [kind, target] = JSON;
        let answer = server.post("/", &[kind, target, foreign], create).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign:?}: {answer}");
        let answer = server.post("/", &[FORM, foreign], form).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign:?}: {answer}");
        assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    }
    // A plain HTML form can send these content types without asking first.
    for kind in
        ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
    {
        let answer = server.post("/", &[("content-type", kind), JSON[1]], create).await;
        assert!(answer.starts_with("HTTP/1.1 415"), "{kind}: {answer}");
    }
    assert!(groups(&server).await.ends_with("{\"logGroups\":[]}"));
    let list = b"Action=ListMetrics&Version=2010-08-01";
    let metrics = server.post("/", &[FORM], list).await;
    assert!(metrics.contains("<Metrics></Metrics>"), "{metrics}");
    let answer = server.post("/", &JSON, create).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_at_once() {
    let server = Server::start().await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    let bomb = gzip(&vec![b' '; 200 * 1024 * 1024]);
    let deep = "[".repeat(100_000).into_bytes();
    let cbor = vec![0x81; 100_000];
    let lying = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let encoded = ("content-encoding", "gzip");
    let [kind, target] = JSON;
    let rpc = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
    let cbor_kind = ("content-type", "application/cbor");
    let started = tokio::time::Instant::now();
    for (name, path, headers, body, status) in [
        ("gzip bomb", "/", vec![kind, target, encoded], bomb.clone(), "413"),
        ("gzip of gzip", "/", vec![kind, target, ("content-encoding", "gzip, gzip")], bomb, "415"),
        ("deep JSON", "/", vec![kind, target], deep, "400"),
        ("deep CBOR", rpc, vec![cbor_kind], cbor, "400"),
        ("lying CBOR", rpc, vec![cbor_kind], lying.to_vec(), "400"),
        ("garbage gzip", "/", vec![kind, target, encoded], b"nope".to_vec(), "400"),
    ] {
        let answer = server.post(path, &headers, &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
    }
    let declared = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n";
    let answer = server.raw(declared.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_credentials_only_their_holders_are_served() {
    let mut credentials = Credentials::none();
    let credential = Credential {
        account: AccountId::default(),
        secret: SecretKey::new("secret"),
        session_token: None,
        expires: None,
    };
    credentials.insert("AKIDTEST", credential);
    let settings = ApiSettings { access: Access::Signed(credentials), ..ApiSettings::default() };
    let server = Server::with(settings).await;
    let body = br#"{"logGroupName": "/x"}"#;
    let answer = server.post("/", &JSON, body).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("MissingAuthenticationToken"), "{answer}");
    let forged = "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/logs/aws4_request, \
        SignedHeaders=host;x-amz-date, Signature=00";
    let [kind, target] = JSON;
    let signed = [kind, target, ("authorization", forged), ("x-amz-date", "20260101T000000Z")];
    let answer = server.post("/", &signed, body).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("InvalidSignatureException"), "{answer}");
    server.stop().await;
}

#[test]
fn anonymous_access_is_for_loopback_only() {
    let settings = ApiSettings::default();
    assert!(settings.check_listener("127.0.0.1:0".parse().unwrap()).is_ok());
    assert!(settings.check_listener("[::1]:0".parse().unwrap()).is_ok());
    for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80"] {
        assert!(settings.check_listener(address.parse().unwrap()).is_err(), "{address}");
    }
    let access = Access::Signed(Credentials::none());
    let signed = Arc::new(ApiSettings { access, ..ApiSettings::default() });
    assert!(signed.check_listener("0.0.0.0:80".parse().unwrap()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_is_refused_by_name_in_each_protocol() {
    let server = Server::start().await;
    let target = ("x-amz-target", "Logs_20140328.FrobnicateLogs");
    let answer = server.post("/", &[JSON[0], target], b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("UnknownOperationException"), "{answer}");
    assert!(answer.contains("FrobnicateLogs"), "{answer}");
    let form = b"Action=Frobnicate&Version=2010-08-01";
    let answer = server.post("/", &[FORM], form).await;
    assert!(answer.contains("<Code>InvalidAction</Code>"), "{answer}");
    assert!(answer.contains("Frobnicate"), "{answer}");
    let rpc = "/service/GraniteServiceVersion20100801/operation/Frobnicate";
    let answer = server.post(rpc, &[("content-type", "application/cbor")], &[0xa0]).await;
    assert!(answer.contains("smithy-protocol: rpc-v2-cbor"), "{answer}");
    assert!(answer.contains("x-amzn-query-error: InvalidAction;Sender"), "{answer}");
    let answer = server.post("/canaries/frobnicate", &[], b"").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    server.stop().await;
}

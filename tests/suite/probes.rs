//! Probes beside HTTP, each against a server that speaks its protocol, and one that does not.

use std::sync::Arc;

use coalmine::canary::report::{RunOutcome, Verdict};
use coalmine::runner::RunnerSettings;
use coalmine::task::TaskGroup;
use futures_util::{SinkExt, StreamExt};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record};
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::run_fixture::{Ran, canary, run, run_yaml};
use crate::target::Target;
use crate::tls_target::{Authority, TlsTarget, server_config};

async fn run_step(action: &str) -> Ran {
    run_yaml(&format!("canary: probe\ntimeout: 3s\nsteps:\n- step: one\n{action}\n")).await
}

/// Says `greeting`, then answers each line with what `reply` makes of it.
async fn line_server(greeting: &'static str, reply: fn(&str) -> &'static str) -> Target {
    Target::serve(move |stream| async move {
        let mut stream = BufReader::new(stream);
        drop(stream.write_all(greeting.as_bytes()).await);
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            drop(stream.write_all(reply(line.trim_end()).as_bytes()).await);
            line.clear();
        }
    })
    .await
}

fn redis(line: &str) -> &'static str {
    match line {
        "PING" => "+PONG\r\n",
        _ => "-ERR unknown command\r\n",
    }
}

#[tokio::test]
async fn a_tcp_dialogue_is_held_and_asserted_on() {
    let target = line_server("", redis).await;
    let ran = run_step(&format!(
        "  tcp:\n    host: 127.0.0.1\n    port: {}\n    dialogue:\n    \
         - send: \"PING\\r\\n\"\n    - expect: starts with +PONG\n  \
         expect: {{ latency: under 2s }}",
        target.address.port()
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let exchange = &ran.report.attempts[0].steps[0].exchanges[0];
    assert_eq!((&*exchange.method, exchange.wire_bytes), ("TCP", 7));
    assert_eq!(exchange.url, format!("tcp://127.0.0.1:{}", target.address.port()));
}

#[tokio::test]
async fn an_open_port_is_enough_when_nothing_is_said() {
    let target = line_server("", redis).await;
    let ran = run_step(&format!("  tcp: {}", target.address)).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran = run_step("  tcp: 127.0.0.1:1").await;
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    assert_eq!(ran.failure().message, "cannot connect to 127.0.0.1:1: connection refused");
}

#[tokio::test]
async fn an_unmet_expectation_shows_what_came_and_why_no_more_did() {
    let target = line_server("", redis).await;
    let ran = run_step(&format!(
        "  timeout: 300ms\n  tcp: {{ host: 127.0.0.1, port: {}, dialogue: \
         [{{ send: \"HELLO\\r\\n\" }}, {{ expect: contains PONG }}] }}",
        target.address.port()
    ))
    .await;
    let failure = ran.failure();
    assert_eq!(failure.verdict, Verdict::Target);
    let only = &failure.assertions[0];
    assert_eq!(only.subject, "answer 1");
    assert!(only.actual.contains("-ERR unknown command"), "{}", only.actual);
    assert!(only.actual.contains("then nothing for "), "{}", only.actual);

    let closing = Target::serve(|mut stream| async move {
        drop(stream.write_all(b"554 go away\r\n").await);
    })
    .await;
    let ran = run_step(&format!(
        "  tcp: {{ host: 127.0.0.1, port: {}, dialogue: [{{ expect: starts with 220 }}] }}",
        closing.address.port()
    ))
    .await;
    let actual = &ran.failure().assertions[0].actual;
    assert!(actual.contains("554 go away"), "{actual}");
    assert!(actual.ends_with("then the server closed the connection"), "{actual}");
}

#[tokio::test]
async fn an_endless_answer_is_not_listened_to_for_ever() {
    let target = Target::serve(|mut stream| async move {
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let ran = run_step(&format!(
        "  tcp: {{ host: 127.0.0.1, port: {}, dialogue: [{{ expect: contains never }}] }}",
        target.address.port()
    ))
    .await;
    let actual = &ran.failure().assertions[0].actual;
    assert!(actual.ends_with("then far too much more"), "{actual}");
    target.drained().await;
}

/// An SMTP server that goes on over TLS.
async fn smtp(authority: &Authority) -> Target {
    let acceptor = TlsAcceptor::from(server_config(authority.leaf(&["localhost"]), &[]));
    Target::serve(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            drop(stream.write_all(b"220 mail ready\r\n").await);
            answer_line(&mut stream, b"250-mail\r\n250 STARTTLS\r\n").await;
            answer_line(&mut stream, b"220 go ahead\r\n").await;
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            drop(stream.read_line(&mut line).await);
            drop(stream.write_all(b"250 secret hello\r\n").await);
            drop(stream.read_line(&mut line).await);
        }
    })
    .await
}

async fn answer_line(stream: &mut TcpStream, answer: &[u8]) {
    while stream.read_u8().await.is_ok_and(|byte| byte != b'\n') {}
    drop(stream.write_all(answer).await);
}

#[tokio::test]
async fn a_dialogue_goes_on_over_tls_and_sees_the_certificate() {
    let authority = Authority::new();
    let target = smtp(&authority).await;
    let mut settings = RunnerSettings::default();
    settings.network.extra_roots = vec![authority.certificate()];
    let yaml = format!(
        "canary: smtp\nsteps:\n- step: one\n  tcp:\n    host: localhost\n    port: {}\n    \
         dialogue:\n    - expect: starts with 220\n    - send: \"EHLO me\\r\\n\"\n    \
         - expect: contains STARTTLS\n    - send: \"STARTTLS\\r\\n\"\n    \
         - expect: starts with 220\n    - starttls\n    - send: \"EHLO me\\r\\n\"\n    \
         - expect: contains secret\n  expect: {{ expires: over 30d }}\n",
        target.address.port()
    );
    let ran = run(settings.clone(), &canary(&yaml)).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let exchange = &ran.report.attempts[0].steps[0].exchanges[0];
    assert!(exchange.timings.tls.is_some());
    assert_eq!(exchange.certificate.as_ref().unwrap().names, ["localhost"]);

    settings.network.extra_roots.clear();
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    assert!(ran.failure().message.ends_with("is not trusted by this machine"));
}

#[tokio::test]
async fn a_tls_step_asserts_on_certificate_and_version() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[]).await;
    let mut settings = RunnerSettings::default();
    settings.network.extra_roots = vec![authority.certificate()];
    let yaml = |expect: &str| {
        format!(
            "canary: tls\nsteps:\n- step: one\n  tls: localhost:{}\n  expect: {{ {expect} }}\n",
            target.port()
        )
    };
    let good = "expires: over 30d, version: TLSv1.3";
    let ran = run(settings.clone(), &canary(&yaml(good))).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran = run(settings, &canary(&yaml("expires: under 30d"))).await;
    assert_eq!(ran.failure().verdict, Verdict::Target);
}

/// A resolver that knows one name, and forges an answer before the right one.
async fn resolver(tasks: &TaskGroup) -> std::net::SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tasks.spawn("resolver", |stop| async move {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = tokio::select! {
                () = stop.cancelled() => return,
                received = socket.recv_from(&mut buffer) => received.unwrap(),
            };
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let mut answer = question.clone();
            answer.metadata.message_type = MessageType::Response;
            answer.metadata.authoritative = true;
            let name = question.queries[0].name().clone();
            if name.to_utf8() == "shop.test." {
                for last in [7, 8] {
                    let data = RData::A(std::net::Ipv4Addr::new(192, 0, 2, last).into());
                    answer.add_answer(Record::from_rdata(name.clone(), 60 * u32::from(last), data));
                }
            } else {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            let mut forged = answer.clone();
            forged.metadata.id = forged.metadata.id.wrapping_add(1);
            forged.answers.clear();
            for message in [forged, answer] {
                drop(socket.send_to(&message.to_vec().unwrap(), from).await);
            }
        }
    });
    address
}

#[tokio::test]
async fn a_look_up_sees_records_flags_and_time_to_live() {
    let tasks = TaskGroup::new();
    let resolver = resolver(&tasks).await;
    let ran = run_step(&format!(
        "  dns: {{ name: shop.test, resolver: '{resolver}' }}\n  \
         expect: {{ records: contains 192.0.2.7, ttl: 420, authoritative: true, \
         response_code: NOERROR }}"
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    assert_eq!(ran.report.attempts[0].steps[0].exchanges[0].url, "A shop.test");

    let ran = run_step(&format!("  dns: {{ name: no.test, resolver: '{resolver}' }}")).await;
    assert_eq!(ran.failure().message, "response code is NXDOMAIN, expected NOERROR");
    let ran = run_step(&format!(
        "  dns: {{ name: no.test, resolver: '{resolver}' }}\n  \
         expect: {{ response_code: NXDOMAIN }}"
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    tasks.cancel();
}

#[tokio::test]
async fn a_silent_resolver_is_no_answer_at_the_deadline() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = socket.local_addr().unwrap();
    let ran = run_step(&format!(
        "  timeout: 200ms\n  dns: {{ name: shop.test, resolver: '{resolver}' }}"
    ))
    .await;
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    let message = &ran.failure().message;
    assert!(message.starts_with(&format!("no answer from {resolver} within ")), "{message}");
}

#[tokio::test]
async fn a_websocket_dialogue_passes_over_other_messages() {
    let target = Target::serve(|stream| async move {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        drop(socket.send(WsMessage::text("welcome")).await);
        while let Some(Ok(message)) = socket.next().await {
            if let WsMessage::Text(text) = message {
                drop(socket.send(WsMessage::Ping(Vec::new().into())).await);
                drop(socket.send(WsMessage::text(format!("echo {text}"))).await);
            }
        }
    })
    .await;
    let action = |expected: &str| {
        format!(
            "  timeout: 400ms\n  websocket: {{ url: 'ws://{}/chat', dialogue: \
             [{{ send: hello }}, {{ expect: {expected} }}] }}",
            target.address
        )
    };
    let ran = run_step(&action("contains echo hello")).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran = run_step(&action("contains good-bye")).await;
    let actual = &ran.failure().assertions[0].actual;
    assert!(actual.contains("welcome") && actual.contains("echo hello"), "{actual}");
    target.drained().await;
}

#[tokio::test]
async fn a_server_that_speaks_no_websocket_says_so() {
    let target = Target::http(|_head| crate::target::answer("403 Forbidden", "", b"no")).await;
    let ran = run_step(&format!("  websocket: 'ws://{}/'", target.address)).await;
    assert_eq!(
        ran.failure().message,
        format!("{} refused the WebSocket handshake with status 403", target.address)
    );
}

#[tokio::test]
async fn echo_requests_come_back_from_this_machine() {
    let ran = run_step("  icmp: { host: 127.0.0.1, count: 2 }\n  expect: { loss: 0 }").await;
    if ran.outcome() == RunOutcome::Error {
        // This machine lets nobody send echo requests; then it must say that it is its own fault.
        assert_eq!(ran.failure().verdict, Verdict::Runner);
        return;
    }
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
}

/// A gRPC server whose health is asked for; `down` is not serving, `gone` is unknown.
async fn health_server() -> Target {
    Target::serve(|stream| async move {
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (status, health) = match &body[5..] {
                b"" => ("0", Some(1)),
                service if service.ends_with(b"down") => ("0", Some(2)),
                _ => ("5", None),
            };
            let message = health.map(|health| vec![0, 0, 0, 0, 2, 8, health]);
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            trailers.insert("grpc-message", "no%20such%20service".parse().unwrap());
            let data = message.map(|bytes| Ok(Frame::data(bytes::Bytes::from(bytes))));
            let frames: Vec<Result<_, std::convert::Infallible>> =
                data.into_iter().chain([Ok(Frame::trailers(trailers))]).collect();
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
            Ok::<_, std::convert::Infallible>(
                hyper::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(body)
                    .unwrap(),
            )
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        drop(server.serve_connection(TokioIo::new(stream), service).await);
    })
    .await
}

#[tokio::test]
async fn a_grpc_server_tells_its_health() {
    let target = health_server().await;
    let step = |rest: &str| format!("  grpc: {{ url: 'http://{}'{rest} }}", target.address);
    let ran = run_step(&step("")).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran =
        run_step(&format!("{}\n  expect: {{ json: {{ '$.status': SERVING }} }}", step(""))).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let ran = run_step(&step(", health: down")).await;
    assert_eq!(ran.failure().message, "health is NOT_SERVING, expected SERVING");
    let ran = run_step(&step(", health: gone")).await;
    assert_eq!(ran.failure().message, "status is 5 no such service, expected 0");
}

#[tokio::test]
async fn a_web_server_is_no_grpc_server() {
    let authority = Arc::new(Authority::new());
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[b"h2"]).await;
    let mut settings = RunnerSettings::default();
    settings.network.extra_roots = vec![authority.certificate()];
    let yaml = format!(
        "canary: grpc\nsteps: [{{ step: one, grpc: 'https://localhost:{}' }}]\n",
        target.port()
    );
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(
        ran.failure().message,
        format!("localhost:{} did not answer in gRPC", target.port())
    );
}

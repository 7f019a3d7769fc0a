//! Sixteen hostile servers: each probe ends by its deadline with the right class of error, and
//! leaves no connection behind.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use coalmine::canary::definition::ConnectionReuse;
use coalmine::canary::observation::Phase;
use coalmine::runner::probe::http::{HttpRequest, HttpSession};
use coalmine::runner::probe::{
    Network, NetworkSettings, ProbeError, ProbeErrorKind, RedirectFault, Trail, TransferFault,
};
use coalmine::time::{Clock, Deadline, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::{Target, answer, read_head};

/// What reliability.md allows a probe to take beyond its deadline.
const OVERRUN_MAX: Duration = Duration::from_millis(250);
const DEADLINE: Duration = Duration::from_millis(300);

/// Probes `url` and checks that it ends in time.
async fn probe_url(url: &str, deadline: Duration) -> ProbeError {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let network = Arc::new(Network::new(NetworkSettings::default(), Arc::clone(&clock)));
    let mut session = HttpSession::new(network, ConnectionReuse::Fresh);
    let mut trail = Trail::start(Arc::clone(&clock));
    let request = HttpRequest::new("GET", url).unwrap();
    let begun = clock.monotonic();
    let outcome = session.send(&request, &mut trail, Deadline::after(&*clock, deadline)).await;
    let elapsed = clock.monotonic().since(begun);
    assert!(elapsed <= deadline + OVERRUN_MAX, "took {elapsed:?}");
    outcome.unwrap_err()
}

async fn probe(target: &Target, deadline: Duration) -> ProbeError {
    let error = probe_url(&target.url("/"), deadline).await;
    target.drained().await;
    error
}

fn assert_timeout(error: &ProbeError, phase: Phase) {
    assert!(error.is_timeout() && error.phase == phase, "{error:?}");
}

fn transfer_fault(error: ProbeError) -> TransferFault {
    match error.kind {
        ProbeErrorKind::Transfer { fault, .. } => fault,
        other => panic!("{other:?}"),
    }
}

/// Ends when the other side has let go.
async fn until_closed(stream: &mut TcpStream) {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// Sends `piece` again and again until the other side has let go.
async fn repeat(stream: &mut TcpStream, piece: &[u8]) {
    while stream.write_all(piece).await.is_ok() {}
}

async fn drip(stream: &mut TcpStream) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while stream.write_all(b"x").await.is_ok() {
        tick.tick().await;
    }
}

#[tokio::test]
async fn a_server_that_never_accepts_is_no_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    assert_timeout(&probe_url(&url, DEADLINE).await, Phase::Wait);
}

#[tokio::test]
async fn a_server_that_accepts_and_keeps_silent_is_no_answer() {
    let target = Target::serve(|mut stream| async move { until_closed(&mut stream).await }).await;
    let error = probe(&target, DEADLINE).await;
    assert_timeout(&error, Phase::Wait);
    let text = error.to_string();
    assert!(text.starts_with(&format!("no answer from {} within ", target.address)), "{text}");
}

#[tokio::test]
async fn a_stalled_handshake_ends_at_the_deadline() {
    let target = Target::serve(|mut stream| async move { until_closed(&mut stream).await }).await;
    let url = format!("https://{}/", target.address);
    assert_timeout(&probe_url(&url, Duration::from_secs(2)).await, Phase::Tls);
    target.drained().await;
}

#[tokio::test]
async fn a_header_that_drips_ends_at_the_deadline() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nx-long: ").await);
        drip(&mut stream).await;
    })
    .await;
    assert_timeout(&probe(&target, DEADLINE).await, Phase::Wait);
}

#[tokio::test]
async fn a_body_that_drips_ends_at_the_deadline() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n").await);
        drip(&mut stream).await;
    })
    .await;
    assert_timeout(&probe(&target, DEADLINE).await, Phase::Receive);
}

#[tokio::test]
async fn an_endless_body_is_refused_at_the_wire_limit() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
        repeat(&mut stream, &[b'x'; 65_536]).await;
    })
    .await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    let expected = TransferFault::BodyTooLarge { bytes_max: 8 << 20, decoded: false };
    assert_eq!(fault, expected);
}

#[tokio::test]
async fn endless_chunks_are_refused_at_the_wire_limit() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await);
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        repeat(&mut stream, &chunk).await;
    })
    .await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    assert!(matches!(fault, TransferFault::BodyTooLarge { decoded: false, .. }), "{fault:?}");
}

#[tokio::test]
async fn endless_header_fields_are_refused() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
        repeat(&mut stream, b"x-more: and more\r\n").await;
    })
    .await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    assert!(matches!(fault, TransferFault::HeaderTooLarge { .. }), "{fault:?}");
}

#[tokio::test]
async fn one_header_of_a_hundred_megabytes_is_refused() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nx-huge: ").await);
        for _ in 0..1600 {
            if stream.write_all(&[b'x'; 65_536]).await.is_err() {
                return;
            }
        }
    })
    .await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    assert!(matches!(fault, TransferFault::HeaderTooLarge { .. }), "{fault:?}");
}

#[tokio::test]
async fn endless_interim_answers_are_refused() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        repeat(&mut stream, b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n").await;
    })
    .await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    assert!(matches!(fault, TransferFault::HeaderTooLarge { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_redirect_to_itself_is_called_a_circle() {
    let target = Target::http(|_head| answer("302 Found", "location: /\r\n", b"")).await;
    let error = probe(&target, Duration::from_secs(10)).await;
    let fault = RedirectFault::TooMany { limit: 10, is_loop: true };
    assert!(matches!(&error.kind, ProbeErrorKind::Redirect(found) if *found == fault), "{error:?}");
    assert_eq!(target.connections(), 11);
}

#[tokio::test]
async fn endless_fresh_redirects_end_at_the_limit() {
    let target = Target::http(|head| {
        let path = head.split(' ').nth(1).unwrap_or("/");
        answer("302 Found", &format!("location: {path}x\r\n"), b"")
    })
    .await;
    let error = probe(&target, Duration::from_secs(10)).await;
    let fault = RedirectFault::TooMany { limit: 10, is_loop: false };
    assert!(matches!(&error.kind, ProbeErrorKind::Redirect(found) if *found == fault), "{error:?}");
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_at_the_decoded_limit() {
    // A gigabyte of zeros: about a megabyte on the wire.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..1024 {
        bomb.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = answer("200 OK", "content-encoding: gzip\r\n", &bomb.finish().unwrap());
    let target = Target::http(move |_head| bomb.clone()).await;
    let fault = transfer_fault(probe(&target, Duration::from_secs(10)).await);
    assert_eq!(fault, TransferFault::BodyTooLarge { bytes_max: 16 << 20, decoded: true });
}

#[tokio::test]
async fn a_reset_in_the_middle_of_the_body_is_a_reset() {
    let target = Target::serve(|mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nsome").await);
        stream.set_zero_linger().unwrap();
    })
    .await;
    let error = probe(&target, Duration::from_secs(10)).await;
    assert_eq!(error.phase, Phase::Receive);
    assert_eq!(transfer_fault(error), TransferFault::Reset);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_truncated() {
    let target = Target::http_once(|_head| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nonly this".to_vec()
    })
    .await;
    let error = probe(&target, Duration::from_secs(10)).await;
    assert_eq!(transfer_fault(error), TransferFault::Truncated { received: 9 });
}

#[tokio::test]
async fn garbage_is_not_http_and_its_beginning_is_shown() {
    let target = Target::http_once(|_head| b"SSH-2.0-OpenSSH_9.2p1\r\n\x01\x02".to_vec()).await;
    let error = probe(&target, Duration::from_secs(10)).await;
    let expected = format!(
        "{} did not answer in HTTP, but began with `SSH-2.0-OpenSSH_9.2p1`",
        target.address
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_says_so() {
    let target = Target::http_once(|_head| Vec::new()).await;
    let error = probe(&target, Duration::from_secs(10)).await;
    assert_eq!(error.phase, Phase::Wait);
    assert_eq!(transfer_fault(error), TransferFault::ClosedEarly);
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = probe_url(&format!("http://{address}/secret?token=x"), DEADLINE).await;
    assert_eq!(error.to_string(), format!("cannot connect to {address}: connection refused"));
}

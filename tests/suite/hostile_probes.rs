//! Servers of every other protocol that mean harm: each ends by its deadline or its bound, as no
//! answer, and names what was awaited.

use coalmine::canary::report::Verdict;
use coalmine::task::TaskGroup;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

use crate::run_fixture::{Ran, run_yaml};
use crate::target::{Target, read_head};

async fn run_step(action: &str) -> Ran {
    run_yaml(&format!("canary: probe\ntimeout: 1s\nsteps:\n- step: one\n  {action}\n")).await
}

async fn forever() {
    std::future::pending::<()>().await;
}

/// One byte at a time, without an end.
async fn drip(stream: &mut TcpStream, piece: &[u8]) {
    while stream.write_all(piece).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn flood(stream: &mut TcpStream, piece: &[u8]) {
    while stream.write_all(piece).await.is_ok() {}
}

/// Ends with a reset instead of a goodbye.
fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

fn assert_no_answer(ran: &Ran, said: &str) {
    let failure = ran.failure();
    assert_eq!(failure.verdict, Verdict::NoAnswer, "{}", failure.message);
    assert!(failure.message.contains(said), "{}", failure.message);
}

fn tcp(target: &Target) -> String {
    let port = target.address.port();
    format!("tcp: {{ host: 127.0.0.1, port: {port}, dialogue: [{{ expect: 'contains ready' }}] }}")
}

#[tokio::test]
async fn a_dialogue_that_drips_or_is_cut_off_is_no_answer() {
    let target = Target::serve(|mut stream| async move { drip(&mut stream, b"x").await }).await;
    let ran = run_step(&tcp(&target)).await;
    assert!(ran.failure().message.contains("ready"), "{}", ran.failure().message);

    let target = Target::serve(|mut stream| async move {
        stream.write_all(b"rea").await.unwrap();
        reset(&stream);
    })
    .await;
    let ran = run_step(&tcp(&target)).await;
    assert!(ran.failure().message.contains("ready"), "{}", ran.failure().message);
}

#[tokio::test]
async fn a_handshake_of_garbage_or_silence_is_no_answer() {
    let step =
        |target: &Target| format!("tls: {{ host: 127.0.0.1, port: {} }}", target.address.port());
    let target =
        Target::serve(|mut stream| async move { flood(&mut stream, b"garbage").await }).await;
    assert_no_answer(&run_step(&step(&target)).await, "does not speak TLS");
    let target = Target::serve(|stream| async move {
        forever().await;
        drop(stream);
    })
    .await;
    assert_no_answer(&run_step(&step(&target)).await, "TLS");
    // A record of the longest length, which never ends.
    let target = Target::serve(|mut stream| async move {
        stream.write_all(&[22, 3, 3, 0x40, 0]).await.unwrap();
        drip(&mut stream, &[2]).await;
    })
    .await;
    assert_no_answer(&run_step(&step(&target)).await, "TLS");
}

/// What never came is told, whether it is taken for a wrong answer or for none.
fn assert_failed(ran: &Ran) {
    let failure = ran.failure();
    assert!(matches!(failure.verdict, Verdict::NoAnswer | Verdict::Target), "{}", failure.message);
}

/// Shakes hands as a WebSocket server does, then goes on with `rest`.
async fn websocket_server<F, T>(rest: F) -> Target
where
    F: Fn(TcpStream) -> T + Send + Sync + Clone + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    Target::serve(move |mut stream| {
        let rest = rest.clone();
        async move {
            let head = read_head(&mut stream).await.unwrap();
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
            });
            let key = key.unwrap();
            let accept =
                tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: \
                 Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            rest(stream).await;
        }
    })
    .await
}

fn websocket(target: &Target) -> String {
    let port = target.address.port();
    format!(
        "websocket: {{ url: 'ws://127.0.0.1:{port}/', dialogue: [{{ expect: 'contains ready' }}] }}"
    )
}

#[tokio::test]
async fn frames_that_lie_flood_or_break_off_are_no_answer() {
    // A text frame that announces 2^62 bytes.
    let target = websocket_server(|mut stream| async move {
        stream.write_all(&[0x81, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        flood(&mut stream, &[b'x'; 4096]).await;
    })
    .await;
    let ran = run_step(&websocket(&target)).await;
    assert_failed(&ran);

    // One message of fragments without an end.
    let target = websocket_server(|mut stream| async move {
        stream.write_all(&[0x01, 1, b'x']).await.unwrap();
        flood(&mut stream, &[0x00, 1, b'x']).await;
    })
    .await;
    let ran = run_step(&websocket(&target)).await;
    assert_failed(&ran);

    let target = websocket_server(|mut stream| async move {
        stream.write_all(&[0x81, 5, b'r']).await.unwrap();
        reset(&stream);
    })
    .await;
    let ran = run_step(&websocket(&target)).await;
    assert_failed(&ran);

    let target = Target::serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").await.unwrap();
        flood(&mut stream, b"x-more: endless\r\n").await;
    })
    .await;
    let ran = run_step(&websocket(&target)).await;
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer, "{}", ran.failure().message);
}

/// A resolver that answers each question with what `answer` makes of it.
async fn resolver(tasks: &TaskGroup, answer: fn(&[u8]) -> Vec<u8>) -> std::net::SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tasks.spawn("resolver", move |stop| async move {
        let mut buffer = [0; 512];
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = socket.recv_from(&mut buffer) => received,
            };
            let (length, from) = received.unwrap();
            drop(socket.send_to(&answer(&buffer[..length]), from).await);
        }
    });
    address
}

#[tokio::test]
async fn a_resolver_that_lies_is_no_answer() {
    let tasks = TaskGroup::new();
    let garbage: fn(&[u8]) -> Vec<u8> = |_| vec![0xff; 40];
    // The id of another question: an answer that somebody else may have sent.
    let foreign: fn(&[u8]) -> Vec<u8> = |question| {
        let mut answer = question.to_vec();
        answer[0] ^= 0xff;
        answer[2] |= 0x80;
        answer
    };
    // A name that points to itself.
    let circle: fn(&[u8]) -> Vec<u8> = |question| {
        let mut answer = question[..12].to_vec();
        answer[2] |= 0x80;
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer
    };
    for answer in [garbage, foreign, circle] {
        let address = resolver(&tasks, answer).await;
        let ran = run_step(&format!("dns: {{ name: h.test, resolver: '{address}' }}")).await;
        assert_eq!(ran.failure().verdict, Verdict::NoAnswer, "{}", ran.failure().message);
    }
}

//! A webhook receiver that behaves, and misbehaves, as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coalmine::task::TaskGroup;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How one request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With a status and a short body.
    Status(u16),
    /// With 429 and `Retry-After: 7`.
    Later,
    /// Never; the connection stays open.
    Silence,
    /// With a reset in the middle of the status line.
    Reset,
    /// With a status and a body that never ends.
    Endless(u16),
}

/// One request that was received whole.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) answer: Answer,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn key(&self) -> &str {
        self.header("idempotency-key").expect("every notification carries its key")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Whether the sender was told that it arrived.
    pub(crate) fn is_acknowledged(&self) -> bool {
        matches!(self.answer, Answer::Status(200..=299) | Answer::Endless(200..=299))
    }
}

/// A receiver on a port of its own.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: watch::Receiver<Vec<Received>>,
    tasks: TaskGroup,
}

/// Decides the answer to the request with this number, from 0.
type Script = Arc<dyn Fn(usize) -> Answer + Send + Sync>;

impl Receiver {
    pub(crate) async fn start(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (seen_by, seen) = watch::channel(Vec::new());
        let tasks = TaskGroup::new();
        let connections = tasks.clone();
        let script: Script = Arc::new(script);
        let seen_by = Arc::new(Mutex::new(seen_by));
        tasks.spawn("receiver", |stop| async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => {
                        let Ok((socket, _)) = accepted else { return };
                        let (script, seen_by) = (Arc::clone(&script), Arc::clone(&seen_by));
                        connections.spawn("connection", |stop| async move {
                            tokio::select! {
                                () = stop.cancelled() => {}
                                _ = serve(socket, &script, &seen_by) => {}
                            }
                        });
                    }
                }
            }
        });
        Self { address, seen, tasks }
    }

    pub(crate) fn url(&self) -> url::Url {
        format!("http://{}/hook", self.address).parse().expect("an address makes a URL")
    }

    /// What was received so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.seen.borrow().clone()
    }

    /// Waits until what was received satisfies `enough`.
    pub(crate) async fn wait_for(&self, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            seen.wait_for(|all| enough(all)).await.expect("the receiver runs").clone()
        });
        waited.await.unwrap_or_else(|_late| panic!("only came: {:#?}", self.received()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn serve(
    socket: TcpStream,
    script: &Script,
    seen_by: &Mutex<watch::Sender<Vec<Received>>>,
) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut headers = Vec::new();
    let mut line = String::new();
    socket.read_line(&mut line).await?;
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            // The sender went away in the middle.
            return Ok(());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let answer = {
        let seen_by = seen_by.lock().expect("no test holds it in a panic");
        let answer = script(seen_by.borrow().len());
        seen_by.send_modify(|all| all.push(Received { headers, body, answer }));
        answer
    };
    respond(socket.into_inner(), answer).await
}

async fn respond(mut socket: TcpStream, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Status(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 4\r\n\r\nsaid");
            socket.write_all(head.as_bytes()).await
        }
        Answer::Later => {
            let head = "HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(head.as_bytes()).await
        }
        Answer::Silence => std::future::pending().await,
        Answer::Reset => {
            socket.write_all(b"HTTP/1.1 2").await?;
            // A socket closed with nothing lingering sends a reset.
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
        }
        Answer::Endless(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
            socket.write_all(head.as_bytes()).await?;
            let chunk = format!("{:x}\r\n{}\r\n", 1024, "x".repeat(1024));
            loop {
                socket.write_all(chunk.as_bytes()).await?;
            }
        }
    }
}

//! Servers for tests: each runs on a free loopback port until its guard is dropped.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use coalmine::task::TaskGroup;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that speaks a script to every connection.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    tasks: TaskGroup,
}

impl Target {
    /// Serves every connection with `script`.
    pub(crate) async fn serve<F, T>(script: F) -> Self
    where
        F: Fn(TcpStream) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let tasks = TaskGroup::new();
        let (counted, children) = (Arc::clone(&connections), tasks.clone());
        tasks.spawn("target", |stop| async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                counted.fetch_add(1, Ordering::SeqCst);
                let talk = script(accepted.unwrap().0);
                children.spawn("connection", |stop| async move {
                    tokio::select! { () = stop.cancelled() => {}, () = talk => {} }
                });
            }
        });
        Self { address, connections, tasks }
    }

    /// Answers every request of every connection with what `answer` makes of its head.
    pub(crate) async fn http<F>(answer: F) -> Self
    where
        F: Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static,
    {
        Self::serve(move |mut stream| {
            let answer = answer.clone();
            async move {
                while let Some(head) = read_head(&mut stream).await {
                    if stream.write_all(&answer(&head)).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers like `http`, then closes: for answers that end with the connection.
    pub(crate) async fn http_once<F>(answer: F) -> Self
    where
        F: Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static,
    {
        Self::serve(move |mut stream| {
            let answer = answer.clone();
            async move {
                if let Some(head) = read_head(&mut stream).await {
                    drop(stream.write_all(&answer(&head)).await);
                    drop(stream.shutdown().await);
                }
            }
        })
        .await
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until every connection has ended, that is, until the other side let go of them.
    pub(crate) async fn drained(&self) {
        while self.tasks.names().iter().any(|name| name == "connection") {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// Reads up to the empty line, and the body that `content-length` announces.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut text = String::from_utf8(head).unwrap();
    let length = header(&text, "content-length").and_then(|value| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}

/// The value of a header in a request's head.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A complete answer with a length.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "", body.as_bytes())
}

/// A complete answer; `headers` are whole lines.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

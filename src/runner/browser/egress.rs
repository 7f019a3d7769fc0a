//! The browser's way out where canaries are not trusted: a proxy that asks the policy each time.
//!
//! A page reaches for addresses that no step names: sub-resources, redirects, WebSockets. So the
//! policy is asked here, for the name and again for every address it resolves to, right before the
//! connection is made. What is refused looks like a connection that failed.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{PathAndQuery, Uri};
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::runner::policy::{NetworkPolicy, PolicyError};
use crate::task::TaskGroup;

/// Connections that are carried at one time; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection to a target may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Body = BoxBody<Bytes, hyper::Error>;

#[derive(Debug, Error)]
enum EgressError {
    #[error("not allowed")]
    Refused(#[from] PolicyError),
    #[error("the request names no host")]
    NoHost,
    #[error("cannot reach the target")]
    Unreachable(#[from] io::Error),
    #[error("the target broke off")]
    Broken(#[from] hyper::Error),
}

/// Listens on a free loopback port and carries what `policy` allows, until `tasks` are stopped.
pub(super) async fn listen(policy: NetworkPolicy, tasks: &TaskGroup) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let policy = Arc::new(policy);
    let carried = tasks.clone();
    tasks.spawn("browser-egress", move |stop| async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            // A connection that was reset before it was accepted is no reason to stop.
            let Ok((stream, _)) = accepted else { continue };
            let policy = Arc::clone(&policy);
            let tunnels = carried.clone();
            carried.spawn("browser-egress-connection", move |stop| async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = carry(stream, policy, tunnels) => {}
                }
                drop(place);
            });
        }
    });
    Ok(address)
}

async fn carry(stream: TcpStream, policy: Arc<NetworkPolicy>, tasks: TaskGroup) {
    let service = service_fn(move |request| {
        let (policy, tasks) = (Arc::clone(&policy), tasks.clone());
        async move { answer(request, &policy, &tasks).await }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A refusal ends the connection, which is all that the browser shall learn.
    drop(serving.await);
}

async fn answer(
    request: Request<Incoming>,
    policy: &NetworkPolicy,
    tasks: &TaskGroup,
) -> Result<Response<Body>, EgressError> {
    if request.method() == Method::CONNECT {
        return tunnel(request, policy, tasks).await;
    }
    let host = request.uri().host().ok_or(EgressError::NoHost)?.to_owned();
    let port = request.uri().port_u16().unwrap_or(80);
    let target = connect(&host, port, policy).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(target)).await;
    let (mut sender, connection) = handshake?;
    tasks.spawn("browser-egress-request", move |stop| async move {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = connection => {}
        }
    });
    let response = sender.send_request(in_origin_form(request)).await?;
    Ok(response.map(BodyExt::boxed))
}

/// A request as its target wants it: the path alone, and nothing meant for a proxy.
fn in_origin_form(mut request: Request<Incoming>) -> Request<Incoming> {
    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().remove("proxy-connection");
    request.headers_mut().remove("proxy-authorization");
    request
}

async fn tunnel(
    request: Request<Incoming>,
    policy: &NetworkPolicy,
    tasks: &TaskGroup,
) -> Result<Response<Body>, EgressError> {
    let authority = request.uri().authority().ok_or(EgressError::NoHost)?;
    let port = authority.port_u16().ok_or(EgressError::NoHost)?;
    let mut target = connect(authority.host(), port, policy).await?;
    tasks.spawn("browser-egress-tunnel", move |stop| async move {
        let carrying = async {
            if let Ok(upgraded) = hyper::upgrade::on(request).await {
                let mut browser = TokioIo::new(upgraded);
                drop(tokio::io::copy_bidirectional(&mut browser, &mut target).await);
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = carrying => {}
        }
    });
    let nothing = Empty::new().map_err(|never: Infallible| match never {});
    Ok(Response::new(nothing.boxed()))
}

/// Connects to the first address that is allowed and answers.
async fn connect(host: &str, port: u16, policy: &NetworkPolicy) -> Result<TcpStream, EgressError> {
    policy.check_name(host, port)?;
    let name = host.trim_matches(['[', ']']);
    let mut last = EgressError::NoHost;
    for address in tokio::net::lookup_host((name, port)).await? {
        // The very address that is connected to is checked, so that a second look-up cannot differ.
        if let Err(refused) = policy.check_address(host, address) {
            last = refused.into();
            continue;
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(fault)) => last = fault.into(),
            Err(_late) => last = io::Error::from(io::ErrorKind::TimedOut).into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::runner::policy::Trust;

    async fn ask(proxy: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(proxy).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8(answer).unwrap()
    }

    /// Answers each connection with the first line it was sent.
    async fn target(tasks: &TaskGroup) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn("target", move |_stop| async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let line = head.lines().next().unwrap_or_default().to_owned();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
                    line.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn what_policy_allows_is_carried_and_the_rest_is_cut_off() {
        let tasks = TaskGroup::new();
        let target = target(&tasks).await;
        let listed =
            NetworkPolicy::new(Trust::PullRequest, vec![target.to_string().parse().unwrap()]);
        let open = listen(listed, &tasks).await.unwrap();
        let shut = NetworkPolicy::new(Trust::PullRequest, Vec::new());
        let shut = listen(shut, &tasks).await.unwrap();
        let plain = format!(
            "GET http://{target}/a?b=1 HTTP/1.1\r\nhost: {target}\r\n\
                     connection: close\r\n\r\n"
        );
        let answer = ask(open, &plain).await;
        assert!(answer.ends_with("GET /a?b=1 HTTP/1.1"), "{answer}");
        let inside = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\nGET /t x\r\n");
        let answer = ask(open, &inside).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("GET /t x"), "{answer}");
        for request in [&plain, &inside] {
            assert_eq!(ask(shut, request).await, "");
        }
        for spelling in ["127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "localhost"] {
            let port = target.port();
            let request = format!("CONNECT {spelling}:{port} HTTP/1.1\r\nhost: x\r\n\r\nGET\r\n");
            assert_eq!(ask(shut, &request).await, "", "{spelling}");
        }
    }
}

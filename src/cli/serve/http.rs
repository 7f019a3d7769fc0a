use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::task::TaskGroup;

/// BOUND: further clients wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 1024;
/// BOUND: a client that has not sent its headers by then is gone.
const HEADERS_WAIT: Duration = Duration::from_secs(10);
/// How long requests in work may go on once no new ones are taken.
const GRACE: Duration = Duration::from_secs(5);
/// Before the listener is asked again after it failed: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers HTTP/1.1 and HTTP/2 on `listener` until `stop`; returns when every connection is closed.
pub(in crate::cli) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskGroup::new();
    let accepting = async {
        let mut refused = 0_u64;
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if refused > 0 {
                        tracing::warn!(refused, "connections are accepted again");
                        refused = 0;
                    }
                    talk(&connections, &router, (stream, peer), place);
                }
                Err(error) => {
                    // Said once: it may go on for long, and twenty times a second.
                    if refused == 0 {
                        tracing::warn!(%error, "cannot accept a connection");
                    }
                    refused += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    // New clients are refused from here on.
    drop(listener);
    connections.shutdown(GRACE).await;
}

fn talk(
    tasks: &TaskGroup,
    router: &Router,
    (stream, peer): (TcpStream, SocketAddr),
    place: OwnedSemaphorePermit,
) {
    let router = router.clone();
    tasks.spawn("connection", move |stop| async move {
        let _place = place;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WAIT);
        builder.http2().timer(TokioTimer::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "connection ended early");
        }
    });
}

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::fault::Fault;
use super::shop::Shop;
use super::{json, site};
use crate::task::TaskGroup;
use crate::time::{Clock, SystemClock};

/// The one customer.
pub const USER: &str = "ann";
/// The one customer's password, printed on the login page.
pub const PASSWORD: &str = "lamplight";

/// What can be set about the shop.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// What is broken from the start.
    pub faults: Vec<Fault>,
    /// How late answers come under [`Fault::Slow`].
    pub slow_by: Duration,
    /// Tells the time on the pages.
    pub clock: Arc<dyn Clock>,
}

impl Default for DemoSettings {
    fn default() -> Self {
        Self { faults: vec![], slow_by: Duration::from_secs(3), clock: Arc::new(SystemClock) }
    }
}

/// A connection that is closed on purpose.
#[derive(Clone, Copy, Debug, Error)]
#[error("connection dropped on purpose")]
struct Dropped;

/// Serves the shop on `listener` until `stop`, then lets requests in flight end for a moment.
///
/// Errors: none once it listens; what goes wrong on one connection ends that connection.
pub async fn serve(listener: TcpListener, settings: DemoSettings, stop: CancellationToken) {
    // BOUND: further visitors wait in the kernel's backlog.
    const CONNECTIONS_MAX: usize = 512;
    /// Long enough for a page, short enough for who waits for the prompt.
    const GRACE: Duration = Duration::from_secs(1);
    let router = router(Arc::new(Shop::new(settings)));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskGroup::new();
    let accepting = async {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _peer)) => visit(&connections, &router, stream, place),
                Err(error) => pause_after(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    connections.shutdown(GRACE).await;
}

/// A listener that fails (no descriptors left, say) is asked again, not given up.
async fn pause_after(error: &io::Error) {
    const PAUSE: Duration = Duration::from_millis(50);
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(PAUSE).await;
}

fn visit(tasks: &TaskGroup, router: &Router, stream: TcpStream, place: OwnedSemaphorePermit) {
    const HEADERS_WAIT: Duration = Duration::from_secs(10);
    let router = router.clone();
    tasks.spawn("demo connection", move |stop| async move {
        let _place = place;
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let router = router.clone();
            async move {
                // A router does not fail; see its `Infallible`.
                let response = router.oneshot(request).await.map_err(|never| match never {})?;
                match response.extensions().get::<Dropped>() {
                    Some(dropped) => Err(*dropped),
                    None => Ok(response),
                }
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WAIT)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "demo connection ended early");
        }
    });
}

fn router(shop: Arc<Shop>) -> Router {
    const BODY_MAX: usize = 64 * 1024;
    Router::new()
        .merge(site::routes())
        .nest("/api", json::routes())
        .layer(middleware::from_fn_with_state(Arc::clone(&shop), break_on_purpose))
        .route("/healthz", get(healthz))
        .merge(site::unbreakable_routes())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shop)
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// The faults that concern every page and call alike.
async fn break_on_purpose(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let faults = shop.faults();
    if faults.contains(&Fault::Slow) {
        tokio::time::sleep(shop.settings.slow_by).await;
    }
    if faults.contains(&Fault::DroppedConnection) {
        let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
        response.extensions_mut().insert(Dropped);
        return response;
    }
    if faults.contains(&Fault::ServerError) && request.uri().path().starts_with("/api/") {
        return json::broken();
    }
    next.run(request).await
}

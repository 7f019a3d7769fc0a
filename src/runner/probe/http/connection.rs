//! One connection, driven by the request that uses it.
//!
//! hyper wants each connection polled beside its requests, usually by a task of its own. Here the
//! request polls it: no task is left when a run is cancelled, and dropping closes the socket.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use futures_util::{FutureExt, StreamExt};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;

use super::wire::{SendEnd, SentBody, Watched, WireWatch};
use crate::runner::probe::{NetworkLimits, Transport};
use crate::time::Clock;

/// An HTTP connection to one origin.
pub(super) struct Connection {
    sender: Sender,
    driver: Driver,
    pub(super) watch: Arc<WireWatch>,
}

enum Sender {
    Http1(http1::SendRequest<SentBody>),
    Http2(http2::SendRequest<SentBody>),
}

/// A future that its owner alone polls.
///
/// The lock is never contended, nor even taken: it makes the type `Sync`, so that a run can hold a
/// shared reference to its session across an await and still move between threads.
struct BoxedFuture(Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl BoxedFuture {
    fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Mutex::new(Box::pin(future)))
    }
}

impl Future for BoxedFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}

/// What must be polled for the connection to move.
pub(super) struct Driver {
    connection: Option<BoxedFuture>,
    tasks: FuturesUnordered<BoxedFuture>,
    handed_over: Handover,
}

impl Connection {
    /// Speaks the version that ALPN chose, or the one insisted on.
    pub(super) async fn start(
        transport: Transport,
        send_end: SendEnd,
        limits: &NetworkLimits,
        clock: Arc<dyn Clock>,
    ) -> hyper::Result<Self> {
        let watch = WireWatch::new(clock);
        watch.begin(send_end, before_body_max(limits));
        let io = TokioIo::new(Watched { inner: transport, watch: Arc::clone(&watch) });
        let handed_over = Handover::default();
        let (sender, connection) = match send_end {
            SendEnd::LastWrite => start_http1(io, limits).await?,
            SendEnd::FirstFlush => start_http2(io, limits, handed_over.clone()).await?,
        };
        let tasks = FuturesUnordered::new();
        let driver = Driver { connection: Some(connection), tasks, handed_over };
        Ok(Self { sender, driver, watch })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<SentBody>,
    ) -> hyper::Result<Response<Incoming>> {
        let Self { sender, driver, .. } = self;
        match sender {
            Sender::Http1(sender) => driver.beside(sender.send_request(request)).await,
            Sender::Http2(sender) => driver.beside(sender.send_request(request)).await,
        }
    }

    /// Runs `operation`, a read of an answer's body, while the connection moves.
    pub(super) async fn beside<F: Future>(&mut self, operation: F) -> F::Output {
        self.driver.beside(operation).await
    }

    /// Whether another request can be sent: the peer keeps it open and nothing is under way.
    pub(super) async fn is_reusable(&mut self) -> bool {
        // One turn of the driver notices a peer that has closed meanwhile.
        self.driver.beside(std::future::ready(())).await;
        self.driver.connection.is_some()
            && match &self.sender {
                Sender::Http1(sender) => sender.is_ready(),
                Sender::Http2(sender) => sender.is_ready(),
            }
    }

    /// Makes ready for a further request on a kept connection.
    pub(super) fn begin(&self, limits: &NetworkLimits) {
        self.watch.begin(self.send_end(), before_body_max(limits));
    }

    pub(super) const fn send_end(&self) -> SendEnd {
        match self.sender {
            Sender::Http1(_) => SendEnd::LastWrite,
            Sender::Http2(_) => SendEnd::FirstFlush,
        }
    }
}

/// What may come before the body: the header that is allowed, interim answers, protocol frames, and
/// the piece of the body that arrives in the same read.
const fn before_body_max(limits: &NetworkLimits) -> usize {
    limits.header_bytes_max.saturating_mul(4)
}

async fn start_http1(
    io: TokioIo<Watched>,
    limits: &NetworkLimits,
) -> hyper::Result<(Sender, BoxedFuture)> {
    let (sender, connection) = http1::Builder::new()
        .max_headers(limits.header_fields_max)
        .max_header_size(limits.header_bytes_max)
        .handshake(io)
        .await?;
    // Its error reaches the request through `sender`.
    Ok((Sender::Http1(sender), BoxedFuture::new(async move { drop(connection.await) })))
}

async fn start_http2(
    io: TokioIo<Watched>,
    limits: &NetworkLimits,
    handover: Handover,
) -> hyper::Result<(Sender, BoxedFuture)> {
    let header_bytes_max = u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX);
    let (sender, connection) =
        http2::Builder::new(handover).max_header_list_size(header_bytes_max).handshake(io).await?;
    Ok((Sender::Http2(sender), BoxedFuture::new(async move { drop(connection.await) })))
}

impl Driver {
    /// Polls the connection and its tasks, then `operation`, until `operation` is ready.
    async fn beside<F: Future>(&mut self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = operation.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            self.poll(cx);
            operation.as_mut().poll(cx)
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.poll_unpin(cx).is_ready()
        {
            self.connection = None;
        }
        self.handed_over.register(cx);
        self.tasks.extend(self.handed_over.take());
        while let Poll::Ready(Some(())) = self.tasks.poll_next_unpin(cx) {}
    }
}

/// Takes the futures that HTTP/2 wants to spawn, for the driver to poll.
#[derive(Clone, Default)]
struct Handover(Arc<HandoverQueue>);

#[derive(Default)]
struct HandoverQueue {
    waiting: Mutex<Vec<BoxedFuture>>,
    driver: AtomicWaker,
}

impl Handover {
    fn register(&self, cx: &Context<'_>) {
        self.0.driver.register(cx.waker());
    }

    fn take(&self) -> Vec<BoxedFuture> {
        std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Handover {
    fn execute(&self, future: F) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(BoxedFuture::new(future));
        self.0.driver.wake();
    }
}

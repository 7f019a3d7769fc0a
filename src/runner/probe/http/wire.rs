//! Watches the bytes of one connection: when the request had left, when the answer began, and how
//! much header came.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runner::probe::Transport;
use crate::time::{Clock, Monotonic};

/// Bytes of an answer kept to show what came instead of HTTP.
const BEGINNING_MAX: usize = 32;

/// What is known of the exchange under way on a connection.
#[derive(Debug)]
pub(super) struct WireWatch {
    clock: Arc<dyn Clock>,
    state: Mutex<WireState>,
}

/// How the end of a request is told from the writes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SendEnd {
    /// HTTP/1: nothing else is written, so the last write before the answer is the end.
    #[default]
    LastWrite,
    /// HTTP/2: frames of the protocol follow, so the first flush after the body is the end.
    FirstFlush,
}

#[derive(Debug, Default)]
struct WireState {
    send_end: SendEnd,
    is_body_sent: bool,
    sent: Option<Monotonic>,
    answered: Option<Monotonic>,
    head_left: Option<usize>,
    beginning: Vec<u8>,
    is_head_too_large: bool,
}

impl WireWatch {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default() })
    }

    /// A request is about to be sent; at most `before_body_max` bytes may come before the body.
    pub(super) fn begin(&self, send_end: SendEnd, before_body_max: usize) {
        let head_left = Some(before_body_max);
        *self.state() = WireState { send_end, head_left, ..WireState::default() };
    }

    /// The head of the answer is complete; from here on bodies are counted elsewhere.
    pub(super) fn head_came(&self) {
        self.state().head_left = None;
    }

    /// When the last byte of the request left.
    pub(super) fn sent(&self) -> Option<Monotonic> {
        self.state().sent
    }

    /// When the first byte of the answer came.
    pub(super) fn answered(&self) -> Option<Monotonic> {
        self.state().answered
    }

    /// The beginning of the answer as printable text.
    pub(super) fn beginning(&self) -> String {
        let state = self.state();
        let line = state.beginning.split(|byte| matches!(byte, b'\r' | b'\n')).next();
        let printable = |byte: &u8| {
            if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }
        };
        line.unwrap_or_default().iter().map(printable).collect()
    }

    /// Whether more header came than is allowed.
    pub(super) fn is_head_too_large(&self) -> bool {
        self.state().is_head_too_large
    }

    fn body_sent(&self) {
        self.state().is_body_sent = true;
    }

    fn wrote(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.send_end == SendEnd::LastWrite && state.answered.is_none() {
            state.sent = Some(now);
        }
    }

    fn flushed(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.send_end == SendEnd::FirstFlush && state.is_body_sent {
            state.sent.get_or_insert(now);
        }
    }

    fn came(&self, bytes: &[u8]) -> io::Result<()> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.answered.get_or_insert(now);
        let room = BEGINNING_MAX.saturating_sub(state.beginning.len());
        state.beginning.extend(bytes.iter().take(room));
        let Some(left) = state.head_left else { return Ok(()) };
        match left.checked_sub(bytes.len()) {
            Some(left) => state.head_left = Some(left),
            None => {
                state.is_head_too_large = true;
                return Err(io::Error::other("header too large"));
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose bytes are watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) inner: Transport,
    pub(super) watch: Arc<WireWatch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(if came.is_empty() { Ok(()) } else { self.watch.came(came) })
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.watch.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, buffers))?;
        self.watch.wrote();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// The body of a request; tells the watch when it has been handed over whole.
#[derive(Debug)]
pub(super) struct SentBody {
    left: Option<Bytes>,
    watch: Arc<WireWatch>,
}

impl SentBody {
    pub(super) fn new(body: Bytes, watch: Arc<WireWatch>) -> Self {
        if body.is_empty() {
            watch.body_sent();
        }
        Self { left: Some(body).filter(|body| !body.is_empty()), watch }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let left = self.left.take();
        if left.is_some() {
            self.watch.body_sent();
        }
        Poll::Ready(left.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.as_ref().map_or(0, |left| left.len() as u64))
    }
}

//! Connections to a driver that cannot hang, flood or outlive their session.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::ReadBufCursor;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower::Service;

/// One answer may be so long: a picture of a long page in base64, with room to spare.
const ANSWER_BYTES_MAX: usize = 48 * 1024 * 1024;

#[derive(Debug, Error)]
enum ConnectFault {
    #[error("only http:// remote ends are supported, not {scheme}://")]
    Scheme { scheme: String },
    #[error("the address names no host")]
    NoHost,
    #[error("the session was cut")]
    Cut,
}

/// Opens connections for one session and cuts them all when its token is cancelled.
///
/// fantoccini gives a command no deadline and finishes it in a task of its own, so the only way to
/// really cancel one is to take the connection away from under it.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    cut: CancellationToken,
}

impl Connector {
    pub(super) fn new(cut: CancellationToken) -> Self {
        Self { cut }
    }
}

impl Service<Uri> for Connector {
    type Response = DriverStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<DriverStream>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let cut = self.cut.clone();
        Box::pin(async move {
            let refused = |fault| io::Error::new(io::ErrorKind::InvalidInput, fault);
            if let Some(scheme) = target.scheme_str().filter(|scheme| *scheme != "http") {
                return Err(refused(ConnectFault::Scheme { scheme: scheme.to_owned() }));
            }
            let host = target.host().ok_or_else(|| refused(ConnectFault::NoHost))?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let connecting = TcpStream::connect((host, target.port_u16().unwrap_or(80)));
            let stream = tokio::select! {
                () = cut.cancelled() => return Err(was_cut()),
                stream = connecting => stream?,
            };
            stream.set_nodelay(true)?;
            Ok(DriverStream {
                inner: TokioIo::new(stream),
                cut: Box::pin(cut.cancelled_owned()),
                answer: AnswerCheck::default(),
            })
        })
    }
}

fn was_cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, ConnectFault::Cut)
}

/// One connection to a driver.
#[derive(Debug)]
pub(super) struct DriverStream {
    inner: TokioIo<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    answer: AnswerCheck,
}

impl Connection for DriverStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for DriverStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(was_cut()));
        }
        // The bytes are looked at on their way, which needs them in a place of our own.
        let mut piece = [0_u8; 16 * 1024];
        let room = buffer.remaining().min(piece.len());
        let mut piece = hyper::rt::ReadBuf::new(piece.get_mut(..room).unwrap_or_default());
        match Pin::new(&mut self.inner).poll_read(context, piece.unfilled()) {
            Poll::Ready(Ok(())) => {
                self.answer.admit(piece.filled())?;
                buffer.put_slice(piece.filled());
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl hyper::rt::Write for DriverStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer = AnswerCheck::default();
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Watches one answer: its length, and that it is UTF-8 all through.
///
/// fantoccini collects an answer of any length and panics on one that is not UTF-8. A head is
/// ASCII and a body is JSON, so the bytes of the connection can be judged as one text.
#[derive(Debug, Default)]
struct AnswerCheck {
    bytes: usize,
    /// The start of a character that the last read ended within.
    unfinished: Vec<u8>,
}

impl AnswerCheck {
    fn admit(&mut self, piece: &[u8]) -> io::Result<()> {
        self.bytes += piece.len();
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the driver's answer is too long"));
        }
        if self.unfinished.is_empty() && piece.is_ascii() {
            return Ok(());
        }
        let mut text = std::mem::take(&mut self.unfinished);
        text.extend_from_slice(piece);
        match std::str::from_utf8(&text) {
            Ok(_) => Ok(()),
            Err(fault) if fault.error_len().is_none() => {
                self.unfinished = text.split_off(fault.valid_up_to());
                Ok(())
            }
            Err(_) => Err(io::Error::other("the driver's answer is not UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_may_be_split_between_reads_but_not_be_broken() {
        let mut check = AnswerCheck::default();
        let text = "ä€😀".as_bytes();
        for byte in text {
            check.admit(&[*byte]).unwrap();
        }
        assert_eq!(check.bytes, text.len());
        check.admit(&[0xe2, 0x82]).unwrap();
        let fault = check.admit(b"x").unwrap_err();
        assert_eq!(fault.to_string(), "the driver's answer is not UTF-8");
    }

    #[test]
    fn an_answer_that_never_ends_is_refused() {
        let mut check = AnswerCheck { bytes: ANSWER_BYTES_MAX - 1, ..AnswerCheck::default() };
        check.admit(b"x").unwrap();
        assert_eq!(check.admit(b"x").unwrap_err().to_string(), "the driver's answer is too long");
    }
}

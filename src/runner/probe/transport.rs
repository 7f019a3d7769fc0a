use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::error::{ProbeError, ProbeErrorKind};
use super::network::Network;
use super::tls_client::{TlsOptions, TlsPeer};
use super::trail::Trail;
use crate::canary::observation::Phase;
use crate::time::Deadline;

/// A connection to a target, plain or encrypted.
#[derive(Debug)]
pub enum Transport {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// Neither any more: it was taken for an upgrade that failed.
    Closed,
}

impl Transport {
    /// What ALPN chose, where TLS is spoken.
    pub fn alpn(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) | Self::Closed => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }
}

impl Network {
    /// Opens a TCP connection: resolves, asks policy, tries each address in order.
    ///
    /// There are no parallel attempts, so that the measured time is that of the address named in
    /// `trail.remote`. Each address gets an equal share of what is left.
    /// Errors: `Resolve`, `Policy`, `Connect` with the last address' error, `Timeout`.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<TcpStream, ProbeError> {
        let addresses = self.resolve(host, port, trail, deadline).await?;
        trail.enter(Phase::Connect);
        let deadline = trail.tighten(deadline, self.limits.connect);
        let mut waiting = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut last = None;
        for address in addresses {
            trail.remote = Some(address);
            let share = deadline.left(&*self.clock) / waiting.max(1);
            waiting -= 1;
            match trail.tighten(deadline, share).bound(open(address)).await {
                Ok(Ok(stream)) => {
                    trail.leave();
                    return Ok(stream);
                }
                Ok(Err(source)) => last = Some((address, source)),
                Err(_passed) => last = None,
            }
        }
        Err(match last {
            Some((address, source)) => {
                trail.fail(ProbeErrorKind::Connect { place: address.to_string(), source })
            }
            None => trail.timed_out(),
        })
    }

    /// Opens a connection and, where asked, speaks TLS on it.
    ///
    /// Errors: those of [`Network::connect`], then `Tls` and `Timeout`.
    pub(super) async fn open(
        &self,
        endpoint: Endpoint<'_>,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Transport, ProbeError> {
        if endpoint.tls.is_some() {
            // Loaded before the clock of any phase runs; the first handshake must not pay for it.
            self.roots().await;
        }
        let stream = self.reach(endpoint, trail, deadline).await?;
        match endpoint.tls {
            None => Ok(Transport::Plain(stream)),
            Some(options) => {
                let peer = TlsPeer { host: endpoint.host, options };
                let stream = self.handshake(stream, peer, trail, deadline).await?;
                Ok(Transport::Tls(Box::new(stream)))
            }
        }
    }
}

impl Network {
    /// A connection to the endpoint itself, to its proxy, or through it.
    async fn reach(
        &self,
        endpoint: Endpoint<'_>,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<TcpStream, ProbeError> {
        let Some(proxy) = endpoint.proxy else {
            return self.connect(endpoint.host, endpoint.port, trail, deadline).await;
        };
        let mut stream = self.connect_to_proxy(proxy, trail, deadline).await?;
        if endpoint.tls.is_some() {
            let target = format!("{}:{}", endpoint.host, endpoint.port);
            self.tunnel(&mut stream, (proxy, &target), trail, deadline).await?;
        }
        Ok(stream)
    }
}

/// Where to connect and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint<'a> {
    /// A proxy: plain requests are handed to it, TLS goes through a tunnel.
    pub(super) proxy: Option<&'a Url>,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) tls: Option<&'a TlsOptions>,
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A probe's small writes must leave at once: Nagle's delay would be measured as the target's.
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Closed => false,
        }
    }
}

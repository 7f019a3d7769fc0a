//! Tunnels through an HTTP proxy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::error::{ProbeError, ProbeErrorKind, TransferFault};
use super::network::Network;
use super::trail::Trail;
use crate::canary::observation::Phase;
use crate::time::Deadline;

/// Bytes of a proxy's answer before the tunnel stands.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

impl Network {
    /// Connects to a proxy.
    ///
    /// Policy is asked for the proxy's address. It cannot be asked for the target's, which the
    /// proxy resolves: that is why only operators choose proxies.
    pub(super) async fn connect_to_proxy(
        &self,
        proxy: &Url,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<TcpStream, ProbeError> {
        let host = proxy.host_str().unwrap_or_default();
        let port = proxy.port_or_known_default().unwrap_or(80);
        self.connect(host, port, trail, deadline).await
    }

    /// Asks a proxy for a tunnel to `target`, a host and port.
    ///
    /// Source: RFC 9110, section 9.3.6.
    /// Errors: `Transfer` when the proxy refuses or answers nonsense; `Timeout`.
    pub(super) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        (proxy, target): (&Url, &str),
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<(), ProbeError> {
        trail.enter(Phase::Connect);
        let limit = trail.tighten(deadline, self.limits.connect);
        let answer = match limit.bound(ask(stream, proxy, target)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => {
                let place = proxy_place(proxy);
                return Err(trail.fail(ProbeErrorKind::Connect { place, source }));
            }
            Err(_passed) => return Err(trail.timed_out()),
        };
        trail.leave();
        match status(&answer) {
            Some(200..=299) => Ok(()),
            Some(status) => {
                let reason = format!("a tunnel, as a proxy, with status {status}");
                let fault = TransferFault::Refused { reason };
                Err(ProbeError::transfer(Phase::Connect, &proxy_place(proxy), fault))
            }
            None => {
                let fault = TransferFault::Malformed { protocol: "HTTP", beginning: String::new() };
                Err(ProbeError::transfer(Phase::Connect, &proxy_place(proxy), fault))
            }
        }
    }
}

/// The value of `Proxy-Authorization`, where the proxy's URL has a user.
pub(super) fn authorization(proxy: &Url) -> Option<String> {
    if proxy.username().is_empty() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let password = decoded(proxy.password().unwrap_or_default());
    let pair = [decoded(proxy.username()), b":".to_vec(), password].concat();
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

async fn ask(stream: &mut TcpStream, proxy: &Url, target: &str) -> std::io::Result<Vec<u8>> {
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n");
    if let Some(value) = authorization(proxy) {
        head.extend(["proxy-authorization: ", &value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the empty line belongs to the target.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("the proxy's answer is too long"));
        }
        answer.push(stream.read_u8().await?);
    }
    Ok(answer)
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

fn proxy_place(proxy: &Url) -> String {
    let port = proxy.port_or_known_default().unwrap_or(80);
    format!("{}:{port}", proxy.host_str().unwrap_or_default())
}

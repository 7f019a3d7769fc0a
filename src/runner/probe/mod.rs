//! One protocol a file: sends what it is told and says what came back.
//!
//! Main types: [`Network`], what all probes of a process share; [`Trail`], what an exchange has
//! seen so far, which outlives a probe that is cancelled or fails; [`ProbeError`], why there was no
//! answer. Probes observe; whether an answer is right is `canary::assertion`'s business.

mod certificate;
mod dialogue;
mod dns;
mod error;
pub(crate) mod grpc;
pub mod http;
mod icmp;
mod network;
pub(crate) mod protobuf;
mod proxy;
mod resolve;
mod tcp;
mod tls;
mod tls_client;
mod trail;
mod transport;
mod websocket;

pub use dialogue::{DialogueMove, Ended, Expectation, Heard, Unmet};
pub use dns::DnsRequest;
pub(crate) use error::duration_text;
pub use error::{ProbeError, ProbeErrorKind, RedirectFault, TlsFault, TransferFault};
pub use icmp::IcmpRequest;
pub use network::{Network, NetworkLimits, NetworkSettings};
pub use tcp::TcpRequest;
pub use tls::TlsRequest;
pub use tls_client::{ClientIdentity, ClientIdentityError, TlsOptions, Verification};
pub use trail::Trail;
pub use transport::Transport;
pub use websocket::WebSocketRequest;

/// Host and port for people.
fn trail_place(host: &str, port: u16) -> String {
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    if is_bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

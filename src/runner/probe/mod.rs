//! One protocol a file: sends what it is told and says what came back.
//!
//! Main types: [`Network`], what all probes of a process share; [`Trail`], what an exchange has
//! seen so far, which outlives a probe that is cancelled or fails; [`ProbeError`], why there was no
//! answer. Probes observe; whether an answer is right is `canary::assertion`'s business.

mod certificate;
mod error;
pub mod http;
mod network;
mod proxy;
mod resolve;
mod tls_client;
mod trail;
mod transport;

pub(crate) use error::duration_text;
pub use error::{ProbeError, ProbeErrorKind, RedirectFault, TlsFault, TransferFault};
pub use network::{Network, NetworkLimits, NetworkSettings};
pub use tls_client::{ClientIdentity, ClientIdentityError, TlsOptions, Verification};
pub use trail::Trail;
pub use transport::Transport;

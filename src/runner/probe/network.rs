use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;

use super::tls_client::TlsRoots;
use crate::runner::policy::NetworkPolicy;
use crate::time::Clock;

/// Limits that hold for every exchange, whatever a canary says.
///
/// Source: `reliability.md`, "Hostile servers".
#[derive(Clone, Debug)]
pub struct NetworkLimits {
    /// Longest look-up of a name.
    pub resolve: Duration,
    /// Longest attempt to connect, all addresses together.
    pub connect: Duration,
    /// Longest TLS handshake.
    pub tls: Duration,
    /// Longest silence while a body is received or sent.
    pub idle: Duration,
    /// Bytes of header.
    pub header_bytes_max: usize,
    /// Fields of header.
    pub header_fields_max: usize,
    /// Bytes of body after decoding.
    pub body_bytes_max: u64,
    /// Bytes of body on the wire.
    pub wire_bytes_max: u64,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            header_bytes_max: 64 * 1024,
            header_fields_max: 200,
            body_bytes_max: 16 * 1024 * 1024,
            wire_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// What an operator may change about the network.
#[derive(Clone, Debug, Default)]
pub struct NetworkSettings {
    /// What may be reached.
    pub policy: NetworkPolicy,
    /// Limits.
    pub limits: NetworkLimits,
    /// Certificate authorities trusted beside the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// What all probes of a process share: policy, limits, clock, and trust anchors loaded once.
#[derive(Debug)]
pub struct Network {
    pub(super) policy: NetworkPolicy,
    pub(super) limits: NetworkLimits,
    pub(super) clock: Arc<dyn Clock>,
    extra_roots: Vec<CertificateDer<'static>>,
    roots: OnceCell<Arc<TlsRoots>>,
}

impl Network {
    /// A network under these settings. Nothing is loaded before the first TLS handshake.
    pub fn new(settings: NetworkSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy: settings.policy,
            limits: settings.limits,
            clock,
            extra_roots: settings.extra_roots,
            roots: OnceCell::new(),
        }
    }

    /// What may be reached.
    pub const fn policy(&self) -> &NetworkPolicy {
        &self.policy
    }

    /// The limits in force.
    pub const fn limits(&self) -> &NetworkLimits {
        &self.limits
    }

    /// The clock that exchanges are timed by.
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The trust anchors, read from the system on first use, off the runtime's threads.
    pub(super) async fn roots(&self) -> Arc<TlsRoots> {
        let load = || async {
            let extra = self.extra_roots.clone();
            let loaded = tokio::task::spawn_blocking(move || TlsRoots::load(&extra)).await;
            Arc::new(loaded.unwrap_or_else(|_cancelled| TlsRoots::built_in()))
        };
        Arc::clone(self.roots.get_or_init(load).await)
    }
}

use std::collections::BTreeSet;
use std::net::SocketAddr;

use thiserror::Error;

use super::auth::Credentials;
use crate::telemetry::Region;

/// What an operator may change about the AWS-compatible door.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Who may call.
    pub access: Access,
    /// Host names beside the loopback ones by which anonymous callers may reach the server.
    pub hosts: BTreeSet<String>,
    /// The regions that signatures may be scoped to; empty means any.
    pub regions: BTreeSet<Region>,
    /// Largest request body as sent.
    pub body_bytes_max: usize,
    /// Largest request body once decompressed.
    pub inflated_bytes_max: usize,
    /// How many requests may be in work at once.
    pub requests_max: usize,
    /// Which calls become audit records.
    pub audit: AuditSelection,
}

/// Who may call.
#[derive(Clone, Debug)]
pub enum Access {
    /// Anyone on this machine; the key id in a signature only says which account is meant.
    Anonymous,
    /// Holders of these credentials; signatures are verified.
    Signed(Credentials),
}

/// Which calls become audit records, over the management calls that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSelection {
    /// Management calls that only read.
    pub management_reads: bool,
    /// Calls on the data inside resources: `PutMetricData`, `PutLogEvents`.
    pub data_events: bool,
}

impl Default for AuditSelection {
    /// Source: CloudTrail User Guide, "Default trail settings": management events, no data events.
    fn default() -> Self {
        Self { management_reads: true, data_events: false }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            access: Access::Anonymous,
            hosts: BTreeSet::new(),
            regions: BTreeSet::new(),
            body_bytes_max: 16 * 1024 * 1024,
            inflated_bytes_max: 16 * 1024 * 1024,
            requests_max: 1024,
            audit: AuditSelection::default(),
        }
    }
}

/// An address that must not be listened on with these settings.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("anonymous access on {0}, which other machines can reach")]
pub struct ExposedListener(pub SocketAddr);

impl ApiSettings {
    /// Whether a listener at `address` is safe: anonymous access is for loopback only.
    pub fn check_listener(&self, address: SocketAddr) -> Result<(), ExposedListener> {
        match self.access {
            Access::Anonymous if !address.ip().is_loopback() => Err(ExposedListener(address)),
            _ => Ok(()),
        }
    }
}

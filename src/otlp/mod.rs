//! OpenTelemetry, Prometheus and X-Ray senders.
//!
//! Main functions: [`router`], which takes OTLP over HTTP and gRPC and Prometheus remote write, and
//! [`XrayDaemon`], which takes segments in datagrams. Everything is mapped to the shapes of
//! `telemetry`, made durable, and only then acknowledged. Who may send is decided before, by the
//! gate around the router; the account and region come with the request, as a `Scope`.
//!
//! A door holds no state. The one exception is what was last seen of series that count since their
//! process began: what is kept of them is the change, and no sender says the change.

mod body;
mod daemon;
mod grpc;
mod http;
mod json;
mod logs;
mod metrics;
mod receive;
mod rejected;
mod remote_write;
mod send;
mod traces;

use std::sync::Arc;

use axum::Router;

pub use daemon::{DaemonError, XrayDaemon};
pub use send::{OtlpExporter, OtlpQueue, OtlpSender, SendError};

use crate::monitor::LogRules;
use crate::store::Store;
use crate::time::Clock;

/// The paths of [`router`] and the service whose signatures are good for them.
///
/// Source: CloudWatch's own OTLP endpoints; Amazon Managed Service for Prometheus.
pub const SIGNED_FOR: [(&str, &str); 4] = [
    ("/v1/traces", "xray"),
    ("/v1/metrics", "monitoring"),
    ("/v1/logs", "logs"),
    ("/api/v1/write", "aps"),
];

/// Takes OTLP on `/v1/traces`, `/v1/metrics`, `/v1/logs` and as gRPC, and Prometheus remote write
/// on `/api/v1/write`. Log records are subject to `rules`, as those of AWS clients are.
pub fn router(store: Store, rules: LogRules, clock: Arc<dyn Clock>) -> Router {
    let receiver = receive::Receiver::new(store, rules, clock);
    http::routes(receiver.clone()).merge(grpc::routes(receiver))
}

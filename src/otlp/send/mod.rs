//! Telemetry of runs to any OpenTelemetry collector, as protobuf over HTTP.
//!
//! Main types: [`OtlpSender`], which sends one run's telemetry and says what became of it;
//! [`OtlpExporter`], which does so beside a server, from a bounded queue. What is sent is what the
//! store keeps of a run, in OpenTelemetry's shapes.

mod exporter;
mod sender;
mod shapes;
mod spans;

pub use exporter::{OtlpExporter, OtlpQueue};
pub use sender::{OtlpSender, SendError};

//! Durable telemetry and resources.

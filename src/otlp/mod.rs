//! OpenTelemetry and X-Ray senders.

//! CloudWatch Synthetics: canaries and their runs, in REST JSON.
//!
//! Canaries are files of the monitor's folder; they are read here, not made.

mod canaries;
mod describe_canaries;
mod describe_canaries_last_run;
mod described;
mod get_canary;
mod get_canary_runs;

use http::Method;

use super::error::Fault;
use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};

const VALIDATION: Fault = Fault::plain("ValidationException", 400);
const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 404);

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "Synthetics",
        signing_name: "synthetics",
        event_source: "synthetics.amazonaws.com",
        dialects: Dialects::default(),
        error_namespace: "",
        refuse: |error| refuse_as_validator(VALIDATION, error),
        operations: vec![
            operation("DescribeCanaries", Effect::Reads, describe_canaries::run)
                .at(Method::POST, "/canaries"),
            operation("DescribeCanariesLastRun", Effect::Reads, describe_canaries_last_run::run)
                .at(Method::POST, "/canaries/last-run"),
            operation("GetCanary", Effect::Reads, get_canary::run)
                .at(Method::GET, "/canary/{Name}"),
            operation("GetCanaryRuns", Effect::Reads, get_canary_runs::run)
                .at(Method::POST, "/canary/{Name}/runs"),
        ],
    }
}

//! What AWS has no operation for: replays of alarms, a look into a bus, runs made elsewhere.
//!
//! JSON 1.1 like AWS's own, so that one client speaks to all of them; the target is `Coalmine`.

mod backtest_alarm;
mod find_events;
mod put_run;
mod run_canary;

use super::error::Fault;
use super::fault::VALIDATION;
use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 404);

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "Coalmine",
        signing_name: "coalmine",
        event_source: "coalmine",
        dialects: Dialects {
            json: Some(("Coalmine", JsonVersion::V1_1)),
            query: None,
            query_compatible: false,
        },
        error_namespace: "",
        refuse: |error| refuse_as_validator(VALIDATION, error),
        operations: vec![
            operation("BacktestAlarm", Effect::ReadsData, backtest_alarm::run),
            operation("FindEvents", Effect::ReadsData, find_events::run),
            operation("PutRun", Effect::WritesData, put_run::run),
            operation("RunCanary", Effect::Writes, run_canary::run),
        ],
    }
}

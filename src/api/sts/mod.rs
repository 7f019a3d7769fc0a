//! AWS Security Token Service: who am I.
//!
//! Only GetCallerIdentity: this server issues no sessions.

mod get_caller_identity;

use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use crate::api::fault;

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "STS",
        signing_name: "sts",
        event_source: "sts.amazonaws.com",
        dialects: Dialects {
            query: Some(("2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/")),
            ..Dialects::default()
        },
        error_namespace: "",
        refuse: |error| refuse_as_validator(fault::VALIDATION, error),
        operations: vec![operation("GetCallerIdentity", Effect::Reads, get_caller_identity::run)],
    }
}

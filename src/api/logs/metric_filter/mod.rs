//! Metric filters: put, described, deleted, tried.
//!
//! They are applied where log events are taken, by [`LogRules`](crate::monitor::LogRules).

mod delete;
mod describe;
mod put;
mod test;

pub(super) use delete::run as delete;
pub(super) use describe::run as describe;
pub(super) use put::{refuse_unsupported, run as put};
pub(super) use test::run as test;

use super::fault::INVALID_PARAMETER;
use crate::api::call::Answer;
use crate::api::service::Constraints;

/// Checks the name of a filter.
pub(super) fn check_name(name: &str) -> Answer<()> {
    Constraints::new()
        .length("filterName", name, 1, 512)
        .pattern("filterName", name, !name.contains([':', '*']), "[^:*]*")
        .done(INVALID_PARAMETER)
}

//! Failures of a step, made the same way everywhere.

use super::probe::ProbeError;
use crate::canary::definition::Step;
use crate::canary::report::{Failure, Verdict};
use crate::canary::template::RenderError;

/// A failure without assertions, place and detail.
pub(super) fn failure(verdict: Verdict, message: impl Into<String>) -> Failure {
    Failure {
        verdict,
        message: message.into(),
        assertions: Vec::new(),
        location: None,
        detail: None,
    }
}

/// There was no answer, or policy forbade to ask.
pub(super) fn no_answer(error: &ProbeError) -> Failure {
    let verdict = match error {
        error if error.is_policy() => Verdict::Policy,
        error if error.is_not_permitted() => Verdict::Runner,
        _ => Verdict::NoAnswer,
    };
    failure(verdict, error.to_string())
}

/// A template of a step could not be rendered.
pub(super) fn unrendered(step: &Step, error: &RenderError) -> Box<Failure> {
    let verdict = if error.is_denied() { Verdict::Policy } else { Verdict::Canary };
    let mut failure = failure(verdict, error.to_string());
    failure.location = Some(step.locate(error.span));
    Box::new(failure)
}

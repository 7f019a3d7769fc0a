//! Judges what a step saw by its assertions.

use super::fault;
use super::redaction::Redaction;
use super::scope::Scope;
use crate::canary::assertion::{Answers, Subject, judge as judge_one};
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, Observation};
use crate::canary::report::{FailedAssertion, Failure, Verdict};

/// Checks every assertion of a step, and reports all that do not hold.
///
/// An answer that says by itself that something is wrong (a status of 400 and above, NXDOMAIN, a
/// gRPC error) fails the step, unless the canary asserts on that very field.
pub(super) fn judge(
    step: &Step,
    answers: &Answers<'_>,
    seen: &Observation,
    (scope, redaction): (&Scope, &Redaction),
) -> Result<(), Box<Failure>> {
    let mut failed = Vec::new();
    failed.extend(by_default(step, seen));
    for assertion in &step.expect {
        let rendered = assertion.render(scope);
        let rendered = rendered.map_err(|error| fault::unrendered(step, &error))?;
        redaction.learn_taint(&rendered.taint);
        if let Some(mut failure) = judge_one(&rendered.value, answers).into_failure() {
            failure.location = Some(step.locate(assertion.span));
            failed.push(failure);
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Box::new(wrong_answer(failed))),
    }
}

/// The failure of a target that answered wrongly.
pub(super) fn wrong_answer(failed: Vec<FailedAssertion>) -> Failure {
    let message = match failed.as_slice() {
        [] => "the answer is wrong".to_owned(),
        [only] => sentence(only),
        [first, others @ ..] => format!("{} (and {} more)", sentence(first), others.len()),
    };
    let location = failed.first().and_then(|first| first.location.clone());
    Failure { assertions: failed, location, ..fault::failure(Verdict::Target, message) }
}

fn sentence(failed: &FailedAssertion) -> String {
    format!("{} is {}, expected {}", failed.subject, failed.actual, failed.expected)
}

/// What fails without any assertion.
fn by_default(step: &Step, seen: &Observation) -> Option<FailedAssertion> {
    let asserts = |wanted: fn(&Subject) -> bool| {
        step.expect.iter().any(|assertion| wanted(&assertion.subject))
    };
    let asserts_status = asserts(|subject| matches!(subject, Subject::Status));
    let (subject, actual, expected) = match &seen.answer {
        Answer::Http(answer) if answer.status >= 400 && !asserts_status => {
            ("status", answer.status.to_string(), "under 400, unless the canary says otherwise")
        }
        Answer::Grpc { status, message, .. } if *status != 0 && !asserts_status => {
            ("status", format!("{status} {message}").trim_end().to_owned(), "0")
        }
        Answer::Grpc { status: 0, body: Some(body), .. } if step.expect.is_empty() => {
            let health = body.get("status").and_then(|status| status.as_str())?;
            if health == "SERVING" {
                return None;
            }
            ("health", health.to_owned(), "SERVING")
        }
        Answer::Dns(answer)
            if answer.response_code != "NOERROR"
                && !asserts(|subject| matches!(subject, Subject::ResponseCode)) =>
        {
            ("response code", answer.response_code.clone(), "NOERROR")
        }
        _ => return None,
    };
    Some(FailedAssertion {
        subject: subject.to_owned(),
        expected: expected.to_owned(),
        actual,
        place: None,
        diff: None,
        location: Some(step.locate(step.span)),
    })
}

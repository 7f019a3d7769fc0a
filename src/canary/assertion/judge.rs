use super::answers::Answers;
use super::check::Mismatch;
use super::vocabulary::{Assertion, Predicate, Subject};
use crate::canary::observation::Answer;
use crate::canary::report::FailedAssertion;

/// How an assertion came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertionOutcome {
    /// It holds.
    Held,
    /// It does not. Where it stands in the canary file is for the caller to say, who knows the
    /// file.
    Failed(FailedAssertion),
}

impl AssertionOutcome {
    /// The failure, where there is one.
    pub fn into_failure(self) -> Option<FailedAssertion> {
        match self {
            Self::Held => None,
            Self::Failed(failure) => Some(failure),
        }
    }
}

/// Judges one rendered assertion. Pure: the same answers always get the same outcome.
pub fn judge(assertion: &Assertion, answers: &Answers<'_>) -> AssertionOutcome {
    let seen = answers.look(&assertion.subject);
    match assertion.predicate.check(&seen) {
        Ok(()) => AssertionOutcome::Held,
        Err(mismatch) => {
            let Mismatch { expected, actual, place, diff } = mismatch;
            let actual = with_hint(assertion, answers, actual);
            AssertionOutcome::Failed(FailedAssertion {
                subject: assertion.subject.to_string(),
                expected,
                actual,
                place,
                diff,
                location: None,
            })
        }
    }
}

/// Adds what the person who is paged would look up next.
fn with_hint(assertion: &Assertion, answers: &Answers<'_>, actual: String) -> String {
    let Answer::Http(http) = &answers.observation().answer else { return actual };
    match (&assertion.subject, &assertion.predicate) {
        (Subject::Status, _) if (300..400).contains(&http.status) => {
            let location = http.headers.iter().find(|(name, _)| name == "location");
            match location {
                Some((_, location)) => format!("{actual} (to {location})"),
                None => actual,
            }
        }
        (Subject::Json(_), predicate) if !matches!(predicate, Predicate::Exists(false)) => {
            let of_error = http.status >= 400 && actual.starts_with("the body is ");
            if of_error { format!("{actual} (status {})", http.status) } else { actual }
        }
        _ => actual,
    }
}

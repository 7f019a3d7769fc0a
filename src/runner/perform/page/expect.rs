use std::sync::Arc;

use super::target::{name_of, observable};
use super::{Rendering, Stopped};
use crate::canary::assertion::{Mismatch, Predicate, Seen};
use crate::canary::definition::Step;
use crate::canary::page::{PageAssertion, PageSubject};
use crate::canary::report::{FailedAssertion, Verdict};
use crate::diagnostic::Span;
use crate::runner::attempt::Attempt;
use crate::runner::browser::{ActionLimit, BrowserSession};
use crate::runner::fault;
use crate::time::Deadline;

/// How long the assertions of one action are tried unless told otherwise.
const EXPECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

impl Attempt {
    /// Asserts on the page. All that does not hold is reported, not only the first.
    pub(super) async fn expect(
        &mut self,
        step: &Step,
        assertions: &[PageAssertion],
        (page, limit): (&mut BrowserSession, ActionLimit),
    ) -> Result<(), Stopped> {
        let clock = Arc::clone(self.run.clock());
        // One limit for all: what is waited for the first is not waited again for the second.
        let end = Deadline::after(&*clock, limit.timeout.unwrap_or(EXPECT_TIMEOUT));
        let mut failed = Vec::new();
        for PageAssertion { subject, predicate, span } in assertions {
            let limit = ActionLimit { timeout: Some(end.left(&*clock)), ..limit };
            failed.extend(self.check(step, (subject, predicate, *span), (page, limit)).await?);
        }
        let Some(first) = failed.first() else { return Ok(()) };
        let message = format!("{} is {}, expected {}", first.subject, first.actual, first.expected);
        let mut failure = fault::failure(Verdict::Target, message);
        failure.location.clone_from(&first.location);
        failure.assertions = failed;
        Err(Box::new(failure).into())
    }

    /// Asserts one thing.
    pub(super) async fn expect_one(
        &mut self,
        step: &Step,
        (subject, predicate, span): (&PageSubject, &Predicate, Span),
        on: (&mut BrowserSession, ActionLimit),
    ) -> Result<(), Stopped> {
        let assertion =
            PageAssertion { subject: subject.clone(), predicate: predicate.clone(), span };
        self.expect(step, std::slice::from_ref(&assertion), on).await
    }

    /// Looks until the predicate holds or time is up; gives what does not hold in the end.
    async fn check(
        &self,
        step: &Step,
        (subject, predicate, span): (&PageSubject, &Predicate, Span),
        (page, limit): (&mut BrowserSession, ActionLimit),
    ) -> Result<Option<FailedAssertion>, Stopped> {
        let mut rendering = Rendering::new(step, &self.scope);
        let what = observable(&mut rendering, subject)?;
        let predicate = predicate.render(&self.scope);
        let predicate = predicate.map_err(|error| fault::unrendered(step, &error))?;
        self.run.redaction.learn_taint(&predicate.taint);
        let predicate = predicate.value;
        let mut mismatch = Mismatch::default();
        let (_, holds) = page
            .observe_until(&what, limit, |seen| match predicate.check(&Seen::of_page(seen)) {
                Ok(()) => true,
                Err(found) => {
                    mismatch = found;
                    false
                }
            })
            .await?;
        let Mismatch { expected, actual, place, diff } = mismatch;
        Ok((!holds).then(|| FailedAssertion {
            subject: name_of(&what),
            expected,
            actual,
            place,
            diff,
            location: Some(step.locate(span)),
        }))
    }
}

//! What must not be seen, taken out of every text that leaves a run.

use std::sync::{Mutex, PoisonError};

use crate::canary::observation::CertificateObservation;
use crate::canary::report::{
    ExchangeReport, FailedAssertion, Failure, PictureReport, StepOutcome, StepReport,
};
use crate::canary::secret::{Redactor, SecretText};
use crate::canary::template::Taint;

/// The secrets that one run has met, and their removal from texts.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    redactor: Mutex<Redactor>,
}

impl Redaction {
    /// Hides values from here on.
    pub(super) fn learn(&self, secrets: impl IntoIterator<Item = SecretText>) {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner).learn(secrets);
    }

    /// Hides what tainted templates yielded.
    pub(super) fn learn_taint(&self, taint: &Taint) {
        if !taint.pieces.is_empty() {
            self.learn(taint.pieces.iter().cloned());
        }
    }

    /// What hides everything learnt so far. Cheap: clones share what they look for.
    pub(super) fn redactor(&self) -> Redactor {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        self.redactor().text(text).into_owned()
    }

    /// Hides secrets in everything that a step's report says.
    pub(super) fn step(&self, report: &mut StepReport) {
        let redactor = Sweep(self.redactor());
        if let StepOutcome::Failed(failure) = &mut report.outcome {
            redactor.failure(failure);
        }
        report.exchanges.iter_mut().for_each(|exchange| redactor.exchange(exchange));
        report.pictures.iter_mut().for_each(|picture| redactor.picture(picture));
    }

    /// Hides secrets in everything that a failure says.
    pub(super) fn failure(&self, failure: &mut Failure) {
        Sweep(self.redactor()).failure(failure);
    }
}

/// One sweep over a report.
struct Sweep(Redactor);

impl Sweep {
    fn in_place(&self, text: &mut String) {
        self.0.in_place(text);
    }

    fn optional(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.in_place(text);
        }
    }

    fn failure(&self, failure: &mut Failure) {
        self.in_place(&mut failure.message);
        self.optional(&mut failure.detail);
        failure.assertions.iter_mut().for_each(|assertion| self.assertion(assertion));
    }

    fn assertion(&self, assertion: &mut FailedAssertion) {
        self.in_place(&mut assertion.subject);
        self.in_place(&mut assertion.expected);
        self.in_place(&mut assertion.actual);
        self.optional(&mut assertion.place);
        self.optional(&mut assertion.diff);
    }

    fn exchange(&self, exchange: &mut ExchangeReport) {
        self.in_place(&mut exchange.url);
        self.optional(&mut exchange.error);
        self.optional(&mut exchange.curl);
        if let Some(certificate) = &mut exchange.certificate {
            self.certificate(certificate);
        }
        if let Some(detail) = &mut exchange.http {
            let headers = detail.request_headers.iter_mut().chain(&mut detail.response_headers);
            headers.for_each(|(_, value)| self.in_place(value));
            for hop in &mut detail.redirects {
                self.in_place(&mut hop.url);
                self.in_place(&mut hop.location);
            }
        }
    }

    fn certificate(&self, certificate: &mut CertificateObservation) {
        self.in_place(&mut certificate.subject);
        self.in_place(&mut certificate.issuer);
        certificate.names.iter_mut().for_each(|name| self.in_place(name));
        self.optional(&mut certificate.distrust);
    }

    fn picture(&self, picture: &mut PictureReport) {
        self.in_place(&mut picture.summary);
    }
}

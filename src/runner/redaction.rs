//! What must not be seen, taken out of every text that leaves a run.

use std::sync::{Mutex, PoisonError};

use url::Url;

use crate::canary::observation::CertificateObservation;
use crate::canary::report::{
    ExchangeReport, FailedAssertion, Failure, PictureReport, StepOutcome, StepReport,
};
use crate::canary::secret::SecretText;
use crate::canary::template::Taint;

/// Shown instead of what is hidden.
pub(super) const HIDDEN: &str = "***";

/// Shorter values are words of ordinary texts, and hiding them would tear reports apart.
const SECRET_CHARACTERS_MIN: usize = 6;

/// The secrets that one run has met, and their removal from texts.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    known: Mutex<Vec<SecretText>>,
}

impl Redaction {
    /// Hides a value from here on.
    pub(super) fn learn(&self, secret: &SecretText) {
        if secret.expose().chars().count() < SECRET_CHARACTERS_MIN {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(secret) {
            known.push(secret.clone());
        }
    }

    /// Hides what tainted templates yielded.
    pub(super) fn learn_taint(&self, taint: &Taint) {
        taint.pieces.iter().for_each(|piece| self.learn(piece));
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let hide = |text: String, secret: &SecretText| text.replace(secret.expose(), HIDDEN);
        known.iter().fold(text.to_owned(), hide)
    }

    fn in_place(&self, text: &mut String) {
        *text = self.text(text);
    }

    fn optional(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.in_place(text);
        }
    }

    /// Hides secrets in everything that a step's report says.
    pub(super) fn step(&self, report: &mut StepReport) {
        if let StepOutcome::Failed(failure) = &mut report.outcome {
            self.failure(failure);
        }
        report.exchanges.iter_mut().for_each(|exchange| self.exchange(exchange));
        report.pictures.iter_mut().for_each(|picture| self.picture(picture));
    }

    /// Hides secrets in everything that a failure says.
    pub(super) fn failure(&self, failure: &mut Failure) {
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

/// Whether a header, query parameter or field of this name usually carries a credential. Its value
/// is hidden although nobody declared it a secret.
pub(super) fn is_credential_name(name: &str) -> bool {
    const WHOLE: [&str; 8] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "sig",
        "key",
        "code",
        "pin",
    ];
    const PART: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "api-key",
        "apikey",
        "credential",
        "signature",
        "session",
        "private-key",
        "access-key",
    ];
    let name = name.to_ascii_lowercase().replace('_', "-");
    WHOLE.contains(&name.as_str())
        || PART.iter().any(|part| name.contains(part))
        || (name.starts_with("x-") && name.ends_with("-key"))
}

/// A URL for people: credentials and the values of telling query parameters are hidden.
pub(super) fn shown_url(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return url.to_owned() };
    if url.password().is_some() {
        // Fails only for URLs without a host, which have no password.
        let _ignored = url.set_password(Some(HIDDEN));
    }
    let tells = url.query_pairs().any(|(name, _)| is_credential_name(&name));
    if !tells {
        return url.to_string();
    }
    let shown: Vec<String> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_credential_name(name) => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    url.set_query(Some(&shown.join("&")));
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_parameters_are_hidden_without_any_declared_secret() {
        for (url, shown) in [
            ("http://a.test/?q=1&access_token=abc", "http://a.test/?q=1&access_token=***"),
            ("http://a.test/?X-Amz-Signature=abc", "http://a.test/?X-Amz-Signature=***"),
            ("http://ann:pw@a.test/", "http://ann:***@a.test/"),
            ("http://a.test/?q=a%20b", "http://a.test/?q=a%20b"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }

    #[test]
    fn names_of_credentials_are_known_and_others_are_not() {
        for name in ["Authorization", "X-Api-Key", "X-Auth-Key", "client_secret", "PASSWORD"] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in ["accept", "q", "monkey", "keyboard", "content-type", "page"] {
            assert!(!is_credential_name(name), "{name}");
        }
    }

    #[test]
    fn a_short_value_is_not_hidden_since_it_is_a_word() {
        let redaction = Redaction::default();
        redaction.learn(&SecretText::new("lamp"));
        redaction.learn(&SecretText::new("correct horse"));
        assert_eq!(redaction.text("a lamp and a correct horse"), "a lamp and a ***");
    }
}

//! The signatures of `tests/sigv4/vectors.json`: made by botocore, valid or with one thing wrong.

use http::{HeaderMap, HeaderName, Method};
use serde::Deserialize;

use super::{Caller, Credential, Credentials, SecretKey, Signature, Signed};
use crate::api::error::ApiError;
use crate::api::fault;
use crate::telemetry::AccountId;
use crate::time::Timestamp;

const VECTORS: &str = include_str!("../../../tests/sigv4/vectors.json");
const NOW: &str = "2026-01-02T03:04:05Z";

#[derive(Deserialize)]
struct Case {
    name: String,
    seconds_later: i64,
    service: String,
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    expect: String,
}

fn credentials() -> Credentials {
    let mut known = Credentials::none();
    let credential = |secret: &str, token: Option<&str>, expires: Option<&str>| Credential {
        account: AccountId::default(),
        secret: SecretKey::new(secret),
        session_token: token.map(SecretKey::new),
        expires: expires.map(|at| Timestamp::parse(at).unwrap()),
    };
    let example = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    known.insert("AKIDEXAMPLE", credential(example, None, None));
    let session = credential("sessionsecret", Some("session/token+=="), None);
    known.insert("ASIASESSION", session);
    known.insert("ASIAENDED", credential("endedsecret", Some("ended-token"), Some(NOW)));
    known
}

fn decide(case: &Case) -> Result<Caller, ApiError> {
    let uri = case.uri.parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &case.headers {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let signature = Signature::of(&uri, &headers)?.ok_or(fault::MISSING_TOKEN.because(""))?;
    let method: Method = case.method.parse().unwrap();
    let signed =
        Signed { method: &method, uri: &uri, headers: &headers, body: case.body.as_bytes() };
    let now = Timestamp::parse(NOW).unwrap().plus_millis(case.seconds_later * 1000);
    let caller = signature.verify(signed, &credentials(), now)?;
    signature.check_service(&case.service)?;
    Ok(caller)
}

#[test]
fn every_vector_is_decided_as_aws_decides_it() {
    let cases: Vec<Case> = serde_json::from_str(VECTORS).unwrap();
    assert!(cases.len() >= 60);
    let mut wrong = Vec::new();
    for case in &cases {
        let decision = match decide(case) {
            Ok(caller) => caller.scope.account.to_string(),
            Err(refused) => refused.fault.shape.to_owned(),
        };
        if decision != case.expect {
            wrong.push(format!("{}: {decision}, not {}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_signature_says_which_region_its_caller_works_in() {
    let cases: Vec<Case> = serde_json::from_str(VECTORS).unwrap();
    let case = cases.iter().find(|case| case.name == "china region").unwrap();
    assert_eq!(decide(case).unwrap().scope.region.as_str(), "cn-north-1");
}

#[test]
fn a_time_that_is_off_is_told_with_both_clocks() {
    let cases: Vec<Case> = serde_json::from_str(VECTORS).unwrap();
    let message = |name| {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        decide(case).unwrap_err().message
    };
    assert_eq!(
        message("too late"),
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z \
         (20260102T030906Z - 5 min.)"
    );
    assert_eq!(
        message("too early"),
        "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z \
         (20260102T025904Z + 5 min.)"
    );
}

#[test]
fn a_secret_is_never_shown() {
    let shown = format!("{:?}", credentials());
    assert!(!shown.contains("wJalr") && !shown.contains("sessionsecret"), "{shown}");
}

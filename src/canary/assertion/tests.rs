use std::path::Path;

use serde_json::json;

use super::{Answers, AssertionOutcome, Predicate, Seen, judge};
use crate::canary::assertion_fixture::http;
use crate::canary::definition::{CanaryBody, Step};
use crate::canary::load::{NoImports, load};
use crate::canary::observation::{CertificateObservation, Observation};
use crate::diagnostic::SourceFile;
use crate::time::Timestamp;

/// The step with these expectations, read as from a file.
fn step(expect: &str) -> Step {
    let text =
        format!("canary: t\nsteps:\n- step: s\n  http: http://h/\n  expect:\n    {expect}\n");
    let loaded = load(&SourceFile::new("t.yaml", text), Path::new("."), &NoImports);
    let loaded = loaded.unwrap_or_else(|faults| panic!("{expect}: {faults:?}"));
    let CanaryBody::Steps(mut steps) = loaded.canary.body else { panic!("steps") };
    steps.remove(0)
}

/// One line a failed assertion.
fn failures(expect: &str, seen: &Observation) -> Vec<String> {
    let answers = Answers::of(seen);
    let step = step(expect);
    let outcomes = step.expect.iter().map(|assertion| judge(assertion, &answers));
    let line = |outcome: AssertionOutcome| {
        let failed = outcome.into_failure()?;
        let place = failed.place.map(|place| format!(" at {place}")).unwrap_or_default();
        Some(format!("{}{place}: {} | {}", failed.subject, failed.expected, failed.actual))
    };
    outcomes.filter_map(line).collect()
}

const BODY: &str = r#"{"status": "ok", "n": 3, "price": 2.50, "tags": ["a", "b"], "none": null,
"items": [{"p": 1, "name": "red lamp"}, {"p": 5, "name": "blue lamp"}], "deep": {"x": {"y": 1}}}"#;

#[test]
fn what_holds_holds() {
    let seen = http(200, BODY);
    for expect in [
        "status: 200",
        "status: '200'",
        "status: 2xx",
        "status: { not: 404 }",
        "status: one of 200, 204",
        "status: { one_of: [200, 204] }",
        "status: between 200 and 299",
        "latency: under 1s",
        "latency: { under: 1s, over: 100ms }",
        "latency: { total: under 400ms, wait: under 300ms }",
        "header: { Content-Type: contains json, content-length: 12, vary: 'a, b' }",
        "header: { content-length: over 10, x-none: { exists: false } }",
        "header: { content-type: matches /^APPLICATION/i }",
        "header: { content-type: is string, content-length: is number }",
        "cookie: { session: abc }",
        "body: contains lamp",
        "body: { contains: lamp, not: { contains: error } }",
        "json: { '$.status': ok, '$.n': 3, '$.price': 2.5, '$.none': null }",
        "json: { '$.tags': [a, b], '$.tags[0]': a }",
        "json: { '$.tags': { contains: b, length: 2 } }",
        "json: { '$.deep': { equals: { x: { y: 1 } } } }",
        "json: { '$.items[*].p': [1, 5] }",
        "json: { '$.items[*].p': over 0 }",
        "json: { '$.items[*]': count 2, '$.nope': count 0 }",
        "json: { '$.items[*].name': contains blue }",
        "json: { '$.items': length over 1, '$.status': length 2 }",
        "json: { '$.n': is number, '$.none': is null, '$.items': is list, '$.deep': is object }",
        "json: { '$.nope': not exists, '$.n': exists }",
        "json: { '$.status': starts with o, '$.n': under 4 }",
        "json: { '$': { schema: { type: object, required: [status, n] } } }",
        "bytes: under 1 KiB",
        "redirects: 0",
        "url: ends with /",
        "remote_address: starts with 127.",
        "version: HTTP/1.1",
    ] {
        assert_eq!(failures(expect, &seen), Vec::<String>::new(), "{expect}");
    }
}

#[test]
fn a_failure_shows_what_was_expected_what_was_and_where() {
    let seen = http(500, BODY);
    for (expect, failure) in [
        ("status: 200", "status: equals 200 | 500"),
        ("status: 2xx", "status: 2xx | 500"),
        ("status: one of 200, 204", "status: one of 200, 204 | 500"),
        ("latency: under 300ms", "latency: under 300ms | 310ms"),
        (
            "latency: { connect: under 1s }",
            "latency of connect: under 1s | there was no phase `connect`",
        ),
        ("header: { x-id: exists }", "header x-id: exists | the response has no header `x-id`"),
        (
            "header: { x-id: not contains 7 }",
            "header x-id: not contains \"7\" | the response has no header `x-id`",
        ),
        (
            "header: { content-type: text/html }",
            "header content-type: equals \"text/html\" | \"application/json\"",
        ),
        ("cookie: { id: exists }", "cookie id: exists | the response sets no cookie `id`"),
        ("json: { '$.status': down }", "json $.status: equals \"down\" | \"ok\""),
        ("json: { '$.n': '3' }", "json $.n: equals \"3\" | 3 (a number, not a string)"),
        ("json: { '$.nope': 1 }", "json $.nope: equals 1 | nothing was selected"),
        ("json: { '$.items[*].p': over 2 }", "json $.items[*].p at $['items'][0]['p']: over 2 | 1"),
        (
            "json: { '$.status': over 2 }",
            "json $.status: over 2 | \"ok\", which cannot be compared with it",
        ),
        (
            "json: { '$.items': length 3 }",
            "json $.items: length equals 3 | length 2: [{\"p\":1,\"name\":\"red lamp\"},\
             {\"p\":5,\"name\":\"blue lamp\"}]",
        ),
        ("json: { '$.items[*]': count 3 }", "json $.items[*]: count equals 3 | 2"),
        (
            "json: { '$.deep': { equals: { x: { y: 2 } } } }",
            "json $.deep at .x.y: equals {\"x\":{\"y\":2}} | {\"x\":{\"y\":1}}",
        ),
        (
            "json: { '$': { schema: { properties: { n: { type: string } } } } }",
            "json $ at /n: is valid under the schema | 3 is not of type \"string\"",
        ),
        (
            "body: not contains blue",
            "body at line 2: not contains \"blue\" | found it in: \"items\": [{\"p\": 1, \
             \"name\": \"red lamp\"}, {\"p\": 5, \"name\": \"blue lamp\"}], \
             \"deep\": {\"x\": {\"y\": 1}}}",
        ),
        ("expires: over 30d", "certificate expires: over 30d | no certificate was shown"),
        ("bytes: over 1 MiB", "bytes: over 1 MiB | 170"),
    ] {
        assert_eq!(failures(expect, &seen), [failure], "{expect}");
    }
}

#[test]
fn a_body_that_is_no_json_says_so_and_names_the_status() {
    let found = failures("json: { '$.a': 1 }", &http(502, "<html>Bad</html>"));
    let problem = "the body is not JSON: expected value at line 1 column 1 (status 502)";
    assert_eq!(found, [format!("json $.a: equals 1 | {problem}")]);
}

#[test]
fn long_texts_and_objects_come_with_a_difference() {
    let seen = http(200, &json!({"a": 1, "list": ["x", "y"], "text": "t".repeat(60)}).to_string());
    let expect = "json: { '$': { equals: { a: 1, list: [x, z], text: t } } }";
    let answers = Answers::of(&seen);
    let failed = judge(&step(expect).expect[0], &answers).into_failure().unwrap();
    assert_eq!(failed.place.as_deref(), Some(".list[1]"));
    let diff = failed.diff.unwrap();
    assert!(diff.contains("-     \"z\"\n+     \"y\""), "{diff}");
}

#[test]
fn a_certificate_is_judged_by_the_time_it_has_left() {
    let mut seen = http(200, "");
    seen.certificate = Some(CertificateObservation {
        subject: "CN=shop.test".into(),
        issuer: "CN=ca".into(),
        names: vec!["shop.test".into(), "www.shop.test".into()],
        not_before: Timestamp::EPOCH,
        not_after: seen.started.plus_millis(20 * 86_400_000),
        serial: "01".into(),
        sha256: "ab".into(),
        distrust: None,
    });
    assert_eq!(failures("expires: over 10d", &seen), Vec::<String>::new());
    assert_eq!(failures("expires: over 30d", &seen), ["certificate expires: over 30d | 20.0d"]);
    let expect = "certificate: { names: contains www.shop.test, trusted: true, issuer: CN=ca }";
    assert_eq!(failures(expect, &seen), Vec::<String>::new());
    if let Some(certificate) = &mut seen.certificate {
        certificate.not_after = seen.started.plus_millis(-86_400_000 * 3);
    }
    assert_eq!(failures("expires: over 1d", &seen), ["certificate expires: over 1d | 3.0d ago"]);
}

#[test]
fn pages_and_scripts_are_checked_by_the_same_predicate() {
    let contains = Predicate::Contains(json!("lamp").into());
    assert!(contains.check(&Seen::of_page(Some(&json!("a red lamp")))).is_ok());
    assert!(contains.check(&Seen::of_page(Some(&json!(["lamp", "x"])))).is_ok());
    let mismatch = contains.check(&Seen::of_page(None)).unwrap_err();
    assert_eq!(mismatch.actual, "nothing on the page matches");
    let equals = Predicate::Equals(json!(3).into());
    assert!(equals.check(&Seen::of_page(Some(&json!("3")))).is_ok());
    assert!(equals.check(&Seen::of_script(&json!("3"))).is_err());
    assert!(equals.check(&Seen::of_script(&json!(3.0))).is_ok());
}

#[test]
fn a_huge_answer_is_not_compared_line_by_line() {
    let big = "x\n".repeat(200_000);
    let equals = Predicate::Equals(json!(format!("{big}y")).into());
    let mismatch = equals.check(&Seen::Text(big.into())).unwrap_err();
    assert_eq!(mismatch.diff, None);
    assert!(mismatch.actual.len() < 400);
}

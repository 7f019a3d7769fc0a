use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Binding, LookupError, Position, RenderError, RenderFault, Rendered, TemplateContext,
    TemplateValue, Text,
};
use crate::canary::secret::SecretText;
use crate::diagnostic::Span;
use crate::time::Timestamp;

struct Fixture {
    variables: BTreeMap<&'static str, Value>,
    secret_names: Vec<Arc<str>>,
}

impl Fixture {
    fn new() -> Self {
        let variables = BTreeMap::from([
            ("base", json!("http://shop.test:8600/api?x=1")),
            ("count", json!(3)),
            ("price", json!(2.5)),
            ("flag", json!(true)),
            ("user", json!({"name": "Ann Ö", "tags": ["a", "b"], "a-b": 7})),
            ("evil", json!("{{ secret.KEY }}${x}\r\nX: y")),
            ("slash", json!("a/../b?c=d#e%")),
            ("nothing", json!(null)),
            ("token", json!("captured-token")),
        ]);
        Self { variables, secret_names: vec!["token".into()] }
    }
}

impl TemplateContext for Fixture {
    fn variable(&self, name: &str) -> Option<Binding<'_>> {
        let value = self.variables.get(name)?;
        let secrets = if name == "token" { &self.secret_names[..] } else { &[] };
        Some(Binding { value, secrets })
    }

    fn variable_names(&self) -> Vec<&str> {
        self.variables.keys().copied().collect()
    }

    fn environment(&self, name: &str) -> Result<String, LookupError> {
        match name {
            "HOME" => Ok("/home/ann".into()),
            "HIDDEN" => Err(LookupError::Denied { reason: "not listed by policy".into() }),
            _ => Err(LookupError::Undefined),
        }
    }

    fn secret(&self, name: &str) -> Result<SecretText, LookupError> {
        if name == "KEY" { Ok(SecretText::new("s3cr3t!")) } else { Err(LookupError::Undefined) }
    }

    fn now(&self) -> Timestamp {
        Timestamp::parse("2026-02-28T23:30:00Z").unwrap()
    }

    fn random(&self) -> u64 {
        10
    }
}

fn text(source: &str) -> Text {
    Text::parse(source, Span::new(0, source.len()), source).unwrap()
}

fn render(source: &str, position: Position) -> Result<Rendered<String>, RenderError> {
    text(source).render(&Fixture::new(), position)
}

fn plain(source: &str) -> String {
    match render(source, Position::Plain) {
        Ok(rendered) => rendered.value,
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn each_operation_does_what_its_name_says() {
    for (source, expected) in [
        ("no template { at all }}", "no template { at all }}"),
        ("{{ base | host }}:{{ base | port }}{{ base | path }}", "shop.test:8600/api"),
        ("{{ base | origin }}", "http://shop.test:8600"),
        ("{{ 'https://a.test/' | port }}", "443"),
        ("{{ user.name | upper }} {{ user.name|lower }}", "ANN Ö ann ö"),
        ("{{ user.tags[1] }}{{ user.tags.0 }}{{ user['a-b'] }}{{ user.a-b }}", "ba77"),
        ("{{ user.tags }} {{ flag }} {{ price }} {{ nothing }}.", r#"["a","b"] true 2.5 ."#),
        (
            "{{ env.HOME }} {{ env.NONE | default('x') }} {{ nothing | default(1) }}",
            "/home/ann x 1",
        ),
        ("{{ missing | default(count) }} {{ user.age | default(42) }}", "3 42"),
        ("{{ '  a ' | trim }}{{ 'aXbX' | replace('X', '-') }}", "aa-b-"),
        (
            "{{ 'a,b' | split(',') | join('+') }} {{ 'abc' | first }}{{ user.tags | last }}",
            "a+b ab",
        ),
        ("{{ user.name | length }} {{ user.tags | length }} {{ user | length }}", "5 2 3"),
        ("{{ 'a b/ü' | url }} {{ 'a%20b' | url_decode }}", "a%20b%2F%C3%BC a b"),
        ("{{ 'ab?' | base64 }} {{ 'YWI/' | base64_decode }}", "YWI/ ab?"),
        ("{{ 'ab?>' | base64('url') }} {{ 'YWI_Pg' | base64_decode }}", "YWI_Pg ab?>"),
        ("{{ 'hi' | hex }} {{ '6869' | hex_decode }}", "6869 hi"),
        (
            "{{ user.tags | json }} {{ '{\"a\": [1]}' | from_json | json }}",
            r#"["a","b"] {"a":[1]}"#,
        ),
        ("{{ 'abc' | md5 }}", "900150983cd24fb0d6963f7d28e17f72"),
        ("{{ 'abc' | sha1 }}", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "{{ 'abc' | sha256 }}",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "{{ 'what do ya want for nothing?' | hmac('Jefe') }}",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        ("{{ 'm' | hmac('k', 'sha1', 'base64') }}", "dytxyKKZfnaL4B2XEeSk80ok7zM="),
        ("{{ now }} {{ now | epoch }}", "2026-02-28T23:30:00Z 1772321400"),
        ("{{ now + 1h | date('%Y-%m-%d %H:%M') }}", "2026-03-01 00:30"),
        ("{{ now - 30d | date('%d.%m.%y') }} {{ (now + 90m) - now }}", "29.01.26 5400000"),
        ("{{ '2024-02-29T00:00:00Z' | date('%A') }}", "Thursday"),
        ("{{ 0 | date }} {{ '1970-01-01T00:00:01Z' | epoch_ms }}", "1970-01-01T00:00:00Z 1000"),
        ("{{ uuid }}", "00000000-0000-400a-8000-00000000000a"),
        ("{{ random(1, 4) }} {{ random(5) }} {{ random }}", "3 4 10"),
        ("{{ '12' | int + 1 }}", "error: `|`"),
        (
            "{{ count + 1 }} {{ count * price }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 7 % 4 }}",
            "4 7.5 3.5 4 3",
        ),
        ("{{ 2 + 3 * 4 }} {{ (2 + 3) * 4 }} {{ -count }} {{ 5 - -1 }}", "14 20 -3 6"),
        (
            "{{ '3.9' | int }} {{ '3' | float }} {{ 2.567 | round(1) }} {{ 2.5 | round }}",
            "3 3.0 2.6 3",
        ),
        ("{{ '{{' }} {{ 'it''s' }}", "error"),
    ] {
        if expected.starts_with("error") {
            assert!(Text::parse(source, Span::default(), source).is_err(), "{source}");
        } else {
            assert_eq!(plain(source), expected, "{source}");
        }
    }
    assert_eq!(plain("{{ '{{' }} {{ 'it\\'s' }}"), "{{ it's");
}

#[test]
fn a_fault_says_what_is_wrong() {
    for (source, message) in [
        ("{{ cuont }}", "variable `cuont` is not defined"),
        ("{{ user.age }}", "`user` has no `age`"),
        ("{{ env.NONE }}", "environment variable `NONE` is not set"),
        (
            "{{ env.HIDDEN | default('x') }}",
            "environment variable `HIDDEN` is not allowed: not listed by policy",
        ),
        ("{{ secret.NONE }}", "secret `NONE` is not set"),
        ("{{ user | upper }}", "`upper` cannot work on an object: it takes a text"),
        ("{{ 'a' + 1 }}", "`+` cannot work on a text: it takes a number"),
        ("{{ 1 / 0 }}", "`/` cannot work: the result is out of range"),
        ("{{ 9223372036854775807 + 1 }}", "`+` cannot work: the result is out of range"),
        (
            "{{ now * 2 }}",
            "`*` cannot work on an instant: it takes two numbers, or time and a duration",
        ),
        ("{{ now | date('%Q') }}", "`date` cannot work: the form has an unknown % conversion"),
        ("{{ 'x' | host }}", "`host` cannot work: this is not a URL"),
        ("{{ '/w==' | base64_decode }}", "`base64_decode` cannot work: the bytes are not text"),
    ] {
        assert_eq!(plain(source), format!("error: {message}"), "{source}");
    }
    let error = render("{{ cuont }}", Position::Plain).unwrap_err();
    assert_eq!(error.to_diagnostic().labels[0].message, "did you mean `count`?");
    assert!(render("{{ env.HIDDEN }}", Position::Plain).unwrap_err().is_denied());
}

#[test]
fn what_a_template_yields_is_never_a_template() {
    assert_eq!(plain("{{ evil }}"), "{{ secret.KEY }}${x}\r\nX: y");
    let value = TemplateValue::List(vec![TemplateValue::Text(text("{{ evil | json }}"))]);
    let rendered = value.evaluate(&Fixture::new()).unwrap();
    assert!(rendered.taint.is_clean());
    assert_eq!(rendered.value, json!([r#""{{ secret.KEY }}${x}\r\nX: y""#]));
}

#[test]
fn a_text_that_is_wholly_a_template_keeps_its_type() {
    let value = |source: &str| text(source).evaluate(&Fixture::new()).unwrap().value;
    assert_eq!(value("{{ count }}"), json!(3));
    assert_eq!(value("{{ user.tags }}"), json!(["a", "b"]));
    assert_eq!(value("{{ count }} "), json!("3 "));
}

#[test]
fn a_header_is_not_split() {
    let error = render("x {{ evil }}", Position::Header).unwrap_err();
    assert_eq!(error.to_string(), "the result may not stand here: it holds a line break or NUL");
}

#[test]
fn a_url_is_encoded_by_part_and_its_host_stays() {
    let url = |source: &str| match render(source, Position::Url) {
        Ok(rendered) => rendered.value,
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(url("{{ base }}"), "http://shop.test:8600/api?x=1");
    assert_eq!(url("http://h/{{ slash }}"), "http://h/a/../b%3Fc%3Dd%23e%25");
    assert_eq!(url("http://h/?q={{ slash }}&r=1"), "http://h/?q=a%2F..%2Fb%3Fc%3Dd%23e%25&r=1");
    assert_eq!(url("http://h/{{ slash | raw }}"), "http://h/a/../b?c=d#e%");
    assert_eq!(url("http://h/{{ 'a b' | url }}"), "http://h/a%20b");
    assert_eq!(url("http://h:{{ count }}/"), "http://h:3/");
    let wrong = "error: the result may not stand here: it would change the host of the URL";
    assert_eq!(url("http://{{ 'evil.test/' }}.shop.test/"), wrong);
    assert_eq!(url("http://shop.test{{ '@evil.test' }}/"), wrong);
    assert!(url("{{ base }}/{{ evil }}").starts_with("error"), "line breaks are refused");
}

#[test]
fn secrets_taint_what_they_touch_and_nothing_else() {
    let rendered = render("Bearer {{ secret.KEY | base64 }} {{ count }}", Position::Plain).unwrap();
    assert_eq!(rendered.value, "Bearer czNjcjN0IQ== 3");
    assert_eq!(rendered.taint.names.iter().map(|n| &**n).collect::<Vec<_>>(), ["KEY"]);
    let pieces: Vec<&str> = rendered.taint.pieces.iter().map(SecretText::expose).collect();
    assert_eq!(pieces, ["s3cr3t!", "czNjcjN0IQ=="]);
    let captured = render("{{ token }}", Position::Plain).unwrap();
    assert!(captured.taint.names.contains("token"));
    assert!(render("{{ count }}", Position::Plain).unwrap().taint.is_clean());
}

#[test]
fn results_are_bounded() {
    let mut fixture = Fixture::new();
    fixture.variables.insert("big", json!("a".repeat(600_000)));
    for source in [
        "{{ big }}{{ big }}",
        "{{ big | replace('a', 'bb') }}",
        "{{ big | hex }}",
        "{{ big | split('a') | join('xxxx') }}",
    ] {
        let error = text(source).render(&fixture, Position::Plain).unwrap_err();
        assert_eq!(error.fault, RenderFault::TooLarge, "{source}");
    }
}

use std::path::Path;

use super::definition::{CanaryBody, StepRole};
use super::load::{Fault, ImportError, Imports, Loaded, NoImports, load};
use crate::diagnostic::{MessageFormat, SourceFile, render};

/// The file of the design, whole.
const CHECKOUT: &str = r##"canary: checkout
description: a customer can log in, find a lamp and pay
schedule: rate(1 minute)
timeout: 60s
retry: { attempts: 2, delay: 1s, on: [no-answer] }
tags: [smoke, shop]
vars: { base: "{{ env.BASE_URL | default('http://127.0.0.1:8600') }}" }
secrets: [SHOP_PASSWORD]
use: [shared/login.yaml]
matrix: { currency: [eur, usd] }
steps:
  - step: api is healthy
    http: { get: "{{ base }}/api/health" }
    expect: { status: 200, latency: under 300ms, json: { "$.status": ok } }
  - step: log in
    http:
      post: "{{ base }}/api/login"
      json: { user: ann, password: "{{ secret.SHOP_PASSWORD }}" }
    expect: { status: 2xx, header: { content-type: contains json } }
    capture: { token: { json: "$.token", secret: true } }
  - step: certificate is good for a month
    tls: { host: "{{ base | host }}", port: 443 }
    expect: { expires: over 30d }
  - step: search looks right
    browser:
      - open: "{{ base }}/"
      - fill: { "#q": lamp }
      - press: Enter
      - wait: { visible: ".results" }
      - expect: { text: { ".results h2": contains lamp } }
      - screenshot: { name: results, max_diff: 0.1%, ignore: [".clock"] }
alarms:
  - when: SuccessPercent < 100 for 2 of 3 periods of 1m
    missing: breaching
    notify: [oncall]
"##;

const LOGIN: &str = r#"vars: { user: ann }
secrets: [LOGIN_KEY]
steps:
- step: shared log in
  http: { post: "{{ base }}/login", body: "{{ user }} {{ secret.LOGIN_KEY }}" }
teardown:
- step: log out
  http: "{{ base }}/logout"
"#;

struct Folder(&'static [(&'static str, &'static str)]);

impl Imports for Folder {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(name, text)| SourceFile::new(*name, *text)).ok_or(ImportError::NotFound)
    }
}

fn load_with(text: &str, folder: &dyn Imports) -> Result<Loaded, Vec<Fault>> {
    load(&SourceFile::new("canary.yaml", text), Path::new("canaries"), folder)
}

fn listing(faults: &[Fault]) -> String {
    faults.iter().map(|f| render(&f.diagnostic, &f.file, MessageFormat::Short)).collect()
}

fn faults(text: &str) -> String {
    match load_with(text, &NoImports) {
        Ok(loaded) => listing(&loaded.warnings),
        Err(faults) => listing(&faults),
    }
}

#[test]
fn the_file_of_the_design_is_a_canary() {
    let loaded = load_with(CHECKOUT, &Folder(&[("shared/login.yaml", LOGIN)]));
    let loaded = loaded.unwrap_or_else(|faults| panic!("{}", listing(&faults)));
    let canary = loaded.canary;
    assert_eq!(canary.combinations.len(), 2);
    assert_eq!(canary.secrets.len(), 2);
    let CanaryBody::Steps(steps) = canary.body else { panic!("a list of steps") };
    let names: Vec<(&str, StepRole)> = steps.iter().map(|s| (&*s.name, s.role)).collect();
    assert_eq!(names[0], ("shared log in", StepRole::Ordinary));
    assert_eq!(names[5], ("log out", StepRole::Teardown));
    assert_eq!(steps[0].source.name(), "shared/login.yaml");
}

#[test]
fn every_fault_of_a_file_is_told_at_once_in_the_order_of_the_file() {
    let text = "canary: My Shop\ntiemout: 10\nschedule: rate(1 minute)\nsteps:\n\
                - step: a\n  http: { get: 'ftp://x/', methd: GET }\n  expect: { satus: 200 }\n\
                - step: a\n  http: 'http://h/{{ tokn }}'\n";
    let expected = "\
canary.yaml:1:9: canary-name: `My Shop` cannot be the name of a canary (`my-shop` would do; a name \
is 1 to 255 lower-case letters, digits, `-` and `_`)
canary.yaml:2:1: unknown-key: `tiemout` is not a key of a canary (did you mean `timeout`?)
canary.yaml:6:16: url: `ftp://x/` is no URL: the scheme `ftp` is not one of: http, https (write \
http://host:port/path)
canary.yaml:6:28: unknown-key: `methd` is not a key of an HTTP request (did you mean \
`method`?)
canary.yaml:7:13: unknown-key: `satus` is not a key of an expectation (did you mean \
`status`?)
canary.yaml:9:22: undefined-variable: variable `tokn` is not defined (define it under `vars`, or \
capture it in an earlier step)
";
    assert_eq!(faults(text), expected);
}

#[test]
fn faults_of_used_files_name_their_file() {
    let folder = Folder(&[("shared/login.yaml", "steps:\n- step: x\n  http: '{{ bse }}'\n")]);
    let text = "canary: a\nvars: { base: 'http://h/' }\nuse: shared/login.yaml\n";
    let found = listing(&load_with(text, &folder).unwrap_err());
    assert_eq!(
        found,
        "shared/login.yaml:3:13: undefined-variable: variable `bse` is not defined (did you mean \
         `base`?)\n"
    );
}

#[test]
fn rows_and_matrix_multiply() {
    let folder = Folder(&[("users.csv", "user,age\nann,30\nbob,40\n")]);
    let text = "canary: a\nrows: users.csv\nmatrix: { lang: [de, en, fr] }\nsteps:\n- step: s\n  \
                http: 'http://h/{{ user }}/{{ lang }}'\n";
    let canary = load_with(text, &folder).unwrap().canary;
    assert_eq!(canary.combinations.len(), 6);
    assert_eq!(canary.combinations[0]["user"], "ann");
    assert_eq!(canary.combinations[5]["lang"], "fr");
}

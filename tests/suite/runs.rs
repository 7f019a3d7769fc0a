//! One run from its canary's text to its report.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coalmine::canary::definition::Combination;
use coalmine::canary::report::{ArtifactKind, RunOutcome, Verdict};
use coalmine::runner::policy::{NetworkPolicy, Trust};
use coalmine::runner::probe::NetworkSettings;
use coalmine::runner::{RunRequest, Runner, RunnerSettings};
use coalmine::task::TaskGroup;
use coalmine::telemetry::MetricValue;
use coalmine::time::{Clock, SystemClock};
use tokio::io::AsyncReadExt;

use crate::run_fixture::{canary, canary_in, environment, run, run_request, run_yaml, secrets};
use crate::target::{Target, answer, header, ok};

/// Answers with the head of the request.
async fn mirror() -> Target {
    Target::http(ok).await
}

async fn silent() -> Target {
    Target::serve(|mut stream| async move {
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    })
    .await
}

#[tokio::test]
async fn a_run_tells_its_story_in_order_without_gaps() {
    let target = mirror().await;
    let ran = run_yaml(&format!(
        "canary: story\nsteps:\n\
         - {{ step: one, http: '{0}', emit: {{ log: hello }} }}\n\
         - {{ step: two, http: '{0}' }}\n",
        target.url("/")
    ))
    .await;
    assert_eq!(
        ran.story(),
        [
            "run started",
            "one started",
            "logged hello",
            "one finished",
            "two started",
            "two finished",
            "run passed"
        ]
    );
    let sequence: Vec<u32> = ran.events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequence, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(ran.report.logs.len(), 1);
}

#[tokio::test]
async fn variables_are_rendered_in_order_and_given_ones_replace_them() {
    let target = mirror().await;
    let canary = canary(&format!(
        "canary: vars\nvars: {{ base: '{}', path: deep, url: '{{{{ base }}}}/{{{{ path }}}}' }}\n\
         steps: [{{ step: one, http: '{{{{ url }}}}', \
         capture: {{ line: {{ regex: '^GET (\\S+)' }} }}, emit: {{ log: '{{{{ line }}}}' }} }}]\n",
        target.url("")
    ));
    let ran = run(RunnerSettings::default(), &canary).await;
    assert_eq!(ran.report.logs[0].message, "/deep");
    let mut request = RunRequest::expand(&canary).remove(0);
    request.variables.insert("path".into(), "given one".into());
    let ran = run_request(RunnerSettings::default(), request).await;
    assert_eq!(ran.report.logs[0].message, "/given%20one");
}

#[tokio::test]
async fn every_combination_of_a_matrix_is_a_run_with_its_parameters() {
    let target = mirror().await;
    let canary = canary(&format!(
        "canary: matrix\nmatrix: {{ currency: [eur, usd] }}\n\
         steps: [{{ step: one, http: '{}?c={{{{ currency }}}}' }}]\n",
        target.url("/")
    ));
    let requests = RunRequest::expand(&canary);
    let parameters: Vec<&Combination> = requests.iter().map(|r| &r.parameters).collect();
    assert_eq!(parameters.len(), 2);
    for (request, currency) in requests.into_iter().zip(["eur", "usd"]) {
        let ran = run_request(RunnerSettings::default(), request).await;
        assert_eq!(ran.outcome(), RunOutcome::Passed);
        assert_eq!(ran.report.parameters["currency"], currency);
    }
}

#[tokio::test]
async fn after_a_failure_steps_are_skipped_and_teardown_runs() {
    let target = mirror().await;
    let ran = run_yaml(&format!(
        "canary: order\nsteps:\n\
         - {{ step: first, http: '{0}' }}\n\
         - {{ step: broken, http: 'http://127.0.0.1:1/' }}\n\
         - {{ step: never, http: '{0}' }}\n\
         teardown:\n- {{ step: clean, http: '{0}' }}\n",
        target.url("/")
    ))
    .await;
    assert_eq!(ran.steps(), ["passed", "failed", "skipped", "passed"]);
    assert_eq!(ran.outcome(), RunOutcome::Failed);
    let failure = ran.failure();
    assert_eq!(failure.verdict, Verdict::NoAnswer);
    assert_eq!(failure.message, "cannot connect to 127.0.0.1:1: connection refused");
    let place = failure.location.as_ref().unwrap();
    assert_eq!((&*place.file, place.line), ("canaries/test.yaml", 4));
    assert_eq!(target.connections(), 2);
}

#[tokio::test]
async fn a_run_that_passes_only_after_a_retry_is_flaky() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let target = Target::http_once(move |_head| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Vec::new(),
        _ => ok("well"),
    })
    .await;
    let yaml = |retry: &str| {
        format!(
            "canary: flaky\nretry: {{ attempts: 3, delay: 1ms, on: [{retry}] }}\n\
             steps: [{{ step: one, http: '{}' }}]\n",
            target.url("/")
        )
    };
    let ran = run_yaml(&yaml("target")).await;
    assert_eq!((ran.outcome(), ran.report.attempts.len()), (RunOutcome::Failed, 1));
    calls.store(0, Ordering::SeqCst);
    let ran = run_yaml(&yaml("no-answer")).await;
    assert_eq!((ran.outcome(), ran.report.attempts.len()), (RunOutcome::Flaky, 2));
    assert!(ran.story().contains(&"attempt 1 failed".to_owned()));
    let first = &ran.report.attempts[0];
    assert_eq!((first.number, first.outcome), (1, RunOutcome::Failed));
}

#[tokio::test]
async fn a_step_that_passes_only_when_tried_again_makes_the_run_flaky() {
    let calls = AtomicUsize::new(0);
    let calls = Arc::new(calls);
    let target = Target::http_once(move |_head| match calls.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Vec::new(),
        _ => ok("well"),
    })
    .await;
    let ran = run_yaml(&format!(
        "canary: flaky\nsteps: [{{ step: one, http: '{}', \
         retry: {{ attempts: 3, delay: 1ms }} }}]\n",
        target.url("/")
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Flaky);
    let step = &ran.report.attempts[0].steps[0];
    assert_eq!(step.exchanges.len(), 3, "every try is in the report");
    assert!(step.exchanges[0].error.is_some() && step.exchanges[2].error.is_none());
}

#[tokio::test]
async fn a_step_ends_at_its_own_deadline_and_says_what_it_waited_for() {
    let target = silent().await;
    let clock = SystemClock;
    let begun = clock.monotonic();
    let ran = run_yaml(&format!(
        "canary: slow\ntimeout: 30s\nsteps: [{{ step: one, timeout: 200ms, http: '{}' }}]\n",
        target.url("/")
    ))
    .await;
    let elapsed = clock.monotonic().since(begun);
    assert!(elapsed < Duration::from_millis(450), "{elapsed:?}");
    let message = &ran.failure().message;
    assert!(message.starts_with(&format!("no answer from {}", target.address)), "{message}");
    target.drained().await;
}

#[tokio::test]
async fn the_runs_deadline_leaves_its_teardown_a_share() {
    let target = silent().await;
    let clock = SystemClock;
    let begun = clock.monotonic();
    let ran = run_yaml(&format!(
        "canary: slow\ntimeout: 500ms\nsteps: [{{ step: one, http: '{0}' }}]\n\
         teardown: [{{ step: clean, http: '{0}' }}]\n",
        target.url("/")
    ))
    .await;
    let elapsed = clock.monotonic().since(begun);
    assert!(elapsed < Duration::from_millis(750), "{elapsed:?}");
    assert_eq!(ran.steps(), ["failed", "failed"]);
    let steps = &ran.report.attempts[0].steps;
    assert!(steps[0].elapsed < Duration::from_millis(450));
    assert!(steps[1].elapsed > Duration::from_millis(50));
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once_with_a_report_and_leaves_nothing() {
    let target = silent().await;
    let canary = canary(&format!(
        "canary: slow\nsteps: [{{ step: one, http: '{0}' }}, {{ step: two, http: '{0}' }}]\n",
        target.url("/")
    ));
    let request = RunRequest::expand(&canary).remove(0);
    let cancel = request.cancel.clone();
    let tasks = TaskGroup::new();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    tasks.spawn("canceller", |_stop| async move {
        tick.tick().await;
        tick.tick().await;
        cancel.cancel();
    });
    let clock = SystemClock;
    let begun = clock.monotonic();
    let ran = run_request(RunnerSettings::default(), request).await;
    let elapsed = clock.monotonic().since(begun);
    assert!(elapsed < Duration::from_millis(300), "{elapsed:?}");
    assert_eq!(ran.outcome(), RunOutcome::Cancelled);
    assert_eq!(ran.steps(), ["failed", "skipped"]);
    assert_eq!(ran.story().last().unwrap(), "run cancelled");
    target.drained().await;
}

#[tokio::test]
async fn captures_and_emitted_numbers_reach_the_report() {
    let target = Target::http(|_head| {
        answer("200 OK", "x-total: 41.5\r\nset-cookie: sid=7; Path=/\r\n", br#"{"a":[1,2]}"#)
    })
    .await;
    let ran = run_yaml(&format!(
        "canary: capture\nsteps:\n- step: one\n  http: '{}'\n  capture:\n    \
         total: {{ header: x-total }}\n    list: {{ json: '$.a[*]' }}\n    \
         sid: {{ cookie: sid }}\n    \
         code: {{ status: true }}\n  \
         emit:\n    metrics: {{ Total: {{ value: '{{{{ total }}}}', unit: Count }} }}\n    \
         log: '{{{{ list | json }}}} {{{{ sid }}}} {{{{ code }}}}'\n",
        target.url("/")
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    assert_eq!(ran.report.logs[0].message, "[1,2] 7 200");
    let metric = &ran.report.metrics[0];
    assert_eq!((&*metric.metric_name, &metric.value), ("Total", &MetricValue::Value(41.5)));
}

#[tokio::test]
async fn the_target_is_told_the_trace_and_the_span_that_the_report_names() {
    let target = Target::http(|head| {
        ok(&format!(
            "{} {}",
            header(head, "traceparent").unwrap_or("none"),
            header(head, "x-amzn-trace-id").unwrap_or("none")
        ))
    })
    .await;
    let ran = run_yaml(&format!(
        "canary: trace\nsteps: [{{ step: one, http: '{}', \
         capture: {{ seen: {{ body: true }} }}, emit: {{ log: '{{{{ seen }}}}' }} }}]\n",
        target.url("/")
    ))
    .await;
    let span = ran.report.attempts[0].steps[0].exchanges[0].span.clone().unwrap();
    let trace = ran.report.trace;
    assert_eq!(
        ran.report.logs[0].message,
        format!("00-{}-{span}-01 Root={trace};Parent={span};Sampled=1", trace.to_w3c())
    );
}

#[tokio::test]
async fn a_missing_variable_is_the_canarys_fault_and_nothing_is_sent() {
    let target = mirror().await;
    let ran = run_yaml(&format!(
        "canary: broken\nsteps: [{{ step: one, http: '{}{{{{ env.NOWHERE }}}}' }}]\n",
        target.url("/")
    ))
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Error);
    assert_eq!(ran.failure().verdict, Verdict::Canary);
    assert_eq!(ran.failure().message, "environment variable `NOWHERE` is not set");
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_secret_goes_only_to_its_hosts() {
    let target = mirror().await;
    let yaml = |host: &str| {
        format!(
            "canary: bound\nsecrets: [{{ name: KEY, hosts: [{host}] }}]\n\
             steps: [{{ step: one, http: {{ post: '{}', body: '{{{{ secret.KEY }}}}' }} }}]\n",
            target.url("/")
        )
    };
    let settings =
        RunnerSettings { secrets: secrets(&[("KEY", "hunter2-hunter2")]), ..Default::default() };
    let ran = run(settings.clone(), &canary(&yaml("api.example.com"))).await;
    assert_eq!(ran.failure().verdict, Verdict::Policy);
    assert_eq!(ran.failure().message, "secret `KEY` may not be sent to 127.0.0.1");
    assert_eq!(target.connections(), 0);
    let ran = run(settings, &canary(&yaml("127.0.0.1"))).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
}

#[tokio::test]
async fn a_redirect_does_not_carry_a_bound_secret_to_another_host() {
    let other = mirror().await;
    let location = format!("location: http://localhost:{}/\r\n", other.address.port());
    let target = Target::http(move |_head| answer("307 Moved", &location, b"")).await;
    let yaml = format!(
        "canary: bound\nsecrets: [{{ name: KEY, hosts: [127.0.0.1] }}]\n\
         steps: [{{ step: one, http: {{ post: '{}', body: '{{{{ secret.KEY }}}}' }} }}]\n",
        target.url("/")
    );
    let settings =
        RunnerSettings { secrets: secrets(&[("KEY", "hunter2-hunter2")]), ..Default::default() };
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(ran.failure().verdict, Verdict::Policy);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_pull_request_gets_no_secret_no_environment_and_no_inside_address() {
    let target = mirror().await;
    let settings = RunnerSettings {
        network: NetworkSettings {
            policy: NetworkPolicy::new(
                Trust::PullRequest,
                vec![target.address.to_string().parse().unwrap()],
            ),
            ..Default::default()
        },
        secrets: secrets(&[("KEY", "hunter2-hunter2")]),
        environment: environment(&[("TOKEN", "leak"), ("PREVIEW", "open")], &["PREVIEW"]),
        ..Default::default()
    };
    for (body, verdict) in [
        ("{{ secret.KEY }}", Some(Verdict::Policy)),
        ("{{ env.TOKEN }}", Some(Verdict::Policy)),
        ("{{ env.TOKEN | default('x') }}", Some(Verdict::Policy)),
        ("{{ env.PREVIEW }}", None),
        ("{{ env.ABSENT | default('x') }}", None),
    ] {
        let yaml = format!(
            "canary: pr\nsecrets: [KEY]\nsteps: [{{ step: one, \
             http: {{ post: '{}', body: \"{body}\" }} }}]\n",
            target.url("/")
        );
        let ran = run(settings.clone(), &canary(&yaml)).await;
        let seen = ran.report.failure().map(|(_, failure)| failure.verdict);
        assert_eq!(seen, verdict, "{body}");
    }
    let inside = mirror().await;
    let yaml = format!("canary: pr\nsteps: [{{ step: one, http: '{}' }}]\n", inside.url("/"));
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(ran.failure().verdict, Verdict::Policy);
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn bodies_come_from_files_inside_the_canarys_folder_only() {
    let target = Target::http(|head| ok(head.split_once("\r\n\r\n").unwrap().1)).await;
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("canaries");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("body.bin"), "from a file").unwrap();
    std::fs::write(outside.path().join("secret"), "leak").unwrap();
    let yaml = |path: &str| {
        format!(
            "canary: files\nvars: {{ file: '{path}' }}\nsteps:\n- step: one\n  \
             http: {{ post: '{}', file: '{{{{ file }}}}' }}\n  \
             capture: {{ seen: {{ body: true }} }}\n  emit: {{ log: '{{{{ seen }}}}' }}\n",
            target.url("/")
        )
    };
    let ran = run(RunnerSettings::default(), &canary_in(&folder, &yaml("body.bin"))).await;
    assert_eq!(ran.report.logs[0].message, "from a file");
    let ran = run(RunnerSettings::default(), &canary_in(&folder, &yaml("../secret"))).await;
    assert_eq!(ran.failure().verdict, Verdict::Policy);
    assert_eq!(ran.failure().message, "`../secret` is not inside the canary's folder");
}

#[tokio::test]
async fn the_body_of_a_wrong_answer_is_kept_as_evidence() {
    let target = Target::http(|_head| {
        answer("200 OK", "content-type: application/json\r\n", br#"{"oops":true}"#)
    })
    .await;
    let ran = run_yaml(&format!(
        "canary: evidence\nsteps: [{{ step: Check API, http: '{}', \
         capture: {{ x: {{ json: '$.missing' }} }} }}]\n",
        target.url("/")
    ))
    .await;
    assert_eq!(ran.failure().message, "cannot capture `x`: `$.missing` selects nothing");
    let kept = &ran.report.artifacts[0];
    assert_eq!((kept.kind, &*kept.name), (ArtifactKind::Body, "check-api-body.json"));
    assert_eq!(kept.bytes, br#"{"oops":true}"#[..]);
}

/// Sends a secret everywhere it can, then fails.
const LEAKY: &str = r#"
canary: leak
secrets: [KEY]
steps:
- step: send it everywhere
  http:
    post: "TARGET{{ secret.KEY }}?q={{ secret.KEY }}"
    headers: { x-mine: "{{ secret.KEY }}", x-b64: "{{ secret.KEY | base64 }}" }
    auth: { basic: { user: ann, password: "{{ secret.KEY }}" } }
    json: { inner: "{{ secret.KEY }}" }
  capture:
    echo: { header: x-echo }
    token: { regex: "x-mine: (.*)", secret: true }
  emit: { log: "{{ echo }} {{ token }} {{ secret.KEY | hex }} {{ secret.KEY | upper }}" }
- step: fail with it
  http: { get: TARGET, headers: { x-mine: "{{ secret.KEY }}" } }
  capture: { x: { header: x-none } }
"#;

#[tokio::test]
async fn no_secret_leaves_a_run_by_its_report_or_its_events() {
    const SECRET: &str = "correct horse/battery+staple";
    // The target sends everything back: in a header, in the body, in the URL of a redirect.
    let target = Target::http(|head| {
        let line = head.lines().next().unwrap_or_default().to_owned();
        answer("200 OK", &format!("x-echo: {line}\r\n"), head.as_bytes())
    })
    .await;
    let yaml = LEAKY.replace("TARGET", &target.url("/"));
    let settings = RunnerSettings { secrets: secrets(&[("KEY", SECRET)]), ..Default::default() };
    let ran = run(settings, &canary(&yaml)).await;
    assert_eq!(ran.steps(), ["passed", "failed"], "{:?}", ran.report.failure());
    let text = ran.everything();
    let encodings = [
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        "correct%20horse".to_owned(),
        "correct+horse".to_owned(),
        hex::encode(SECRET),
        "Y29ycmVjdCBob3JzZS9iYXR0ZXJ5K3N0YXBsZQ".to_owned(),
        "YW5uOmNvcnJlY3QgaG9yc2UvYmF0dGVyeStzdGFwbGU".to_owned(),
    ];
    for leaked in encodings {
        assert!(!text.contains(&leaked), "{leaked} leaked in:\n{text}");
    }
}

#[tokio::test]
async fn runs_share_a_login_until_one_of_them_fails() {
    let logins = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&logins);
    let target = Target::http(move |head| {
        let json = "content-type: application/json\r\n";
        if head.starts_with("POST /login ") {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let token = format!("{{\"token\": \"token-{number}\"}}");
            return answer("200 OK", json, token.as_bytes());
        }
        let status = if head.starts_with("GET /expired ") { "401 No" } else { "200 OK" };
        answer(status, "", head.as_bytes())
    })
    .await;
    let yaml = |path: &str, user: &str| {
        format!(
            "canary: shop\nsteps:\n- step: log in\n  \
             http: {{ post: '{0}', form: {{ user: {user} }} }}\n  \
             capture: {{ token: {{ json: $.token, secret: true }} }}\n  reuse: 10m\n- step: ask\n  \
             http: {{ get: '{1}', auth: {{ bearer: '{{{{ token }}}}' }} }}\n",
            target.url("/login"),
            target.url(path),
        )
    };
    let runner = Runner::new(RunnerSettings::default(), Arc::new(SystemClock));
    let run = async |path: &str, user: &str| {
        let request = RunRequest::expand(&canary(&yaml(path, user))).remove(0);
        runner.run(request, &mut |_| {}).await.outcome
    };
    let both = tokio::join!(run("/a", "ann"), run("/b", "ann"));
    assert_eq!(both, (RunOutcome::Passed, RunOutcome::Passed));
    assert_eq!(logins.load(Ordering::SeqCst), 1);
    assert_eq!(run("/a", "bob").await, RunOutcome::Passed);
    assert_eq!(logins.load(Ordering::SeqCst), 2, "another user signs in for himself");
    assert_eq!(run("/expired", "ann").await, RunOutcome::Failed);
    assert_eq!(run("/a", "ann").await, RunOutcome::Passed);
    assert_eq!(logins.load(Ordering::SeqCst), 3, "what failed with the login forgot it");
}

//! Luau canaries from their text to their report, against servers of the test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coalmine::canary::definition::Canary;
use coalmine::canary::load::NoImports;
use coalmine::canary::report::{RunOutcome, StepOutcome, Verdict};
use coalmine::diagnostic::SourceFile;
use coalmine::runner::script::ScriptPlace;
use coalmine::runner::{RunnerSettings, script};
use coalmine::telemetry::MetricValue;
use coalmine::time::{Clock, SystemClock};

use crate::run_fixture::{Ran, environment, run, secrets};
use crate::target::{Target, answer, ok};

fn lua_in(folder: &Path, text: &str) -> Arc<Canary> {
    let file = SourceFile::new("canaries/test.lua", text);
    match script::load(&file, folder, &NoImports, &ScriptPlace::Here) {
        Ok(loaded) => Arc::new(loaded.canary),
        Err(faults) => panic!("{:#?}", faults.iter().map(|f| &f.diagnostic).collect::<Vec<_>>()),
    }
}

async fn run_lua(settings: RunnerSettings, text: &str) -> Ran {
    run(settings, &lua_in(Path::new("."), text)).await
}

async fn shop() -> Target {
    Target::http(|head| {
        if head.starts_with("GET /api/products ") {
            let json = "content-type: application/json\r\n";
            answer(
                "200 OK",
                json,
                br#"{"products": [{"id": 1, "price": 2.5}, {"id": 2, "price": 7}]}"#,
            )
        } else if head.starts_with("GET /missing ") {
            answer("404 Not Found", "", b"no")
        } else {
            ok(head)
        }
    })
    .await
}

#[tokio::test]
async fn a_script_asks_expects_measures_and_logs() {
    let target = shop().await;
    let text = r#"
local base = canary.env("BASE_URL")
step("products", function()
  local answer = http.get(base .. "/api/products", { headers = { ["x-test"] = "yes" } })
  expect(answer.status):equals(200)
  expect(answer.timings.total):under "10s"
  expect(answer:header("Content-Type")):contains "json"
  local products = answer:json().products
  expect(#products, "number of products"):equals(2)
  for _, product in products do
    expect(product.price):over(1)
    expect(product.id).never:equals(9)
  end
  metric("Products", #products, "Count")
  annotate("first", products[1].id)
  log("found", #products)
end)
step("echo", function()
  local answer = http.post(base .. "/echo", { json = { a = { 1, 2 }, empty = json.null } })
  expect(answer.body):contains '{"a":[1,2],"empty":null}'
  expect(answer.body):matches "/content-type: application.json/i"
end)
"#;
    let settings = RunnerSettings {
        environment: environment(&[("BASE_URL", &target.url(""))], &[]),
        ..RunnerSettings::default()
    };
    let ran = run_lua(settings, text).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    assert_eq!(ran.steps(), ["passed", "passed"]);
    assert_eq!(ran.report.metrics[0].value, MetricValue::Value(2.0));
    assert_eq!(ran.report.annotations["first"], 1);
    assert_eq!(ran.report.logs[0].message, "found\t2");
    let step = &ran.report.deciding_attempt().unwrap().steps[0];
    assert_eq!(step.exchanges.len(), 1);
    assert_eq!(step.location.as_ref().unwrap().line, 3);
    assert_eq!(ran.story()[1], "products started");
}

#[tokio::test]
async fn a_failed_expectation_names_its_line_and_skips_the_rest() {
    let target = shop().await;
    let text = format!(
        r#"
step("status", function()
  local answer = http.get("{0}/missing")
  expect(answer.status, "status"):equals(200)
end)
step("after", function() error("never reached") end)
step("clean up", {{ always = true }}, function() log("cleaned") end)
local broken = nil .. "after a failure, nobody minds"
"#,
        target.url("")
    );
    let ran = run_lua(RunnerSettings::default(), &text).await;
    assert_eq!(ran.outcome(), RunOutcome::Failed);
    assert_eq!(ran.steps(), ["failed", "skipped", "passed"]);
    let failure = ran.failure();
    assert_eq!(failure.message, "status is 404, expected equals 200");
    assert_eq!(failure.verdict, Verdict::Target);
    assert_eq!(failure.assertions.len(), 1);
    assert_eq!(failure.location.as_ref().unwrap().to_string(), "canaries/test.lua:4:1");
}

#[tokio::test]
async fn mistakes_of_a_script_are_the_canarys_fault() {
    for (body, message) in [
        (
            "http.get('http://127.0.0.1:1/', { bdy = 1 })",
            "http: `bdy` is not a key of an HTTP request (did you mean `body`?)",
        ),
        (
            "expect(1):under 'x'",
            "expect:under: `x` is no number, duration, size or share \
             (write 10, 300ms, 30d, 64 KiB or 0.5%)",
        ),
        ("local t = nil; print(t.x)", "attempt to index nil with 'x'"),
        ("error('by hand')", "by hand"),
        ("step('inner', function() end)", "step `inner` begins inside of step `outer`"),
        ("metric('m', 1, 'Furlongs')", "`Furlongs` is no unit of CloudWatch"),
        ("secret('NOT_')", "secret `NOT_` is not set"),
    ] {
        let text = format!("step('outer', function()\n{body}\nend)");
        let ran = run_lua(RunnerSettings::default(), &text).await;
        assert_eq!(ran.outcome(), RunOutcome::Error, "{body}");
        assert_eq!(ran.failure().message, message, "{body}");
        assert_eq!(ran.failure().location.as_ref().unwrap().line, 2, "{body}");
    }
}

#[tokio::test]
async fn a_script_that_computes_forever_ends_and_lets_others_go_on() {
    let text = "step('spin', { timeout = '300ms' }, function() while true do end end)";
    let begun = SystemClock.monotonic();
    let ticks = async {
        let mut ticks = 0;
        while SystemClock.monotonic().since(begun) < Duration::from_millis(200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ticks += 1;
        }
        ticks
    };
    let (ran, ticks) = tokio::join!(run_lua(RunnerSettings::default(), text), ticks);
    assert_eq!(ran.outcome(), RunOutcome::Failed);
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    assert!(ran.failure().message.starts_with("the step did not end within"));
    assert!(ticks > 5, "the other task moved {ticks} times");
    assert!(SystemClock.monotonic().since(begun) < Duration::from_secs(2));
}

#[tokio::test]
async fn no_answer_is_told_as_in_yaml() {
    let ran = run_lua(
        RunnerSettings::default(),
        "step('s', function() http.get('http://127.0.0.1:1/') end)",
    )
    .await;
    assert_eq!(ran.outcome(), RunOutcome::Failed);
    assert_eq!(ran.failure().verdict, Verdict::NoAnswer);
    let attempt = ran.report.deciding_attempt().unwrap();
    assert!(matches!(attempt.steps[0].outcome, StepOutcome::Failed(_)));
    assert_eq!(attempt.steps[0].exchanges.len(), 1);
}

#[tokio::test]
async fn what_fails_inside_of_a_call_is_told_with_the_calls_line() {
    let text = "step('a', function()\n  local x = 1\n  http.get('http://127.0.0.1:1/')\nend)";
    let ran = run_lua(RunnerSettings::default(), text).await;
    let location = ran.failure().location.as_ref().unwrap().to_string();
    assert_eq!(location, "canaries/test.lua:3:1");
    // Without browsers the page fails, as a picture that differs does: by a failure of its own.
    let text = "step('a', function()\n\n  browser.open('http://127.0.0.1:1/')\nend)";
    let ran = run_lua(RunnerSettings::default(), text).await;
    let location = ran.failure().location.as_ref().unwrap().to_string();
    assert_eq!(location, "canaries/test.lua:3:1");
}

#[tokio::test]
async fn secrets_of_a_script_are_hidden_in_every_form() {
    let target = shop().await;
    let text = format!(
        r#"
step("leak", function()
  local key = secret "SHOP_PASSWORD"
  log(key, crypto.base64(key), crypto.hex(key))
  annotate("key", key)
  http.get("{}/?q=" .. key, {{ headers = {{ ["x-key"] = key }} }})
  error("the key is " .. key)
end)
"#,
        target.url("")
    );
    let settings = RunnerSettings {
        secrets: secrets(&[("SHOP_PASSWORD", "hunter2-hunter2")]),
        ..RunnerSettings::default()
    };
    let ran = run_lua(settings, &text).await;
    let everything = ran.everything();
    for form in ["hunter2-hunter2", "aHVudGVyMi1odW50ZXIy", "68756e746572322d68756e74657232"] {
        assert!(!everything.contains(form), "{form} in {everything}");
    }
}

#[tokio::test]
async fn a_script_requires_only_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    std::fs::write(folder.path().join("lib/shop.lua"), "return { n = 7 }").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link.lua")).unwrap();
    let text = r#"
step("required", function()
  expect(require("lib/shop").n):equals(7)
  for _, name in { "/etc/hostname", "../x", "link", "lib/../../x", "nope" } do
    expect(pcall(require, name)):equals(false)
  end
end)
"#;
    let ran = run(RunnerSettings::default(), &lua_in(folder.path(), text)).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
}

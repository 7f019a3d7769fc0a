//! `coalmine run` against the demo shop, both started as a user starts them.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::golden;
use crate::program::{Finished, Server, coalmine, run_in};
use crate::target::{Target, answer};

/// A shop and a folder to run canaries in.
struct Street {
    shop: Server,
    folder: tempfile::TempDir,
}

impl Street {
    fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all = [&["demo", "--listen", "0"], arguments].concat();
        Self { shop: Server::start(coalmine(folder.path(), &all)), folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = coalmine(self.folder.path(), &[&["run"], arguments].concat());
        command.env("BASE_URL", self.shop.ready_text("url")).env("SHOP_PASSWORD", "lamplight");
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).output().unwrap().into()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        name.to_owned()
    }
}

fn shipped(name: &str) -> String {
    format!("{}/canaries/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn one_request(name: &str, path: &str) -> String {
    format!(
        "canary: {name}\nsteps:\n  - step: ask\n    \
         http: {{ get: \"{{{{ env.BASE_URL }}}}{path}\" }}\n    expect: {{ status: 200 }}\n"
    )
}

#[test]
fn the_shipped_api_canary_passes_and_leaves_nothing_behind() {
    let street = Street::with(&[]);
    let finished = street.run(&[&shipped("shop-api.yaml"), "--report", "json"]);
    assert_eq!(finished.code, 0, "{}{}", finished.out, finished.err);
    let lines: Vec<Value> =
        finished.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sequence: Vec<u64> = lines
        .iter()
        .filter(|line| line["type"] == "event")
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequence, (0..12).collect::<Vec<u64>>(), "{}", finished.out);
    let run = lines.iter().find(|line| line["type"] == "run").unwrap();
    assert_eq!((&run["outcome"], &run["verdict"]), (&"passed".into(), &Value::Null));
    assert_eq!(lines.last().unwrap()["passed"], 1);
    assert!(!finished.out.contains("lamplight"), "{}", finished.out);
    assert_eq!(std::fs::read_dir(street.folder.path()).unwrap().count(), 0, "a file was left");
}

#[test]
fn every_shipped_canary_passes_and_a_red_shop_fails_by_its_pictures() {
    let baselines = format!("{}/baselines", env!("CARGO_MANIFEST_DIR"));
    let arguments = [&shipped(""), "--baselines", &baselines, "--report", "json"];
    let street = Street::with(&[]);
    let finished = street.run(&arguments);
    assert_eq!(finished.code, 0, "{}", finished.out);
    let red = Street::with(&["--fault", "changed-colour"]);
    let finished = red.run(&arguments);
    assert_eq!(finished.code, 1, "{}", finished.out);
    let verdicts: Vec<(String, Value)> = finished
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["type"] == "run")
        .map(|run| (run["canary"].as_str().unwrap().to_owned(), run["verdict"].clone()))
        .collect();
    let expected = [
        ("shop-api".to_owned(), Value::Null),
        ("shop-checkout".to_owned(), "visual".into()),
        ("shop-prices".to_owned(), Value::Null),
        ("shop-search".to_owned(), "visual".into()),
    ];
    assert_eq!(verdicts, expected, "{}", finished.out);
    let difference = "coalmine-artifacts/shop-search/results-difference.png";
    assert!(red.folder.path().join(difference).exists());
}

#[test]
fn a_broken_shop_fails_with_1_and_says_what_was_expected_where_and_what_next() {
    let street = Street::with(&["--fault", "500"]);
    let finished = street.run(&[&shipped("shop-api.yaml"), "--report", "terminal"]);
    assert_eq!(finished.code, 1, "{}", finished.err);
    for part in [
        "FAIL   shop-api",
        "step 1 api is healthy",
        "canaries/shop-api.yaml:",
        "expected  ",
        "actual    500",
        "why  the target answered, and the answer was wrong",
        "next ask by hand: curl ",
        "1 run: 1 failed in ",
    ] {
        assert!(finished.out.contains(part), "no {part:?} in\n{}", finished.out);
    }
}

#[test]
fn reports_keep_the_order_of_the_files_whatever_ends_first() {
    let street = Street::with(&["--fault", "slow", "--slow-by", "300ms"]);
    street.file("canaries/a.yaml", &one_request("slow", "/api/health"));
    street.file("canaries/b.yaml", &one_request("quick", "/healthz"));
    let finished = street.run(&["--jobs", "2", "--report", "tap", "--report", "junit=out/j.xml"]);
    assert_eq!(finished.code, 0, "{}", finished.out);
    let points: Vec<&str> = finished.out.lines().filter(|line| line.starts_with("ok")).collect();
    assert_eq!(points, ["ok 1 - slow", "ok 2 - quick"]);
    let junit = std::fs::read_to_string(street.folder.path().join("out/j.xml")).unwrap();
    assert!(junit.contains("<testsuites name=\"coalmine\" tests=\"2\""), "{junit}");
}

#[test]
fn after_a_failure_fail_fast_starts_nothing_more() {
    let street = Street::with(&[]);
    street.file("canaries/a.yaml", &one_request("wrong", "/nowhere"));
    street.file("canaries/b.yaml", &one_request("right", "/api/health"));
    let finished = street.run(&["--jobs", "1", "--fail-fast"]);
    assert_eq!(finished.code, 1);
    assert!(finished.out.contains("1 run: 1 failed"), "{}", finished.out);
    let finished = street.run(&["--filter", "right"]);
    assert_eq!((finished.code, finished.err.as_str()), (0, ""));
    let finished = street.run(&["--filter", "nothing"]);
    assert_eq!(finished.code, 2);
    assert!(finished.err.contains("no canary is selected, of 2 canaries"), "{}", finished.err);
}

#[test]
fn a_stranger_s_canary_is_refused_with_3_unless_its_host_is_allowed() {
    let street = Street::with(&[]);
    let file = street.file("a.yaml", &one_request("stranger", "/api/health"));
    let refused = street.run(&[&file, "--trust", "pr", "--set", "base=x"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    let text = one_request("stranger", "/api/health")
        .replace("{{ env.BASE_URL }}", street.shop.ready_text("url"));
    let file = street.file("b.yaml", &text);
    let refused = street.run(&[&file, "--trust", "pr"]);
    assert_eq!(refused.code, 3, "{}", refused.out);
    let allowed = street.run(&[&file, "--trust", "pr", "--allow-net", "127.0.0.1"]);
    assert_eq!(allowed.code, 0, "{}", allowed.out);
}

#[test]
fn an_interrupted_run_still_reports_and_ends_with_130() {
    let street = Street::with(&["--fault", "slow", "--slow-by", "30s"]);
    let file = street.file("a.yaml", &one_request("patient", "/api/health"));
    let mut child =
        street.command(&[&file, "--report", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    std::io::BufRead::read_line(&mut out, &mut first).unwrap();
    assert!(first.contains("run-started"), "{first}");
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains(r#""outcome":"cancelled""#), "{rest}");
    assert!(rest.lines().last().unwrap().contains(r#""cancelled":1"#), "{rest}");
}

#[test]
fn a_broken_file_is_an_error_of_every_report_and_the_others_run_all_the_same() {
    let street = Street::with(&[]);
    street.file("canaries/a.yaml", "canary: a\nstpes: []\nbad: 1\n");
    street.file("canaries/b.yaml", &one_request("right", "/api/health"));
    let finished = street.run(&["--report", "terminal", "--report", "junit=j.xml"]);
    assert_eq!(finished.code, 2, "{}", finished.out);
    let said = "canaries/a.yaml:2:1: unknown-key: `stpes` is not a key of a canary (did you mean \
                `steps`?";
    assert!(finished.err.contains(said), "{}", finished.err);
    for part in ["PASS   right", "ERROR  a ", "2 runs: 1 error, 1 passed"] {
        assert!(finished.out.contains(part), "no {part:?} in\n{}", finished.out);
    }
    let junit = std::fs::read_to_string(street.folder.path().join("j.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("errors=\"1\""), "{junit}");
    let finished = street.run(&["--fail-fast"]);
    assert_eq!(finished.code, 2);
    assert!(finished.out.contains("1 run: 1 error"), "{}", finished.out);
}

#[test]
fn shards_share_the_repetitions_of_a_run_without_gap_or_overlap() {
    let street = Street::with(&[]);
    let text = one_request("one", "/api/health")
        .replace("steps:", "matrix: { size: [s, m] }\ntags: [smoke, quick]\nsteps:");
    street.file("canaries/a.yaml", &text);
    let mut seen = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let finished = street.run(&["--repeat", "2", "--shard", shard, "--report", "tap"]);
        assert_eq!(finished.code, 0, "{}", finished.out);
        let points = finished.out.lines().filter(|line| line.starts_with("ok"));
        seen.extend(points.map(|line| line.split_once(" - ").unwrap().1.to_owned()));
    }
    seen.sort();
    let expected = ["m", "s"]
        .map(|size| [1, 2].map(|number| format!("one [repetition={number} size={size}]")));
    let mut expected = expected.concat();
    expected.sort();
    assert_eq!(seen, expected);
    let finished = street.run(&["--tag", "smoke and not quick"]);
    assert_eq!(finished.code, 2, "{}", finished.out);
    let finished = street.run(&["--tag", "smoke and", "--report", "tap"]);
    assert_eq!(finished.code, 2);
    assert!(finished.err.contains("a word is missing at the end"), "{}", finished.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_passes_only_on_a_retry_is_flaky() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let shop = Target::http(move |_head| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(2);
        answer(if first { "503 Busy" } else { "200 OK" }, "", b"")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let text =
        one_request("shaky", "/").replace("{{ env.BASE_URL }}", shop.url("").trim_end_matches('/'));
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let finished = run_in(folder.path(), &["run", "a.yaml", "--retries", "1"]);
    assert_eq!(finished.code, 0, "{}", finished.out);
    assert!(finished.out.contains("1 run: 1 flaky"), "{}", finished.out);
    let finished = run_in(folder.path(), &["run", "a.yaml"]);
    assert_eq!(finished.code, 1, "{}", finished.out);
}

#[test]
fn a_dry_run_shows_what_would_be_sent_without_secrets_and_sends_nothing() {
    let street = Street::with(&[]);
    let text = r##"canary: pay
vars: { base: "http://127.0.0.1:9" }
secrets: [SHOP_PASSWORD]
steps:
  - step: log in
    http: { post: "{{ base }}/login", json: { user: ann, pin: "{{ secret.SHOP_PASSWORD }}" } }
    capture: { id: { json: $.id } }
  - step: basket
    http: { get: "{{ base }}/baskets/{{ id }}?key={{ secret.SHOP_PASSWORD | base64 }}" }
  - step: look
    browser: [{ open: "{{ base }}/" }, { fill: { "#q": "{{ secret.SHOP_PASSWORD }}" } }]
  - step: mail
    tcp: { host: mail.test, port: 25, dialogue: [{ expect: { contains: "220" } }, starttls] }
"##;
    street.file("canaries/pay.yaml", text);
    street.file("canaries/run.lua", "step('a', function() end)");
    let finished = street.run(&["--dry-run"]);
    assert_eq!(finished.code, 0, "{}{}", finished.out, finished.err);
    golden::check("tests/ui/cli/dry-run.txt", &finished.out);
    for secret in ["lamplight", "bGFtcGxpZ2h0"] {
        assert!(!finished.out.contains(secret), "{}", finished.out);
    }
    let without = street.command(&["--dry-run"]).env_remove("SHOP_PASSWORD").output().unwrap();
    let without = Finished::from(without);
    assert_eq!(without.code, 2, "{}", without.out);
    assert!(without.out.contains("cannot be sent: canaries/pay.yaml:6:"), "{}", without.out);
}

#[test]
fn a_stranger_s_canary_sees_only_the_listed_variables() {
    let street = Street::with(&[]);
    let file = street.file("a.yaml", &one_request("stranger", "/api/health"));
    let arguments = [file.as_str(), "--trust", "pr", "--allow-net", "127.0.0.1"];
    let refused = street.run(&arguments);
    assert_eq!(refused.code, 3, "{}", refused.out);
    assert!(refused.out.contains("--allow-env"), "{}", refused.out);
    let allowed = street.run(&[&arguments[..], &["--allow-env", "BASE_URL"]].concat());
    assert_eq!(allowed.code, 0, "{}", allowed.out);
}

#[test]
fn an_archive_of_a_run_holds_every_request_without_credentials_and_can_be_imported_again() {
    let street = Street::with(&[]);
    let canary = r#"
canary: archived
secrets: [SHOP_PASSWORD]
vars: { base: "{{ env.BASE_URL }}" }
steps:
  - step: log in
    http:
      post: "{{ base }}/api/login"
      json: { user: ann, password: "{{ secret.SHOP_PASSWORD }}" }
    capture: { token: { json: "$.token", secret: true } }
  - step: products
    http:
      get: "{{ base }}/api/products?q=lamp"
      headers: { authorization: "Bearer {{ token }}", accept: application/json }
  - step: port
    tcp: { host: "{{ base | host }}", port: "{{ base | port }}" }
  - step: nobody
    http: http://127.0.0.1:1/
"#;
    let file = street.file("archived.yaml", canary);
    let finished = street.run(&[&file, "--report", "har=run.har", "--report", "terminal"]);
    assert_eq!(finished.code, 1, "{}{}", finished.out, finished.err);
    let path = street.folder.path().join("run.har");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("lamplight"), "{text}");
    let archive: Value = serde_json::from_str(&text).unwrap();
    let entries = archive["log"]["entries"].as_array().unwrap();
    let seen: Vec<(&str, i64)> = entries
        .iter()
        .map(|entry| {
            let url = entry["request"]["url"].as_str().unwrap();
            (url.rsplit('/').next().unwrap(), entry["response"]["status"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(seen, [("login", 200), ("products?q=lamp", 200), ("", 0)], "{text}");
    let products = &entries[1];
    let headers = products["request"]["headers"].as_array().unwrap();
    let authorization = headers.iter().find(|header| header["name"] == "authorization").unwrap();
    assert_eq!(authorization["value"], "***");
    assert_eq!(products["response"]["content"]["mimeType"], "application/json");
    assert_eq!(products["request"]["queryString"][0]["value"], "lamp");
    assert!(entries[2]["_error"].as_str().unwrap().contains("connection refused"));
    for entry in entries {
        let timings = entry["timings"].as_object().unwrap();
        let spent: f64 = timings
            .iter()
            .filter(|(name, _)| *name != "ssl")
            .filter_map(|(_, took)| took.as_f64().filter(|took| *took >= 0.0))
            .sum();
        assert!((spent - entry["time"].as_f64().unwrap()).abs() < 0.01, "{entry}");
        assert!(
            archive["log"]["pages"]
                .as_array()
                .unwrap()
                .iter()
                .any(|page| { page["id"] == entry["pageref"] })
        );
    }
    let imported = coalmine(street.folder.path(), &["import", "har", "run.har", "--output", "-"])
        .output()
        .unwrap();
    let imported = Finished::from(imported);
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert!(imported.out.contains("/api/products"), "{}", imported.out);
}

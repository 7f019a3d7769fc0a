//! Scripts of a pull request, in a process of their own: the same behaviour, and no harm.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use coalmine::canary::definition::Canary;
use coalmine::canary::load::{ImportError, Imports, NoImports};
use coalmine::canary::report::{RunOutcome, Verdict};
use coalmine::diagnostic::{MessageFormat, SourceFile, render};
use coalmine::runner::policy::{NetworkPolicy, Trust};
use coalmine::runner::probe::NetworkSettings;
use coalmine::runner::script::{ScriptPlace, load};
use coalmine::runner::{RunRequest, RunnerSettings, WorkerProgram};
use coalmine::telemetry::MetricValue;
use coalmine::time::{Clock, SystemClock};

use crate::program;
use crate::run_fixture::{Ran, environment, run, run_request, secrets};
use crate::target::{Target, answer, ok};

const PROGRAM: &str = env!("CARGO_BIN_EXE_coalmine");

/// A pull request's settings; it may reach `target`.
fn pull_request(target: &Target, worker: &Path) -> RunnerSettings {
    let allowed = vec![target.address.to_string().parse().unwrap()];
    let policy = NetworkPolicy::new(Trust::PullRequest, allowed);
    RunnerSettings {
        network: NetworkSettings { policy, ..NetworkSettings::default() },
        environment: environment(&[("BASE_URL", &target.url("")), ("TOKEN", "t")], &["BASE_URL"]),
        secrets: secrets(&[("KEY", "hunter2-hunter2")]),
        script_worker: WorkerProgram(worker.to_owned()),
        ..RunnerSettings::default()
    }
}

fn lua(text: &str) -> Arc<Canary> {
    let file = SourceFile::new("canaries/test.lua", text);
    match load(&file, Path::new("."), &NoImports, &ScriptPlace::Here) {
        Ok(loaded) => Arc::new(loaded.canary),
        Err(faults) => panic!("{:#?}", faults.iter().map(|f| &f.diagnostic).collect::<Vec<_>>()),
    }
}

async fn shop() -> Target {
    Target::http(|head| match head.split(' ').nth(1) {
        Some("/json") => answer("200 OK", "content-type: application/json\r\n", b"{\"a\": [1, 2]}"),
        Some("/bytes") => answer("200 OK", "", &[0, 255, 10, 13]),
        Some("/missing") => answer("404 Not Found", "", b"no"),
        _ => ok(head),
    })
    .await
}

/// What a person is told about a run, but for times.
fn told(ran: &Ran) -> String {
    let failure = ran.report.failure().map(|(step, failure)| {
        let location = failure.location.as_ref().map(ToString::to_string);
        let shown: Vec<String> = failure
            .assertions
            .iter()
            .map(|one| {
                format!("{}: {} / {} {:?}", one.subject, one.expected, one.actual, one.location)
            })
            .collect();
        format!(
            "{:?} {:?} {} at {location:?} {shown:?}",
            step.map(|step| &step.name),
            failure.verdict,
            failure.message,
        )
    });
    let logs: Vec<_> = ran.report.logs.iter().map(|line| line.message.clone()).collect();
    format!("{:?} {:?} {failure:?} {logs:?}", ran.outcome(), ran.story())
}

const TWINS: &[&str] = &[
    r#"
local base = canary.env("BASE_URL")
step("ask", function()
  local answer = http.get(base .. "/json", { headers = { ["x-test"] = "yes" } })
  expect(answer.status):equals(200)
  expect(answer:header("Content-Type")):contains "json"
  expect(answer:json().a[2]):equals(2)
  expect(#http.get(base .. "/bytes").body):equals(4)
  metric("Products", 2, "Count")
  annotate("first", { 1, "x" })
  log("found", answer.version)
  local seen = {}
  table.sort({ 3, 1, 2 }, function(a, b) print(a) return a < b end)
end)
step("clean up", { always = true }, function() log.warn("cleaned") end)
"#,
    r#"
step("status", function()
  local answer = http.get(canary.env("BASE_URL") .. "/missing")
  expect(answer.status, "status"):equals(200)
end)
step("after", function() error("never reached") end)
step("clean up", { always = true }, function() log("cleaned") end)
"#,
    "step('a', function()\n  error('by hand')\nend)",
    "step('a', function()\n  local t = nil; print(t.x)\nend)",
    "step('a', function()\n  http.get('http://127.0.0.1:1/', { bdy = 1 })\nend)",
    "step('a', function() step('b', function() end) end)",
    "step('a', function() end) step('a', function() end)",
    "step('a', function() canary.env('ABSENT') end)",
    "step('a', function() expect(canary.env('ABSENT', 'x')):equals 'x' end)",
    "step('a', function() metric('m', 1, 'Furlongs') end)",
    "step('a', function() metric('m', 0 / 0) end)",
    "step('a', function() require('nothing') end)",
    "step('a', function() time.sleep(0.001) end)",
    "step('a', function()\n  expect(pcall(error, 'x')):equals(true)\nend)",
    "local x = 1",
    "step('a', function() end)\nerror('after all steps')",
];

#[tokio::test]
async fn a_script_behaves_in_a_process_of_its_own_as_it_does_here() {
    let target = shop().await;
    let apart = pull_request(&target, Path::new(PROGRAM));
    for text in TWINS {
        let here = here(&target, text).await;
        let ran = run(apart.clone(), &lua(text)).await;
        assert_eq!(told(&ran), told(&here), "{text}");
        assert_eq!(ran.report.annotations, here.report.annotations);
    }
    let ran = run(apart, &lua(TWINS[0])).await;
    assert_eq!(ran.report.metrics[0].value, MetricValue::Value(2.0));
    // How often a sort compares is its own business.
    assert!(ran.report.logs.len() > 3, "{:?}", ran.report.logs);
    assert_eq!(ran.report.deciding_attempt().unwrap().steps[0].exchanges.len(), 2);
}

async fn here(target: &Target, text: &str) -> Ran {
    let settings = RunnerSettings {
        environment: environment(&[("BASE_URL", &target.url(""))], &[]),
        ..RunnerSettings::default()
    };
    run(settings, &lua(text)).await
}

#[tokio::test]
async fn a_script_of_a_pull_request_gets_no_secret_no_environment_and_no_inside_address() {
    let (target, inside) = (shop().await, shop().await);
    let settings = pull_request(&target, Path::new(PROGRAM));
    for (body, message) in [
        ("canary.env('TOKEN')", "environment variable `TOKEN` is not allowed: "),
        ("secret('KEY')", "secret `KEY` is not allowed: "),
        (&format!("http.get('{}')", inside.url("/")), "blocked by policy: "),
    ] {
        let ran = run(settings.clone(), &lua(&format!("step('a', function() {body} end)"))).await;
        let failure = ran.failure();
        assert!(failure.message.starts_with(message), "{}", failure.message);
    }
    assert_eq!(inside.connections(), 0);
}

/// A program that is started in place of a worker.
fn fake(folder: &tempfile::TempDir, body: &str) -> PathBuf {
    let path = folder.path().join("worker");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A message as `printf` writes it.
fn printf(json: &str) -> String {
    let length = u32::try_from(json.len()).unwrap().to_le_bytes();
    let bytes = length.iter().chain(json.as_bytes()).map(|byte| format!("\\{byte:03o}"));
    format!("printf '{}'", bytes.collect::<String>())
}

#[tokio::test]
async fn a_worker_that_goes_wrong_is_the_failure_of_its_run() {
    let target = shop().await;
    let begin = printf(r#"{"Ask":{"Begin":{"name":"a","timeout":null,"always":false,"line":1}}}"#);
    // Orders and replies are longer than four bytes.
    let wait = "head -c 4 >/dev/null";
    for (body, step, verdict, message) in [
        (
            "kill -SEGV $$".to_owned(),
            None,
            Verdict::Runner,
            "the script's process was ended by SIGSEGV",
        ),
        (
            format!("{begin}; {wait}; kill -ABRT $$"),
            Some("a"),
            Verdict::Runner,
            "the script's process was ended by SIGABRT",
        ),
        (
            format!("{begin}; {wait}; echo memory is gone >&2; exit 101"),
            Some("a"),
            Verdict::Runner,
            "the script's process ended with exit code 101",
        ),
        ("exit 0".to_owned(), None, Verdict::Runner, "the script's process ended without a result"),
        ("kill -XCPU $$".to_owned(), None, Verdict::NoAnswer, "the script did not end in its time"),
        (
            format!("{wait}; echo hello, I am no worker"),
            None,
            Verdict::Runner,
            "the script's process went wrong: a message of 1819043176 bytes is too long",
        ),
        (
            format!("{wait}; {}", printf("{\"Nonsense\":1}")),
            None,
            Verdict::Runner,
            "the script's process went wrong: what came is no message",
        ),
        (
            format!("{begin}; {wait}; sleep 60"),
            Some("a"),
            Verdict::NoAnswer,
            "the step did not end within",
        ),
        ("sleep 60".to_owned(), None, Verdict::NoAnswer, "the script did not end in its time"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let settings = pull_request(&target, &fake(&folder, &body));
        let text = "canary.timeout '1s'\nstep('a', function() end)";
        let begun = SystemClock.monotonic();
        let ran = run(settings, &lua(text)).await;
        let (seen, failure) = ran.report.failure().unwrap();
        assert!(failure.message.starts_with(message), "{body}: {}", failure.message);
        assert_eq!(failure.verdict, verdict, "{body}");
        assert_eq!(seen.map(|step| &*step.name), step, "{body}");
        assert!(SystemClock.monotonic().since(begun) < Duration::from_secs(20), "{body}");
        if body.contains("memory is gone") {
            assert_eq!(failure.detail.as_deref(), Some("memory is gone"));
        }
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_our_own_fault() {
    let target = shop().await;
    let settings = pull_request(&target, Path::new("/nowhere/worker"));
    let ran = run(settings, &lua("step('a', function() end)")).await;
    assert_eq!(ran.outcome(), RunOutcome::Error);
    assert_eq!(ran.failure().verdict, Verdict::Runner);
    assert!(ran.failure().message.starts_with("cannot start a process for the script"));
}

/// A real worker that leaves its process id.
fn noted(folder: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let pid = folder.path().join("pid");
    let worker = fake(folder, &format!("echo $$ > {}\nexec {PROGRAM} \"$@\"", pid.display()));
    (worker, pid)
}

fn signal(name: &str, pid: &str) -> bool {
    let sent = Command::new("kill").args([name, pid.trim()]).output();
    sent.is_ok_and(|sent| sent.status.success())
}

/// Runs a script whose worker gets a signal when it asks its target.
async fn struck(name: &'static str, text: &str) -> (Ran, String) {
    let folder = tempfile::tempdir().unwrap();
    let (worker, pid) = noted(&folder);
    let note = pid.clone();
    let target = Target::http(move |head| {
        assert!(signal(name, &std::fs::read_to_string(&note).unwrap()));
        ok(head)
    })
    .await;
    let ran = run(pull_request(&target, &worker), &lua(text)).await;
    (ran, std::fs::read_to_string(&pid).unwrap())
}

#[tokio::test]
async fn a_worker_that_is_killed_or_hangs_fails_its_step_and_leaves_no_process() {
    let text = "step('before', function() end)\n\
                step('hit', { timeout = '500ms' }, function()\n\
                \x20 http.get(canary.env('BASE_URL'))\n\
                \x20 while true do end\n\
                end)\n\
                step('after', function() end)";
    for (name, verdict, message) in [
        ("-ABRT", Verdict::Runner, "the script's process was ended by SIGABRT"),
        ("-KILL", Verdict::Runner, "the script's process was ended by SIGKILL"),
        // As good as a loop that no interrupt reaches.
        ("-STOP", Verdict::NoAnswer, "the step did not end within"),
    ] {
        let (ran, pid) = struck(name, text).await;
        assert_eq!(ran.steps(), ["passed", "failed"], "{name}");
        assert!(ran.failure().message.starts_with(message), "{name}: {}", ran.failure().message);
        assert_eq!(ran.failure().verdict, verdict, "{name}");
        let location = ran.failure().location.as_ref().unwrap().to_string();
        assert_eq!(location, "canaries/test.lua:2:1");
        assert!(!signal("-0", &pid), "{name}: worker {pid} is left");
    }
}

#[tokio::test]
async fn a_worker_can_open_nothing_and_start_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, pid) = noted(&folder);
    let seen = folder.path().join("seen");
    let (note, seen_by) = (pid.clone(), seen.clone());
    let target = Target::http(move |head| {
        let process = Path::new("/proc").join(std::fs::read_to_string(&note).unwrap().trim());
        let read = |name: &str| std::fs::read_to_string(process.join(name)).unwrap();
        std::fs::write(&seen_by, read("limits") + &read("status")).unwrap();
        ok(head)
    })
    .await;
    let text = "step('a', function() http.get(canary.env('BASE_URL')) end)";
    let ran = run(pull_request(&target, &worker), &lua(text)).await;
    assert_eq!(ran.outcome(), RunOutcome::Passed, "{:?}", ran.report.failure());
    let seen = std::fs::read_to_string(seen).unwrap();
    let value = |name: &str| {
        let line = seen.lines().find(|line| line.starts_with(name)).unwrap_or("");
        line[name.len()..].split_whitespace().next().unwrap_or("").to_owned()
    };
    assert_eq!(value("Max open files"), "3");
    assert_eq!(value("Max processes"), "0");
    assert_eq!(value("Max file size"), "0");
    assert_eq!(value("Max core file size"), "0");
    assert_eq!(value("NoNewPrivs:"), "1");
    assert_ne!(value("Uid:"), "0");
    assert_ne!(value("Max address space"), "unlimited");
    assert_ne!(value("Max cpu time"), "unlimited");
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_its_worker_and_still_tears_down() {
    let target = shop().await;
    let settings = pull_request(&target, Path::new(PROGRAM));
    for (body, teardown) in [
        ("time.sleep(60)", "passed"),
        // It hears of nothing, so nothing more can come of it.
        ("while true do end", "absent"),
    ] {
        let text = format!(
            "step('long', function() log('begun') {body} end)\n\
             step('clean up', {{ always = true }}, function() \
             http.get(canary.env('BASE_URL')) end)"
        );
        let request = RunRequest::expand(&lua(&text)).remove(0);
        let cancel = request.cancel.clone();
        let runner = coalmine::runner::Runner::new(settings.clone(), Arc::new(SystemClock));
        let report = runner
            .run(request, &mut |event| {
                if format!("{:?}", event.kind).contains("begun") {
                    cancel.cancel();
                }
            })
            .await;
        assert_eq!(report.outcome, RunOutcome::Cancelled, "{body}");
        let steps = &report.attempts[0].steps;
        let last = steps.get(1).map_or("absent", |step| match step.outcome.failure() {
            None => "passed",
            Some(_) => "failed",
        });
        assert_eq!(last, teardown, "{body}: {steps:#?}");
        assert_eq!(steps[0].outcome.failure().unwrap().message, "the run was cancelled");
    }
}

#[tokio::test]
async fn a_cancelled_run_of_a_trusted_script_still_tears_down() {
    let target = shop().await;
    let text = "step('long', function() log('begun') time.sleep(60) end)\n\
                step('clean up', { always = true }, function() \
                http.get(canary.env('BASE_URL')) end)";
    let settings = RunnerSettings {
        environment: environment(&[("BASE_URL", &target.url(""))], &[]),
        ..RunnerSettings::default()
    };
    let request = RunRequest::expand(&lua(text)).remove(0);
    let cancel = request.cancel.clone();
    let runner = coalmine::runner::Runner::new(settings, Arc::new(SystemClock));
    let report = runner
        .run(request, &mut |event| {
            if format!("{:?}", event.kind).contains("begun") {
                cancel.cancel();
            }
        })
        .await;
    let steps = &report.attempts[0].steps;
    assert!(steps[1].outcome.failure().is_none(), "{:?}", steps[1].outcome);
}

/// T18. Whether a bomb fails or comes to nothing is Luau's choice; that it ends is ours.
#[tokio::test]
async fn bombs_end_with_their_workers_while_another_canary_runs() {
    let target = shop().await;
    let settings = pull_request(&target, Path::new(PROGRAM));
    let bombs = [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(log, 'x') end",
        "while true do pcall(http.get, 'http://127.0.0.1:1/') end",
        "while true do pcall(expect, 1) end",
        "local function f() return f() end f()",
        "local function f() f() end f()",
        "local t = {} while true do t[#t + 1] = string.rep('x', 1e6) end",
        "local s = 'x' while true do s = s .. s end",
        "http.post('http://127.0.0.1:1/', { body = string.rep('x', 4e7) })",
        "log(string.rep('x', 5e7))",
        "annotate('x', string.rep('\\0', 1e7))",
        "string.find(string.rep('a', 200000), string.rep('a?', 200000) .. 'b')",
        "for i = 1, 1e9 do coroutine.create(function() end) end",
        "for i = 1, 1e9 do coroutine.wrap(function() coroutine.yield() end)() end",
        "string.find(string.rep('a', 30000), string.rep('.-', 9) .. 'b')",
        "table.sort(table.create(3e6, 1))",
        "os.date(string.rep('%c', 1e6))",
        "for i = 1, 1e9 do crypto.sha256(string.rep('x', 1e6)) end",
        "local t = {} for i = 1, 1e9 do t = {t} end",
        "json.encode((function() local t = {} t.t = t return t end)())",
        "json.decode(string.rep('[', 1e7))",
        "json.decode('[' .. string.rep('0,', 2e6) .. '0]')",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
    ];
    let ran = bombs.map(|bomb| {
        let settings = settings.clone();
        async move {
            let text = format!("step('bomb', {{ timeout = '1s' }}, function() {bomb} end)");
            (bomb, run(settings, &lua(&text)).await)
        }
    });
    let quick = lua("step('a', function() time.sleep(0.1) end)");
    let other = run(settings.clone(), &quick);
    let (bombs, other) = tokio::join!(futures_util::future::join_all(ran), other);
    assert_eq!(other.outcome(), RunOutcome::Passed, "{:?}", other.report.failure());
    for (bomb, ran) in bombs {
        assert_eq!(ran.steps().len(), 1, "{bomb}");
        // A step has a second here; the rest is for a machine that is busy with others.
        assert!(ran.report.elapsed < Duration::from_secs(20), "{bomb}: {:?}", ran.report.elapsed);
        let failure = ran.report.failure().map(|(_, failure)| failure.message.clone());
        let is_told = failure.as_deref().is_none_or(|said| !said.contains("process"));
        assert!(is_told, "{bomb}: {failure:?}");
    }
}

struct One;

impl Imports for One {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        match path {
            "lib/conf.lua" => Ok(SourceFile::new(path, "return { every = 'rate(1 minute)' }")),
            _ => Err(ImportError::NotFound),
        }
    }
}

#[test]
fn what_a_script_says_about_itself_is_the_same_when_a_worker_finds_it_out() {
    let worker = ScriptPlace::Worker(PROGRAM.into());
    for text in [
        "canary.schedule(require('./lib/conf').every)\ncanary.tags { 'a' }\nstep('s', error)",
        "local x = = 1\n",
        "\n  error('oops')\n",
        "canary.schedule 'every day'\n",
        "http.get('http://h/')\n",
        "while true do end\n",
        "require 'nothing'\n",
        "require '../x'\n",
        "local t = {} while true do t[#t + 1] = string.rep('x', 1e6) end",
    ] {
        let file = SourceFile::new("canaries/x.lua", text);
        let shown = |place: &ScriptPlace| match load(&file, Path::new("canaries"), &One, place) {
            Ok(loaded) => format!("{:?} {:?}", loaded.canary.schedule, loaded.canary.tags),
            Err(faults) => {
                let shown = faults
                    .iter()
                    .map(|fault| render(&fault.diagnostic, &fault.file, MessageFormat::Short));
                shown.collect()
            }
        };
        assert_eq!(shown(&worker), shown(&ScriptPlace::Here), "{text}");
    }
}

#[test]
fn a_worker_that_dies_while_it_reads_is_a_fault_of_that_file() {
    for (body, expected) in [
        ("kill -SEGV $$", "the script's process was ended by SIGSEGV"),
        ("exit 0", "the script's process ended without a result"),
        (
            "head -c 4 >/dev/null; echo nonsense",
            "the script's process went wrong: a message of 1936617326 bytes",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = ScriptPlace::Worker(fake(&folder, body));
        let file = SourceFile::new("canaries/x.lua", "step('a', function() end)");
        let faults = load(&file, Path::new("canaries"), &NoImports, &place).unwrap_err();
        assert_eq!(faults.len(), 1);
        let message = &faults[0].diagnostic.message;
        assert!(message.starts_with(expected), "{body}: {message}");
    }
}

#[test]
fn the_program_runs_scripts_of_a_pull_request_in_workers() {
    let folder = tempfile::tempdir().unwrap();
    let canary = "step('a', function() log(canary.parameters.x) expect(1):equals(2) end)";
    std::fs::write(
        folder.path().join("x.lua"),
        format!("canary.matrix {{ x = {{ 'y' }} }}\n{canary}"),
    )
    .unwrap();
    let ran = program::run_in(folder.path(), &["run", "x.lua", "--trust", "pr", "--verbose"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("value is 1, expected equals 2"), "{}", ran.out);
    assert!(ran.out.contains("x.lua:2"), "{}", ran.out);
    let by_hand = program::run(&["script-worker"]);
    assert_eq!(by_hand.code, 2);
    assert_eq!(by_hand.err, "a script worker is started by a run, not by hand\n");
}

#[tokio::test]
async fn a_request_of_repetitions_gets_a_worker_each() {
    let target = shop().await;
    let settings = pull_request(&target, Path::new(PROGRAM));
    let request = RunRequest::expand(&lua("local n = 0\nstep('a', function() n += 1 log(n) end)"));
    for _ in 0..2 {
        let ran = run_request(settings.clone(), request[0].clone()).await;
        assert_eq!(ran.report.logs[0].message, "1");
    }
}

//! The command line, called as a user calls it.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::golden;
use crate::program::{Server, coalmine, run, run_in};

#[test]
fn help_texts_are_as_reviewed() {
    for (arguments, file) in [
        (&["-h"][..], "tests/ui/cli/help-short.txt"),
        (&["--help"], "tests/ui/cli/help-long.txt"),
        (&["import", "--help"], "tests/ui/cli/help-import.txt"),
        (&["run", "-h"], "tests/ui/cli/help-run-short.txt"),
        (&["run", "--help"], "tests/ui/cli/help-run.txt"),
        (&["schema", "--help"], "tests/ui/cli/help-schema.txt"),
        (&["serve", "--help"], "tests/ui/cli/help-serve.txt"),
        (&["baselines", "--help"], "tests/ui/cli/help-baselines.txt"),
        (&["baselines", "approve", "--help"], "tests/ui/cli/help-baselines-approve.txt"),
        (&["baselines", "review", "--help"], "tests/ui/cli/help-baselines-review.txt"),
        (&["check", "--help"], "tests/ui/cli/help-check.txt"),
        (&["demo", "--help"], "tests/ui/cli/help-demo.txt"),
        (&["diff", "--help"], "tests/ui/cli/help-diff.txt"),
        (&["doctor", "--help"], "tests/ui/cli/help-doctor.txt"),
        (&["new", "--help"], "tests/ui/cli/help-new.txt"),
        (&["alarms", "--help"], "tests/ui/cli/help-alarms.txt"),
        (&["logs", "query", "-h"], "tests/ui/cli/help-logs-query.txt"),
        (&["metrics", "query", "-h"], "tests/ui/cli/help-metrics-query.txt"),
        (&["traces", "-h"], "tests/ui/cli/help-traces.txt"),
        (&["events", "find", "-h"], "tests/ui/cli/help-events-find.txt"),
        (&["alarms", "backtest", "--help"], "tests/ui/cli/help-alarms-backtest.txt"),
    ] {
        let finished = run(arguments);
        assert_eq!((finished.code, finished.err.as_str()), (0, ""), "{arguments:?}");
        golden::check(file, &finished.out);
    }
}

#[test]
fn a_wrong_flag_ends_with_2_and_guesses_what_was_meant() {
    let finished = run(&["demo", "--lisen", "0"]);
    assert_eq!(finished.code, 2);
    assert!(finished.err.contains("--listen"), "{}", finished.err);
    assert_eq!(finished.out, "");
}

#[test]
fn faults_of_the_configuration_file_are_all_reported_in_the_form_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let text = "colour = \"never\"\n[demo]\nlisen = \"1\"\nslow-by = \"x\"\n";
    std::fs::write(folder.path().join("coalmine.toml"), text).unwrap();
    let finished = run_in(folder.path(), &["demo", "--message-format", "human"]);
    assert_eq!(finished.code, 2);
    golden::check("tests/ui/cli/config-faults.txt", &finished.err);
    let finished = run_in(folder.path(), &["demo", "--message-format", "json"]);
    let lines: Vec<serde_json::Value> =
        finished.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[1]["code"]), (3, &"unknown-key".into()));
}

#[test]
fn every_setting_is_printed_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("coalmine.toml"), "[demo]\nslow-by = \"9s\"\n").unwrap();
    let mut command = coalmine(folder.path(), &["demo", "--listen", "0", "--print-config"]);
    let output = command.env("COALMINE_COLOR", "never").output().unwrap();
    golden::check("tests/ui/cli/print-config.txt", &String::from_utf8(output.stdout).unwrap());
}

#[test]
fn every_kind_of_new_canary_is_free_of_faults() {
    for kind in ["http", "browser", "lua"] {
        let folder = tempfile::tempdir().unwrap();
        let written = run_in(folder.path(), &["new", "front", "--kind", kind]);
        let checked = run_in(folder.path(), &["check", "--deny-warnings"]);
        assert_eq!((written.code, checked.code), (0, 0), "{kind}: {}", checked.err);
        assert_eq!(checked.err, "1 canary in 1 file: all fine\n");
    }
}

#[test]
fn faults_of_canary_files_are_printed_in_the_form_asked_for_and_end_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let text = "canary: Shop\nshedule: rate(1 minute)\nsteps:\n  - step: s\n    htp: {}\n";
    std::fs::create_dir(folder.path().join("canaries")).unwrap();
    std::fs::write(folder.path().join("canaries/shop.yaml"), text).unwrap();
    for (form, file) in
        [("human", "tests/ui/cli/check-human.txt"), ("short", "tests/ui/cli/check-short.txt")]
    {
        let finished = run_in(folder.path(), &["check", "--message-format", form]);
        assert_eq!((finished.code, finished.out.as_str()), (2, ""));
        golden::check(file, &finished.err);
    }
    let finished = run_in(folder.path(), &["check", "--message-format", "json"]);
    let summary: serde_json::Value = serde_json::from_str(&finished.out).unwrap();
    assert_eq!((finished.code, &summary["canaries"]), (2, &0.into()));
    assert_eq!(summary["errors"], finished.err.lines().count());
}

#[test]
fn the_schema_takes_the_shipped_canaries_and_refuses_a_misspelt_one() {
    let finished = run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&finished.out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong = serde_json::json!({"canary": "a", "stpes": []});
    assert!(!validator.is_valid(&wrong));
    for name in ["shop-api.yaml", "shop-search.yaml"] {
        let path = format!("{}/canaries/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let document: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

#[test]
fn a_folder_without_canaries_is_a_fault_with_a_way_out() {
    let finished = run(&["check", "."]);
    assert_eq!(finished.code, 2);
    assert!(finished.err.starts_with("error: no canary files in .\n"), "{}", finished.err);
    let finished = run(&["check"]);
    assert!(finished.err.contains("coalmine new"), "{}", finished.err);
}

#[test]
fn a_new_canary_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["new", "front", "--url", "http://127.0.0.1:1/"];
    let finished = run_in(folder.path(), &arguments);
    assert_eq!((finished.code, finished.out.as_str()), (0, "canaries/front.yaml\n"));
    let text = std::fs::read_to_string(folder.path().join("canaries/front.yaml")).unwrap();
    assert!(text.contains("default('http://127.0.0.1:1')"), "{text}");
    assert_eq!(run_in(folder.path(), &arguments).code, 2);
}

#[test]
fn the_demo_says_where_it_is_and_ends_as_it_is_told() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(coalmine(folder.path(), &["demo", "--listen", "0"]));
        let address = server.ready_text("url").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
        server.signal(signal);
        assert_eq!(server.wait(), code, "{signal:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_a_way_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let finished = run(&["demo", "--listen", &address]);
    assert_eq!(finished.code, 4);
    assert!(finished.err.contains(&format!("cannot listen on {address}")), "{}", finished.err);
    assert!(finished.err.contains("hint: "), "{}", finished.err);
}

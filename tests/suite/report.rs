//! What reports look like, kept as golden files.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coalmine::canary::event::{RunEvent, RunEventKind};
use coalmine::canary::observation::Timings;
use coalmine::canary::report::{
    Artifact, ArtifactKind, AttemptReport, ExchangeReport, FailedAssertion, Failure, FileLocation,
    LogLevel, LogLine, PictureReport, RunId, RunOutcome, RunReport, StepOutcome, StepReport,
    Verdict,
};
use coalmine::diagnostic::Style;
use coalmine::report::{Detail, Liveness, ReportKind, Reports, TerminalReporter, embedded_shots};
use coalmine::telemetry::TraceId;
use coalmine::time::Timestamp;
use coalmine::visual::{
    CompareOptions, Environment, SHOT_RECORD_FORMAT, ShotFiles, ShotRecord, Theme, file_hash,
};

use crate::golden;

const START: Timestamp = Timestamp::from_secs(1_767_323_045);

/// A stream whose text can be read back.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("reports are UTF-8")
    }
}

fn at(line: usize, column: usize) -> Option<FileLocation> {
    Some(FileLocation { file: "canaries/shop.yaml".into(), line, column })
}

fn step(index: usize, name: &str, outcome: StepOutcome) -> StepReport {
    StepReport {
        index,
        name: name.into(),
        location: at(8 + 4 * index, 5),
        started: START,
        elapsed: Duration::from_millis(12 * (index as u64 + 1)),
        outcome,
        exchanges: vec![],
        pictures: vec![],
        measures: vec![],
    }
}

fn failure(verdict: Verdict, message: &str) -> Failure {
    let (assertions, location, detail) = (vec![], at(14, 13), None);
    Failure { verdict, message: message.to_owned(), assertions, location, detail }
}

fn run(canary: &str, outcome: RunOutcome, steps: Vec<StepReport>) -> RunReport {
    let attempt = AttemptReport {
        number: 1,
        started: START,
        elapsed: Duration::from_millis(214),
        outcome,
        steps,
        failure: None,
    };
    RunReport {
        id: RunId(format!("00000000-0000-4000-8000-{:0>12}", canary.len()).into()),
        canary: canary.into(),
        file: "canaries/shop.yaml".into(),
        parameters: [].into(),
        trace: TraceId::new(START, [7; 12]),
        scheduled: START,
        started: START,
        elapsed: Duration::from_millis(214),
        outcome,
        attempts: vec![attempt],
        metrics: vec![],
        logs: vec![],
        annotations: [].into(),
        artifacts: vec![],
    }
}

fn passed() -> RunReport {
    let steps = vec![step(0, "api is healthy", StepOutcome::Passed)];
    let mut run = run("shop-api", RunOutcome::Passed, steps);
    let message = "the cart holds 2 lamps".to_owned();
    run.logs.push(LogLine { at: START, level: LogLevel::Info, message });
    run.parameters = [("currency".to_owned(), "eur".to_owned())].into();
    run
}

/// The target says wrong things, and tries to say them to the terminal and the CI system.
fn wrong_answer() -> RunReport {
    let mut failure = failure(Verdict::Target, "status is 500, expected 200");
    failure.assertions = vec![
        FailedAssertion {
            subject: "status".to_owned(),
            expected: "equals 200".to_owned(),
            actual: "500".to_owned(),
            place: None,
            diff: None,
            location: at(14, 13),
        },
        FailedAssertion {
            subject: "json $.status".to_owned(),
            expected: "equals \"ok\"".to_owned(),
            actual:
                "\"\u{1b}[31mred\n::error::injected & <b>\u{7}\u{9b}\u{202e}\u{fffe}##[endgroup]\""
                    .to_owned(),
            place: Some("$.status".to_owned()),
            diff: Some("-ok\n+::set-output name=a::b\n".to_owned()),
            location: at(15, 13),
        },
    ];
    let mut failed = step(1, "log in: ::warning, 100 %", StepOutcome::Failed(failure));
    failed.exchanges.push(ExchangeReport {
        method: "GET".to_owned(),
        url: "http://127.0.0.1:8600/api/health".to_owned(),
        status: Some(500),
        started: START,
        elapsed: Duration::from_millis(11),
        timings: Timings { wait: Some(Duration::from_millis(9)), ..Timings::default() },
        wire_bytes: 26,
        remote: Some("127.0.0.1:8600".to_owned()),
        certificate: None,
        error: None,
        curl: Some("curl -sS 'http://127.0.0.1:8600/api/health'".to_owned()),
        span: None,
        http: None,
    });
    let steps = vec![
        step(0, "api is healthy", StepOutcome::Passed),
        failed,
        step(2, "pay", StepOutcome::Skipped),
    ];
    run("shop-checkout", RunOutcome::Failed, steps)
}

fn wrong_picture() -> RunReport {
    let failure = failure(Verdict::Visual, "picture `results` differs from its baseline");
    let mut failed = step(0, "search looks right", StepOutcome::Failed(failure));
    failed.pictures.push(PictureReport {
        name: "results".to_owned(),
        baseline: "shop-search/results@1280x720.png".to_owned(),
        verdict: "changed".to_owned(),
        accepted: false,
        changed_percent: 3.25,
        summary: "4 regions changed, the largest 134x40 at 159,180".to_owned(),
        artifacts: vec!["results.png".to_owned(), "results.diff.png".to_owned()],
    });
    run("shop-search", RunOutcome::Failed, vec![failed])
}

fn flaky() -> RunReport {
    let failure = failure(Verdict::NoAnswer, "connection refused by 127.0.0.1:8600");
    let failed = step(0, "home answers", StepOutcome::Failed(failure));
    let mut run = run("shop-home", RunOutcome::Flaky, vec![failed]);
    let mut second = run.attempts.clone();
    second[0].number = 2;
    second[0].steps = vec![step(0, "home answers", StepOutcome::Passed)];
    run.attempts.extend(second);
    run
}

fn no_browser() -> RunReport {
    let mut run = run("shop-look", RunOutcome::Error, vec![]);
    let mut failure = failure(Verdict::Runner, "no chromedriver in /usr/bin:/bin");
    failure.location = None;
    failure.detail = Some("looked for chromedriver\nlooked for geckodriver".to_owned());
    run.attempts[0].failure = Some(failure);
    run
}

fn every_kind_of_run() -> Vec<RunReport> {
    let skipped = run("shop-night", RunOutcome::Skipped, vec![]);
    vec![passed(), wrong_answer(), wrong_picture(), flaky(), no_browser(), skipped]
}

/// Reports the runs as they would come from runners that end last to first.
fn reported(mut reports: Reports, paper: &Paper) -> String {
    for (position, run) in every_kind_of_run().into_iter().enumerate().rev() {
        reports.run(position, run).expect("paper takes everything");
    }
    reports.end(Duration::from_millis(3_210)).expect("paper takes everything");
    paper.text()
}

fn report_of(kind: ReportKind) -> String {
    let (paper, mut reports) = (Paper::default(), Reports::new());
    reports.add(kind, "paper", Box::new(paper.clone()));
    reported(reports, &paper)
}

fn terminal(style: Style, liveness: Liveness, detail: Detail) -> String {
    let (paper, mut reports) = (Paper::default(), Reports::new());
    let reporter = TerminalReporter::new(style, liveness, detail);
    reports.add_terminal(reporter, "paper", Box::new(paper.clone()));
    reported(reports, &paper)
}

#[test]
fn each_kind_of_report_is_as_reviewed() {
    golden::check("tests/ui/report/terminal.txt", &report_of(ReportKind::Terminal));
    golden::check("tests/ui/report/report.jsonl", &report_of(ReportKind::Json));
    golden::check("tests/ui/report/junit.xml", &report_of(ReportKind::Junit));
    golden::check("tests/ui/report/github.txt", &report_of(ReportKind::Github));
    golden::check("tests/ui/report/tap.txt", &report_of(ReportKind::Tap));
    golden::check("tests/ui/report/report.md", &report_of(ReportKind::Markdown));
    golden::check("tests/ui/report/har.json", &report_of(ReportKind::Har));
}

/// A run whose picture waits for a decision, with all the files it left.
fn undecided_picture() -> RunReport {
    let png = crate::picture_drawing::Page::with_text(60, 60).png();
    let record = ShotRecord {
        format: SHOT_RECORD_FORMAT,
        canary: "shop-search".to_owned(),
        shot: "results".to_owned(),
        baseline: "shop-search/results@60x60.png".to_owned(),
        verdict: "new".to_owned(),
        accepted: false,
        summary: "no baseline yet </script><script>alert(1)</script>".to_owned(),
        capture_hash: file_hash(&png),
        baseline_hash: None,
        change_id: None,
        environment: Environment {
            browser: "chromium".to_owned(),
            browser_major: 156,
            platform: "linux-x86_64".to_owned(),
            fonts: "1f2e".to_owned(),
            scale_percent: 100,
            theme: Theme::Light,
            capture: "cdp-fast".to_owned(),
        },
        options: CompareOptions::default(),
        run: "one".to_owned(),
        order: (1, 0),
        files: ShotFiles { screenshot: "results.png".to_owned(), baseline: None, sidecar: None },
    };
    let mut run = wrong_picture();
    let artifact = |kind, name: &str, media_type, bytes: Vec<u8>| Artifact {
        kind,
        name: format!("artifacts/{name}"),
        media_type,
        bytes: bytes.into(),
    };
    let json = serde_json::to_vec(&record).expect("a record is JSON");
    let console = b"</pre><img src=x onerror=alert(1)>\x1b[31m".to_vec();
    run.artifacts = vec![
        artifact(ArtifactKind::Screenshot, "results.png", "image/png", png),
        artifact(ArtifactKind::ShotRecord, "results-shot.json", "application/json", json),
        artifact(ArtifactKind::ConsoleLog, "console.log", "text/plain", console),
        artifact(ArtifactKind::Har, "a\"onclick=\"x.har", "application/json", b"{}".to_vec()),
    ];
    let names = run.artifacts.iter().map(|artifact| artifact.name.clone()).collect();
    run.attempts[0].steps[0].pictures[0].artifacts = names;
    run
}

fn html() -> String {
    let (paper, mut reports) = (Paper::default(), Reports::new());
    reports.add(ReportKind::Html, "paper", Box::new(paper.clone()));
    let mut runs = every_kind_of_run();
    runs.push(undecided_picture());
    for (position, run) in runs.into_iter().enumerate() {
        reports.run(position, run).expect("paper takes everything");
    }
    reports.end(Duration::from_millis(3_210)).expect("paper takes everything");
    paper.text()
}

#[test]
fn the_html_report_is_enough_to_approve_its_pictures() {
    let html = html();
    let shots = embedded_shots(&html).expect("the report holds our own records");
    assert_eq!(shots.len(), 1);
    assert_eq!(file_hash(&shots[0].screenshot), shots[0].record.capture_hash);
    assert!(html.contains("curl -sS &#39;http://127.0.0.1:8600/api/health&#39;"));
}

#[test]
fn nothing_in_the_html_report_is_markup_that_is_not_ours() {
    let html = html();
    let document = scraper::Html::parse_document(&html);
    assert!(html.contains("default-src 'none'"));
    let outside = |value: &str| !value.starts_with("data:") && !value.starts_with('#');
    for element in document.tree.values().filter_map(|node| node.as_element()) {
        let runs = element.name() == "script" && element.attr("type").is_none();
        for (name, value) in element.attrs() {
            assert!(!name.starts_with("on"), "{name} of {}", element.name());
            assert!(
                !matches!(name, "src" | "href" | "action") || !outside(value),
                "{name}={value}"
            );
        }
        let known = ["iframe", "object", "embed", "link", "base", "form"];
        assert!(element.name() == "form" || !known.contains(&element.name()), "{}", element.name());
        assert!(!runs || element.attrs().count() == 0);
    }
    let select = |what: &str| {
        let selector = scraper::Selector::parse(what).expect("a selector");
        document.select(&selector).count()
    };
    assert_eq!(select("script:not([type])"), 1, "one script runs, ours");
    assert_eq!(select("img[src=x]"), 0);
    assert!(!html.contains(['\u{1b}', '\u{202e}', '\u{7}']));
}

#[test]
fn a_coloured_terminal_with_steps_is_as_reviewed() {
    let text = terminal(Style::Coloured, Liveness::Still, Detail::Steps);
    golden::check("tests/ui/report/terminal-coloured.txt", &text.replace('\u{1b}', "^["));
}

#[test]
fn nothing_a_target_said_steers_a_terminal_or_a_ci_system() {
    for text in [
        terminal(Style::Plain, Liveness::Still, Detail::Steps),
        report_of(ReportKind::Json),
        report_of(ReportKind::Junit),
        report_of(ReportKind::Tap),
        report_of(ReportKind::Markdown),
    ] {
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(steers), "{text}");
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    }
    let annotations = report_of(ReportKind::Github);
    let commands = annotations.lines().filter(|line| line.starts_with("::")).count();
    assert_eq!(commands, annotations.lines().count(), "{annotations}");
    assert!(!annotations.contains("##["), "{annotations}");
}

#[test]
fn junit_is_well_formed_and_holds_no_character_that_xml_forbids() {
    let text = report_of(ReportKind::Junit);
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut cases = 0;
    loop {
        match reader.read_event().expect("the report is well-formed") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                cases += usize::from(tag.name().as_ref() == "testcase");
            }
            _ => {}
        }
    }
    assert_eq!(cases, 8);
    assert!(!text.contains('\u{fffe}'));
}

#[test]
fn json_lines_hold_exactly_what_was_seen() {
    let text = report_of(ReportKind::Json);
    let line = text.lines().nth(1).expect("there is a second run");
    let run: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
    let actual = run.pointer("/attempts/0/steps/1/outcome/assertions/1/actual");
    let seen = "\"\u{1b}[31mred\n::error::injected & <b>\u{7}\u{9b}\u{202e}\u{fffe}##[endgroup]\"";
    assert_eq!(actual.and_then(serde_json::Value::as_str), Some(seen));
}

#[test]
fn a_live_terminal_erases_its_line_before_anything_else_is_written() {
    let (paper, mut reports) = (Paper::default(), Reports::new());
    let reporter = TerminalReporter::new(Style::Plain, Liveness::Live, Detail::Runs);
    reports.add_terminal(reporter, "paper", Box::new(paper.clone()));
    let run = passed();
    let event = |sequence, kind| RunEvent { run: run.id.clone(), sequence, at: START, kind };
    let started = RunEventKind::RunStarted {
        canary: "shop-api".into(),
        file: "canaries/shop.yaml".into(),
        parameters: [].into(),
        steps: Some(1),
    };
    let step = RunEventKind::StepStarted { index: 0, name: "api is healthy".into() };
    reports.event(&event(0, started)).expect("paper takes everything");
    reports.event(&event(1, step)).expect("paper takes everything");
    reports.run(0, run).expect("paper takes everything");
    reports.end(Duration::from_secs(1)).expect("paper takes everything");
    let text = paper.text().replace('\u{1b}', "^[").replace('\r', "\\r");
    golden::check("tests/ui/report/live.txt", &text);
}

#[test]
fn a_full_disk_is_reported_with_the_report_it_befell() {
    struct FullDisk;
    impl Write for FullDisk {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut reports = Reports::new();
    reports.add(ReportKind::Json, "out.jsonl", Box::new(FullDisk));
    let error = reports.run(0, passed()).expect_err("the disk is full");
    assert_eq!(error.to_string(), "cannot write the json report to out.jsonl");
}

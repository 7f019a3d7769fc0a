use std::io::{self, Write};
use std::time::Duration;

use super::failure::{Line, LineKind, run_name, told};
use super::fan::{End, Reporter};
use super::untrusted::harmless;
use crate::canary::event::RunEvent;
use crate::canary::report::{
    AttemptReport, Failure, RunOutcome, RunReport, StepOutcome, StepReport, Verdict,
};
use crate::diagnostic::printable;

/// JUnit XML: a suite a run, a case a step.
///
/// Source: the Maven Surefire schema 3.0, with its `flakyFailure` for steps that passed on a retry.
/// A `failure` is what the target did wrong, an `error` what canary, policy or machine did.
pub(super) struct JunitReporter;

impl Reporter for JunitReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, _out: &mut dyn Write, _run: &RunReport) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        let counts = end.runs.iter().map(Counts::of).fold(Counts::default(), Counts::plus);
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(out, "<testsuites name=\"coalmine\" {counts} time=\"{}\">", seconds(end.elapsed))?;
        for run in end.runs {
            suite(out, run)?;
        }
        writeln!(out, "</testsuites>")
    }
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of(run: &RunReport) -> Self {
        let mut counts = Self::default();
        for case in cases(run) {
            counts.tests += 1;
            match case.end {
                CaseEnd::Failed(failure) if is_error(failure) => counts.errors += 1,
                CaseEnd::Failed(_) => counts.failures += 1,
                CaseEnd::Skipped => counts.skipped += 1,
                CaseEnd::Passed => {}
            }
        }
        counts
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tests, failures, errors, skipped } = self;
        write!(
            f,
            "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\""
        )
    }
}

/// One `testcase`: a step, or the run as a whole where a failure belongs to no step.
struct Case<'a> {
    name: &'a str,
    step: Option<&'a StepReport>,
    elapsed: Duration,
    end: CaseEnd<'a>,
}

#[derive(Clone, Copy)]
enum CaseEnd<'a> {
    Passed,
    Failed(&'a Failure),
    Skipped,
}

const fn is_error(failure: &Failure) -> bool {
    matches!(failure.verdict, Verdict::Canary | Verdict::Policy | Verdict::Runner)
}

fn cases(run: &RunReport) -> Vec<Case<'_>> {
    let Some(attempt) = run.deciding_attempt() else {
        return vec![whole(run, CaseEnd::Skipped)];
    };
    let mut cases: Vec<Case<'_>> = attempt.steps.iter().map(case).collect();
    if let Some(failure) = &attempt.failure {
        cases.push(whole(run, CaseEnd::Failed(failure)));
    }
    if cases.is_empty() {
        let skipped = matches!(run.outcome, RunOutcome::Skipped | RunOutcome::Cancelled);
        cases.push(whole(run, if skipped { CaseEnd::Skipped } else { CaseEnd::Passed }));
    }
    cases
}

fn whole<'a>(run: &'a RunReport, end: CaseEnd<'a>) -> Case<'a> {
    Case { name: "the run as a whole", step: None, elapsed: run.elapsed, end }
}

fn case(step: &StepReport) -> Case<'_> {
    let end = match &step.outcome {
        StepOutcome::Passed => CaseEnd::Passed,
        StepOutcome::Failed(failure) => CaseEnd::Failed(failure),
        StepOutcome::Skipped => CaseEnd::Skipped,
    };
    Case { name: &step.name, step: Some(step), elapsed: step.elapsed, end }
}

fn suite(out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
    let name = escaped(&run_name(run));
    let (file, started) = (escaped(&run.file), run.started.to_rfc3339());
    let (counts, time) = (Counts::of(run), seconds(run.elapsed));
    writeln!(
        out,
        "  <testsuite name=\"{name}\" file=\"{file}\" {counts} time=\"{time}\" \
         timestamp=\"{started}\">"
    )?;
    writeln!(out, "    <properties>")?;
    for (key, value) in [
        ("outcome", run.outcome.as_str()),
        ("run", &run.id.to_string()),
        ("trace", &run.trace.to_string()),
    ] {
        writeln!(out, "      <property name=\"{key}\" value=\"{}\"/>", escaped(value))?;
    }
    writeln!(out, "    </properties>")?;
    for case in cases(run) {
        write_case(out, run, &case)?;
    }
    if !run.logs.is_empty() {
        let lines: Vec<&str> = run.logs.iter().map(|log| log.message.as_str()).collect();
        writeln!(out, "    <system-out>{}</system-out>", content(&harmless(&lines.join("\n"))))?;
    }
    writeln!(out, "  </testsuite>")
}

fn write_case(out: &mut dyn Write, run: &RunReport, case: &Case<'_>) -> io::Result<()> {
    let (name, class) = (escaped(case.name), escaped(&run_name(run)));
    let place = case.step.and_then(|step| step.location.as_ref());
    let line = place.map(|at| format!(" line=\"{}\"", at.line));
    write!(
        out,
        "    <testcase name=\"{name}\" classname=\"{class}\" file=\"{}\"{} time=\"{}\"",
        escaped(place.map_or(&run.file, |at| &at.file)),
        line.unwrap_or_default(),
        seconds(case.elapsed)
    )?;
    let flaky = flaky_failures(run, case);
    match case.end {
        CaseEnd::Passed if flaky.is_empty() => return writeln!(out, "/>"),
        CaseEnd::Passed => writeln!(out, ">")?,
        CaseEnd::Skipped => return writeln!(out, "><skipped/></testcase>"),
        CaseEnd::Failed(failure) => {
            writeln!(out, ">")?;
            let tag = if is_error(failure) { "error" } else { "failure" };
            write_failure(out, tag, run, (case.step, failure))?;
        }
    }
    for (step, failure) in flaky {
        write_failure(out, "flakyFailure", run, (Some(step), failure))?;
    }
    writeln!(out, "    </testcase>")
}

/// How the same step failed in earlier attempts of a run that passed in the end.
fn flaky_failures<'a>(run: &'a RunReport, case: &Case<'_>) -> Vec<(&'a StepReport, &'a Failure)> {
    let (RunOutcome::Flaky, Some(step)) = (run.outcome, case.step) else { return vec![] };
    let in_attempt = |attempt: &'a AttemptReport| {
        let same = attempt.steps.iter().find(|other| other.index == step.index)?;
        Some((same, same.outcome.failure()?))
    };
    run.attempts.iter().filter_map(in_attempt).collect()
}

fn write_failure(
    out: &mut dyn Write,
    tag: &str,
    run: &RunReport,
    (step, failure): (Option<&StepReport>, &Failure),
) -> io::Result<()> {
    let told = told(run, step, failure);
    let text = |line: &Line| match line.kind {
        LineKind::Reason => format!("reason: {}", line.text),
        LineKind::Next => format!("next: {}", line.text),
        _ => line.text.clone(),
    };
    let body: Vec<String> = told.iter().skip(1).map(text).collect();
    let (message, kind) = (escaped(&failure.message), failure.verdict.as_str());
    writeln!(
        out,
        "      <{tag} message=\"{message}\" type=\"{kind}\">{}</{tag}>",
        content(&body.join("\n"))
    )
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

/// An attribute's value, which would lose its line feeds otherwise.
fn escaped(text: &str) -> String {
    content(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Text for XML 1.0: markup escaped, characters that XML cannot hold left out.
fn content(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

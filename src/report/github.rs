use std::io::{self, Write};

use super::failure::{LineKind, location, run_name, told};
use super::fan::{End, Reporter};
use super::untrusted::harmless;
use crate::canary::event::RunEvent;
use crate::canary::report::{Failure, RunOutcome, RunReport, StepReport};

/// Annotations on the lines of a pull request.
///
/// Source: GitHub Docs, "Workflow commands for GitHub Actions"; escapes as in `@actions/core`.
pub(super) struct GithubReporter;

impl Reporter for GithubReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
        if run.outcome == RunOutcome::Flaky {
            return flaky(out, run);
        }
        let Some(attempt) = run.deciding_attempt() else { return Ok(()) };
        for step in &attempt.steps {
            if let Some(failure) = step.outcome.failure() {
                annotate(out, run, (Some(step), failure))?;
            }
        }
        match &attempt.failure {
            Some(failure) => annotate(out, run, (None, failure)),
            None => Ok(()),
        }
    }

    fn end(&mut self, _out: &mut dyn Write, _end: &End<'_>) -> io::Result<()> {
        Ok(())
    }
}

fn flaky(out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
    let attempts = run.attempts.len();
    let message = format!("passed only at attempt {attempts}");
    let place = Place { file: &run.file, line: None, column: None };
    command(out, "warning", &place, (&format!("{} is flaky", run_name(run)), &message))
}

fn annotate(
    out: &mut dyn Write,
    run: &RunReport,
    (step, failure): (Option<&StepReport>, &Failure),
) -> io::Result<()> {
    let place = match location(step, failure) {
        Some(at) => Place { file: &at.file, line: Some(at.line), column: Some(at.column) },
        None => Place { file: &run.file, line: None, column: None },
    };
    let title = match step {
        Some(step) => format!("{}: {}", run_name(run), step.name),
        None => run_name(run),
    };
    let lines: Vec<String> =
        told(run, step, failure)
            .into_iter()
            .map(|line| {
                if line.kind == LineKind::Next { format!("next: {}", line.text) } else { line.text }
            })
            .collect();
    command(out, "error", &place, (&title, &lines.join("\n")))
}

struct Place<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
}

fn command(
    out: &mut dyn Write,
    level: &str,
    place: &Place<'_>,
    (title, message): (&str, &str),
) -> io::Result<()> {
    write!(out, "::{level} file={}", property(place.file))?;
    if let Some(line) = place.line {
        write!(out, ",line={line}")?;
    }
    if let Some(column) = place.column {
        write!(out, ",col={column}")?;
    }
    writeln!(out, ",title={}::{}", property(title), data(message))
}

fn data(text: &str) -> String {
    harmless(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

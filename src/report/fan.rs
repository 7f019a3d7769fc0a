use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use thiserror::Error;

use super::kind::ReportKind;
use super::tally::Tally;
use super::terminal::TerminalReporter;
use super::{github, har, html, json, junit, markdown, tap};
use crate::canary::event::RunEvent;
use crate::canary::report::RunReport;

/// Shows runs to several reporters at once.
///
/// Reporters see finished runs in the order the runs were planned in, whatever order they ended in,
/// so that two reports of the same runs can be compared line by line. A live terminal is the
/// exception: a person wants to see what just happened.
pub struct Reports {
    outputs: Vec<Output>,
    /// Runs that ended before one planned earlier.
    early: BTreeMap<usize, RunReport>,
    in_order: Vec<RunReport>,
    tally: Tally,
}

/// A report could not be written.
#[derive(Debug, Error)]
#[error("cannot write the {} report to {to}", .kind.name())]
pub struct ReportError {
    /// Which report.
    pub kind: ReportKind,
    /// The file, or the name of the stream.
    pub to: String,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What a kind of report does with what happens. Every method writes to `out`.
pub(super) trait Reporter: Send {
    /// One thing happened in a run.
    fn event(&mut self, out: &mut dyn Write, event: &RunEvent) -> io::Result<()>;

    /// A run ended.
    fn run(&mut self, out: &mut dyn Write, run: &RunReport) -> io::Result<()>;

    /// All runs have ended.
    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()>;

    /// Whether runs are shown as they end instead of in the order they were planned in.
    fn is_live(&self) -> bool {
        false
    }
}

/// What is known when all runs have ended.
pub(super) struct End<'a> {
    /// Every run, in the order they were planned in.
    pub(super) runs: &'a [RunReport],
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
}

struct Output {
    kind: ReportKind,
    to: String,
    out: Box<dyn Write + Send>,
    reporter: Box<dyn Reporter>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outputs: Vec<&str> = self.outputs.iter().map(|output| output.kind.name()).collect();
        f.debug_struct("Reports").field("outputs", &outputs).field("tally", &self.tally).finish()
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self::new()
    }
}

impl Reports {
    /// Reports to nobody yet.
    pub const fn new() -> Self {
        Self {
            outputs: Vec::new(),
            early: BTreeMap::new(),
            in_order: Vec::new(),
            tally: Tally { passed: 0, flaky: 0, failed: 0, error: 0, skipped: 0, cancelled: 0 },
        }
    }

    /// Adds a terminal report; `to` names the stream in errors.
    pub fn add_terminal(
        &mut self,
        reporter: TerminalReporter,
        to: &str,
        out: Box<dyn Write + Send>,
    ) {
        self.push(ReportKind::Terminal, (to, out), Box::new(reporter));
    }

    /// Adds a report of any other kind; a terminal report gets the plain form.
    pub fn add(&mut self, kind: ReportKind, to: &str, out: Box<dyn Write + Send>) {
        let reporter: Box<dyn Reporter> = match kind {
            ReportKind::Terminal => Box::new(TerminalReporter::plain()),
            ReportKind::Json => Box::new(json::JsonReporter),
            ReportKind::Junit => Box::new(junit::JunitReporter),
            ReportKind::Github => Box::new(github::GithubReporter),
            ReportKind::Tap => Box::new(tap::TapReporter::default()),
            ReportKind::Markdown => Box::new(markdown::MarkdownReporter),
            ReportKind::Html => Box::new(html::HtmlReporter),
            ReportKind::Har => Box::new(har::HarReporter),
        };
        self.push(kind, (to, out), reporter);
    }

    fn push(
        &mut self,
        kind: ReportKind,
        (to, out): (&str, Box<dyn Write + Send>),
        reporter: Box<dyn Reporter>,
    ) {
        self.outputs.push(Output { kind, to: to.to_owned(), out, reporter });
    }

    /// One thing happened in a run.
    pub fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.each(|_| true, |reporter, out| reporter.event(out, event))
    }

    /// The run planned at `position`, counted from 0, has ended.
    pub fn run(&mut self, position: usize, run: RunReport) -> Result<(), ReportError> {
        self.tally.count(run.outcome);
        self.each(|reporter| reporter.is_live(), |reporter, out| reporter.run(out, &run))?;
        self.early.insert(position, run);
        while let Some(run) = self.early.remove(&self.in_order.len()) {
            self.show_in_order(run)?;
        }
        Ok(())
    }

    /// All runs have ended. Runs that never came leave a gap and are not waited for.
    pub fn end(&mut self, elapsed: Duration) -> Result<Tally, ReportError> {
        for run in std::mem::take(&mut self.early).into_values() {
            self.show_in_order(run)?;
        }
        let runs = std::mem::take(&mut self.in_order);
        let end = End { runs: &runs, tally: self.tally, elapsed };
        self.each(
            |_| true,
            |reporter, out| {
                reporter.end(out, &end)?;
                out.flush()
            },
        )?;
        Ok(self.tally)
    }

    fn show_in_order(&mut self, run: RunReport) -> Result<(), ReportError> {
        self.each(|reporter| !reporter.is_live(), |reporter, out| reporter.run(out, &run))?;
        self.in_order.push(run);
        Ok(())
    }

    fn each(
        &mut self,
        concerns: impl Fn(&dyn Reporter) -> bool,
        mut show: impl FnMut(&mut dyn Reporter, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        for output in &mut self.outputs {
            if concerns(output.reporter.as_ref()) {
                show(output.reporter.as_mut(), output.out.as_mut()).map_err(|source| {
                    ReportError { kind: output.kind, to: output.to.clone(), source }
                })?;
            }
        }
        Ok(())
    }
}

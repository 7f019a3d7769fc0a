use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};

use super::failure::{Line, LineKind, location, run_name, shown_duration, told};
use super::fan::{End, Reporter};
use super::tally::Tally;
use super::untrusted::one_line;
use crate::canary::event::{RunEvent, RunEventKind};
use crate::canary::report::{
    Failure, LogLevel, RunId, RunOutcome, RunReport, StepOutcome, StepReport,
};
use crate::diagnostic::Style;

/// The report for people: one line a run, everything about what failed, a summary.
#[derive(Debug)]
pub struct TerminalReporter {
    style: Style,
    liveness: Liveness,
    detail: Detail,
    /// What runs now, by run; shown on the live line.
    running: BTreeMap<RunId, Running>,
    tally: Tally,
    live_line_is_shown: bool,
}

/// Whether a person watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// A line at the bottom shows what runs now; runs are shown as they end.
    Live,
    /// Lines are only ever appended, in the order runs were planned in.
    Still,
}

/// How much is told about runs that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One line.
    Runs,
    /// Their steps and log lines too.
    Steps,
}

#[derive(Debug)]
struct Running {
    canary: String,
    step: String,
}

impl TerminalReporter {
    /// A reporter for a stream.
    pub fn new(style: Style, liveness: Liveness, detail: Detail) -> Self {
        Self {
            style,
            liveness,
            detail,
            running: BTreeMap::new(),
            tally: Tally::default(),
            live_line_is_shown: false,
        }
    }

    /// A reporter for a file.
    pub fn plain() -> Self {
        Self::new(Style::Plain, Liveness::Still, Detail::Runs)
    }

    fn paint(&self, color: Option<AnsiColor>, text: &str) -> String {
        let ansi = match (self.style, color) {
            (Style::Plain, _) => return text.to_owned(),
            (Style::Coloured, Some(color)) => color.on_default().bold(),
            (Style::Coloured, None) => Ansi::new().dimmed(),
        };
        format!("{ansi}{text}{ansi:#}")
    }

    fn erase_live_line(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.live_line_is_shown) {
            write!(out, "\r\u{1b}[2K")?;
        }
        Ok(())
    }

    /// Shows what runs now, on one line that the next writing erases.
    fn show_live_line(&mut self, out: &mut dyn Write) -> io::Result<()> {
        // BOUND: narrower than any terminal, so that the line never wraps and can be erased.
        const WIDTH: usize = 76;
        if self.liveness == Liveness::Still || self.running.is_empty() {
            return Ok(());
        }
        let now: Vec<String> = self
            .running
            .values()
            .map(|running| format!("{}: {}", running.canary, running.step))
            .collect();
        let done = self.tally.total();
        let line = format!("{} running, {done} done · {}", self.running.len(), now.join(" · "));
        let line: String = line.chars().take(WIDTH).collect();
        write!(out, "{}", self.paint(None, &line))?;
        self.live_line_is_shown = true;
        out.flush()
    }

    fn headline(&self, run: &RunReport) -> String {
        let (word, color) = badge(run.outcome);
        let badge = self.paint(color, &format!("{word:<6}"));
        let name = run_name(run);
        let took = shown_duration(run.elapsed);
        let remark = match (run.outcome, run.failure()) {
            (RunOutcome::Flaky, _) => {
                let first = run.attempts.first().and_then(first_failure);
                let why = first.map_or_else(String::new, |f| format!(": {}", one_line(&f.message)));
                format!("passed at attempt {}, after{why}", run.attempts.len())
            }
            (RunOutcome::Skipped, _) => "did not start".to_owned(),
            (_, Some((Some(step), _))) => one_line(&step.name) + &again(run),
            (_, Some((None, failure))) => one_line(&failure.message) + &again(run),
            _ => {
                let steps = run.deciding_attempt().map_or(0, |attempt| attempt.steps.len());
                format!("{steps} {}", if steps == 1 { "step" } else { "steps" })
            }
        };
        format!("{badge} {name:<28} {took:>8}  {remark}")
    }

    fn steps(&self, out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
        let Some(attempt) = run.deciding_attempt() else { return Ok(()) };
        for step in &attempt.steps {
            if self.detail == Detail::Steps || step.outcome.failure().is_some() {
                self.step(out, run, step)?;
            }
        }
        if let Some(failure) = &attempt.failure {
            self.failure(out, run, (None, failure))?;
        }
        if self.detail == Detail::Steps {
            for log in &run.logs {
                let level = match log.level {
                    LogLevel::Debug => "debug",
                    LogLevel::Info => "info",
                    LogLevel::Warn => "warn",
                    LogLevel::Error => "error",
                };
                let line = format!("         {level:<5} {}", one_line(&log.message));
                writeln!(out, "{}", self.paint(None, &line))?;
            }
        }
        Ok(())
    }

    fn step(&self, out: &mut dyn Write, run: &RunReport, step: &StepReport) -> io::Result<()> {
        let (mark, color) = match step.outcome {
            StepOutcome::Passed => ("ok", Some(AnsiColor::Green)),
            StepOutcome::Failed(_) => ("FAILED", Some(AnsiColor::Red)),
            StepOutcome::Skipped => ("not reached", None),
        };
        let (name, mark) = (one_line(&step.name), self.paint(color, mark));
        write!(out, "  step {} {name:<32} {mark}", step.index + 1)?;
        match step.outcome {
            StepOutcome::Skipped => writeln!(out)?,
            _ => writeln!(out, " {}", shown_duration(step.elapsed))?,
        }
        match step.outcome.failure() {
            Some(failure) => self.failure(out, run, (Some(step), failure)),
            None => Ok(()),
        }
    }

    fn failure(
        &self,
        out: &mut dyn Write,
        run: &RunReport,
        (step, failure): (Option<&StepReport>, &Failure),
    ) -> io::Result<()> {
        let place =
            location(step, failure).map_or_else(|| run.file.to_string(), ToString::to_string);
        writeln!(out, "    {} {}", self.paint(None, "-->"), one_line(&place))?;
        for line in told(run, step, failure) {
            writeln!(out, "    {}", self.line(&line))?;
        }
        Ok(())
    }

    fn line(&self, line: &Line) -> String {
        let text = &line.text;
        match line.kind {
            LineKind::Headline => self.paint(Some(AnsiColor::Red), text),
            LineKind::Expected => format!("  {}", self.paint(Some(AnsiColor::Green), text)),
            LineKind::Actual => format!("  {}", self.paint(Some(AnsiColor::Red), text)),
            LineKind::Removed => format!("    {}", self.paint(Some(AnsiColor::Red), text)),
            LineKind::Added => format!("    {}", self.paint(Some(AnsiColor::Green), text)),
            LineKind::Context => format!("  {text}"),
            LineKind::Reason => format!("{} {text}", self.paint(None, "why ")),
            LineKind::Next => format!("{} {text}", self.paint(Some(AnsiColor::Cyan), "next")),
        }
    }
}

fn first_failure(attempt: &crate::canary::report::AttemptReport) -> Option<&Failure> {
    let of_step = attempt.steps.iter().find_map(|step| step.outcome.failure());
    of_step.or(attempt.failure.as_ref())
}

/// That it was tried more than once, where it was.
fn again(run: &RunReport) -> String {
    match run.attempts.len() {
        0 | 1 => String::new(),
        attempts => format!(", at each of {attempts} attempts"),
    }
}

const fn badge(outcome: RunOutcome) -> (&'static str, Option<AnsiColor>) {
    match outcome {
        RunOutcome::Passed => ("PASS", Some(AnsiColor::Green)),
        RunOutcome::Flaky => ("FLAKY", Some(AnsiColor::Yellow)),
        RunOutcome::Failed => ("FAIL", Some(AnsiColor::Red)),
        RunOutcome::Error => ("ERROR", Some(AnsiColor::Magenta)),
        RunOutcome::Skipped => ("SKIP", None),
        RunOutcome::Cancelled => ("CANCEL", Some(AnsiColor::Yellow)),
    }
}

impl Reporter for TerminalReporter {
    fn event(&mut self, out: &mut dyn Write, event: &RunEvent) -> io::Result<()> {
        if self.liveness == Liveness::Still {
            return Ok(());
        }
        match &event.kind {
            RunEventKind::RunStarted { canary, .. } => {
                let running = Running { canary: one_line(canary), step: "starting".to_owned() };
                self.running.insert(event.run.clone(), running);
            }
            RunEventKind::StepStarted { name, .. } => {
                if let Some(running) = self.running.get_mut(&event.run) {
                    running.step = one_line(name);
                }
            }
            RunEventKind::RunFinished { .. } => drop(self.running.remove(&event.run)),
            _ => return Ok(()),
        }
        self.erase_live_line(out)?;
        self.show_live_line(out)
    }

    fn run(&mut self, out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
        self.tally.count(run.outcome);
        self.running.remove(&run.id);
        self.erase_live_line(out)?;
        writeln!(out, "{}", self.headline(run))?;
        if !run.outcome.is_good() || self.detail == Detail::Steps {
            self.steps(out, run)?;
        }
        self.show_live_line(out)?;
        out.flush()
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        self.erase_live_line(out)?;
        let color = match end.tally {
            tally if !tally.is_good() => AnsiColor::Red,
            tally if tally.flaky > 0 => AnsiColor::Yellow,
            _ => AnsiColor::Green,
        };
        let summary = format!("{} in {}", end.tally, shown_duration(end.elapsed));
        writeln!(out, "\n{}", self.paint(Some(color), &summary))
    }

    fn is_live(&self) -> bool {
        self.liveness == Liveness::Live
    }
}

use std::io::{self, Write};

use super::failure::{LineKind, run_name, shown_duration, told};
use super::fan::{End, Reporter};
use super::untrusted::one_line;
use crate::canary::event::RunEvent;
use crate::canary::report::{RunOutcome, RunReport};

/// Test Anything Protocol: a test point a run, what went wrong in its YAML block.
///
/// Source: the TAP 14 specification. The plan stands at the end, as it may.
#[derive(Default)]
pub(super) struct TapReporter {
    points: usize,
}

impl Reporter for TapReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
        if self.points == 0 {
            writeln!(out, "TAP version 14")?;
        }
        self.points += 1;
        let verdict = if run.outcome.is_good() { "ok" } else { "not ok" };
        let name = run_name(run).replace('\\', "\\\\").replace('#', "\\#");
        let directive =
            if run.outcome == RunOutcome::Skipped { " # SKIP did not start" } else { "" };
        writeln!(out, "{verdict} {} - {name}{directive}", self.points)?;
        writeln!(out, "  ---")?;
        writeln!(out, "  outcome: {}", run.outcome.as_str())?;
        writeln!(out, "  duration: {}", shown_duration(run.elapsed))?;
        if !run.outcome.is_good()
            && let Some((step, failure)) = run.failure()
        {
            writeln!(out, "  verdict: {}", failure.verdict.as_str())?;
            if let Some(step) = step {
                // A JSON string is a YAML string.
                writeln!(out, "  step: {}", serde_json::json!(one_line(&step.name)))?;
            }
            writeln!(out, "  told: |")?;
            for line in told(run, step, failure) {
                let next = if line.kind == LineKind::Next { "next: " } else { "" };
                writeln!(out, "    {next}{}", line.text)?;
            }
        }
        writeln!(out, "  ...")
    }

    fn end(&mut self, out: &mut dyn Write, _end: &End<'_>) -> io::Result<()> {
        if self.points == 0 {
            writeln!(out, "TAP version 14")?;
        }
        writeln!(out, "1..{}", self.points)
    }
}

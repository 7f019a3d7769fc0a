use std::io::{self, Write};

use super::failure::{LineKind, location, run_name, shown_duration, told};
use super::fan::{End, Reporter};
use super::untrusted::one_line;
use crate::canary::event::RunEvent;
use crate::canary::report::{Failure, RunOutcome, RunReport, StepReport};

/// Markdown for a job summary or a comment: a table of runs, then what failed.
///
/// What a target said stands in code blocks and escaped cells: it is text, never markup.
pub(super) struct MarkdownReporter;

impl Reporter for MarkdownReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, _out: &mut dyn Write, _run: &RunReport) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        writeln!(out, "### Canaries: {}\n", end.tally)?;
        writeln!(out, "| | canary | time | |\n|---|---|---:|---|")?;
        for run in end.runs {
            let (name, took) = (escaped(&run_name(run)), shown_duration(run.elapsed));
            let remark = remark(run).map_or_else(String::new, |text| escaped(&text));
            writeln!(out, "| {} | {name} | {took} | {remark} |", mark(run.outcome))?;
        }
        for run in end.runs.iter().filter(|run| !run.outcome.is_good()) {
            let Some(attempt) = run.deciding_attempt() else { continue };
            for step in &attempt.steps {
                if let Some(failure) = step.outcome.failure() {
                    details(out, run, (Some(step), failure))?;
                }
            }
            if let Some(failure) = &attempt.failure {
                details(out, run, (None, failure))?;
            }
        }
        Ok(())
    }
}

fn remark(run: &RunReport) -> Option<String> {
    match run.outcome {
        RunOutcome::Flaky => Some(format!("passed at attempt {}", run.attempts.len())),
        RunOutcome::Skipped => Some("did not start".to_owned()),
        _ => run.failure().map(|(_, failure)| failure.message.clone()),
    }
}

const fn mark(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Passed => "✅ passed",
        RunOutcome::Flaky => "⚠️ flaky",
        RunOutcome::Failed => "❌ failed",
        RunOutcome::Error => "🛑 error",
        RunOutcome::Skipped => "⏭️ skipped",
        RunOutcome::Cancelled => "⏹️ cancelled",
    }
}

fn details(
    out: &mut dyn Write,
    run: &RunReport,
    (step, failure): (Option<&StepReport>, &Failure),
) -> io::Result<()> {
    let name = match step {
        Some(step) => format!("{}: {}", run_name(run), step.name),
        None => run_name(run),
    };
    let place = location(step, failure).map_or_else(|| run.file.to_string(), ToString::to_string);
    writeln!(out, "\n<details open><summary>{}</summary>\n", escaped(&name))?;
    writeln!(out, "{}\n", escaped(&place))?;
    let lines: Vec<String> = told(run, step, failure)
        .into_iter()
        .map(|line| match line.kind {
            LineKind::Headline => line.text,
            LineKind::Reason => format!("why   {}", line.text),
            LineKind::Next => format!("next  {}", line.text),
            _ => format!("  {}", line.text),
        })
        .collect();
    let text = lines.join("\n");
    let fence = fence_for(&text);
    writeln!(out, "{fence}text\n{text}\n{fence}\n\n</details>")
}

/// A fence longer than any row of backticks inside.
fn fence_for(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Text that is shown as it is, inside a table cell too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention would notify a stranger, a link lead to one.
            '@' => out.push_str("&#64;"),
            ':' => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|'
            | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_becomes_markup_a_mention_or_a_link() {
        let said = "<img src=x> [a](http://x) | @team `code` **b**";
        assert_eq!(
            escaped(said),
            "&lt;img src=x&gt; \\[a\\]\\(http&#58;//x\\) \\| &#64;team \\`code\\` \\*\\*b\\*\\*"
        );
        assert_eq!(fence_for("a ````` b"), "``````");
        assert_eq!(fence_for("plain"), "```");
    }
}

use std::fmt::Write as _;
use std::io::{self, Write};

use super::evidence::{Shots, evidence, pictures};
use super::waterfall::waterfall;
use crate::canary::event::RunEvent;
use crate::canary::report::{
    AttemptReport, Failure, LogLevel, RunOutcome, RunReport, StepOutcome, StepReport,
};
use crate::report::failure::{LineKind, location, run_name, shown_duration, told};
use crate::report::fan::{End, Reporter};
use crate::report::visual::{escaped, script_hash};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The report, written when all runs have ended.
pub(in crate::report) struct HtmlReporter;

impl Reporter for HtmlReporter {
    fn event(&mut self, _out: &mut dyn Write, _event: &RunEvent) -> io::Result<()> {
        Ok(())
    }

    fn run(&mut self, _out: &mut dyn Write, _run: &RunReport) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        write!(out, "{}", head(end))?;
        let mut shots = Shots::default();
        for (at, one) in end.runs.iter().enumerate() {
            out.write_all(run(at, one, &mut shots).as_bytes())?;
        }
        writeln!(out, "</main>\n{HELP}\n<script>{SCRIPT}</script>\n</body></html>")
    }
}

const HELP: &str = r#"<dialog aria-label="Keys"><table>
<tr><td><kbd>n</kbd> <kbd>p</kbd></td><td>next and previous failure</td></tr>
<tr><td><kbd>f</kbd></td><td>failures only, everything</td></tr>
<tr><td><kbd>e</kbd></td><td>open everything, close everything</td></tr>
<tr><td><kbd>1</kbd> … <kbd>4</kbd></td>
<td>pictures side by side, with a slider, blinking, their difference</td></tr>
<tr><td><kbd>←</kbd> <kbd>→</kbd></td><td>move the slider</td></tr>
</table><form method="dialog"><button>Close</button></form></dialog>"#;

fn head(end: &End<'_>) -> String {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {}; \
         base-uri 'none'; form-action 'none'",
        script_hash(SCRIPT)
    );
    let counts: String = end
        .tally
        .parts()
        .map(|(count, outcome)| {
            format!("<span class=\"{0}\"><b>{count}</b> {0}</span> ", outcome.as_str())
        })
        .collect();
    let first = end.runs.iter().map(|run| run.started).min();
    let when = first.map(|at| format!(" · {}", at.to_rfc3339())).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
         <title>Canaries: {}</title>\n<style>\n{STYLE}</style></head>\n<body>\n\
         <header><h1>Canaries</h1><span class=\"counts\">{counts}</span>\
         <span class=\"quiet\">{}{when}</span><span class=\"keys\">\
         <button data-key=\"p\">‹ failure</button><button data-key=\"n\">failure ›</button>\
         <button data-key=\"f\" aria-pressed=\"false\">Failures only</button>\
         <button data-key=\"?\">Keys <kbd>?</kbd></button></span></header>\n<main>\n",
        escaped(&end.tally.to_string()),
        shown_duration(end.elapsed),
    )
}

fn run(at: usize, run: &RunReport, shots: &mut Shots) -> String {
    let open = if run.outcome.is_good() { "" } else { " open" };
    let outcome = run.outcome.as_str();
    let mut out = format!(
        "<details class=\"run {outcome}\" id=\"r{at}\"{open}><summary>\
         <span class=\"badge {outcome}\">{outcome}</span> <b>{}</b>\
         <span class=\"quiet\">{}</span><span class=\"took\">{}</span></summary>\n",
        escaped(&run_name(run)),
        remark(run),
        shown_duration(run.elapsed)
    );
    for attempt in &run.attempts {
        if run.attempts.len() > 1 {
            let (number, of) = (attempt.number, run.attempts.len());
            let outcome = attempt.outcome.as_str();
            writeln!(out, "<h3>Attempt {number} of {of}: {outcome}</h3>").unwrap_or(());
        }
        out.push_str(&self::attempt(run, attempt, shots));
    }
    out.push_str(&logs(run));
    out.push_str(&evidence(run));
    let file = escaped(&run.file);
    writeln!(
        out,
        "<p class=\"quiet\">{file} · run {} · trace {}</p></details>",
        escaped(&run.id.to_string()),
        escaped(&run.trace.to_string())
    )
    .unwrap_or(());
    out
}

fn remark(run: &RunReport) -> String {
    match run.outcome {
        RunOutcome::Flaky => format!("passed at attempt {}", run.attempts.len()),
        RunOutcome::Skipped => "did not start".to_owned(),
        _ => run.failure().map(|(_, failure)| escaped(&failure.message)).unwrap_or_default(),
    }
}

fn attempt(run: &RunReport, attempt: &AttemptReport, shots: &mut Shots) -> String {
    let longest = attempt.steps.iter().map(|step| step.elapsed).max().unwrap_or_default();
    let mut out = String::from("<ol class=\"steps\">\n");
    for step in &attempt.steps {
        let (word, open) = match step.outcome {
            StepOutcome::Passed => ("passed", ""),
            StepOutcome::Failed(_) => ("failed", " open"),
            StepOutcome::Skipped => ("skipped", ""),
        };
        let share = match longest.as_secs_f64() {
            0.0 => 0.0,
            longest => step.elapsed.as_secs_f64() / longest * 100.0,
        };
        writeln!(
            out,
            "<li><details class=\"step {word}\"{open}><summary><span class=\"{word}\">{}</span> \
             <span class=\"name\">{}</span><span class=\"bar\" style=\"--share:{share:.1}\"></span>\
             <span class=\"took\">{}</span></summary>",
            mark(word),
            escaped(&step.name),
            if word == "skipped" { "skipped".to_owned() } else { shown_duration(step.elapsed) },
        )
        .unwrap_or(());
        if let Some(failure) = step.outcome.failure() {
            out.push_str(&self::failure(run, Some(step), failure));
        }
        out.push_str(&pictures(run, step, shots));
        out.push_str(&waterfall(step));
        out.push_str(&measures(step));
        out.push_str("</details></li>\n");
    }
    out.push_str("</ol>\n");
    if let Some(failure) = &attempt.failure {
        out.push_str(&self::failure(run, None, failure));
    }
    out
}

fn mark(word: &str) -> &'static str {
    match word {
        "passed" => "✓",
        "failed" => "✗",
        _ => "–",
    }
}

fn failure(run: &RunReport, step: Option<&StepReport>, failure: &Failure) -> String {
    let mut out = String::from("<div class=\"failure\">\n");
    if let Some(place) = location(step, failure) {
        write!(out, "<p class=\"quiet\">{}</p>", escaped(&place.to_string())).unwrap_or(());
    }
    out.push_str("<pre>");
    let last = step.and_then(|step| step.exchanges.last());
    let curl = last.and_then(|exchange| exchange.curl.as_deref());
    for line in told(run, step, failure) {
        if line.kind == LineKind::Next && curl.is_some_and(|curl| line.text.contains(curl)) {
            // It stands below, to be copied whole.
            continue;
        }
        let (class, before) = match line.kind {
            LineKind::Headline => ("headline", ""),
            LineKind::Expected | LineKind::Added => ("expected", ""),
            LineKind::Actual | LineKind::Removed => ("actual", ""),
            LineKind::Context => ("context", ""),
            LineKind::Reason => ("reason", "why  "),
            LineKind::Next => ("next", "next "),
        };
        writeln!(out, "<span class=\"{class}\">{before}{}</span>", escaped(&line.text))
            .unwrap_or(());
    }
    out.push_str("</pre>\n");
    if let Some(curl) = curl {
        let curl = escaped(curl);
        writeln!(out, "<p>The request again, as a command:</p><pre class=\"curl\">{curl}</pre>")
            .unwrap_or(());
    }
    out.push_str("</div>\n");
    out
}

fn measures(step: &StepReport) -> String {
    if step.measures.is_empty() {
        return String::new();
    }
    let each = step.measures.iter().map(|measure| {
        let unit = serde_json::to_value(measure.unit).unwrap_or_default();
        let unit = match unit.as_str().unwrap_or_default() {
            "Milliseconds" => "ms",
            "Bytes" => "B",
            "None" | "Count" => "",
            other => other,
        };
        let number = (measure.value * 1000.0).round() / 1000.0;
        format!("<div><dt>{}</dt><dd>{number} {}</dd></div>", escaped(&measure.name), escaped(unit))
    });
    format!("<dl class=\"measures\">{}</dl>\n", each.collect::<String>())
}

fn logs(run: &RunReport) -> String {
    /// Lines that are shown; the JSON report has all.
    const LINES_MAX: usize = 500;
    if run.logs.is_empty() {
        return String::new();
    }
    let mut out = String::from("<details class=\"part\"><summary>Log</summary><pre>");
    for line in run.logs.iter().take(LINES_MAX) {
        let class = match line.level {
            LogLevel::Error => "actual",
            LogLevel::Warn => "warned",
            LogLevel::Info | LogLevel::Debug => "context",
        };
        let (at, text) = (line.at.to_rfc3339(), escaped(&line.message));
        writeln!(out, "<span class=\"{class}\">{at} {text}</span>").unwrap_or(());
    }
    let left = run.logs.len().saturating_sub(LINES_MAX);
    if left > 0 {
        write!(out, "… and {left} lines more").unwrap_or(());
    }
    out.push_str("</pre></details>\n");
    out
}

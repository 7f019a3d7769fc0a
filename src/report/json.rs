use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::fan::{End, Reporter};
use super::tally::Tally;
use crate::canary::event::RunEvent;
use crate::canary::report::RunReport;
use crate::diagnostic::printable;

/// One JSON object a line: `event`s as they happen, a `run` when one has ended, a `summary` last.
///
/// Strings hold what was seen, in JSON's own escapes; what could steer a terminal that shows the
/// file is escaped too.
pub(super) struct JsonReporter;

impl Reporter for JsonReporter {
    fn event(&mut self, out: &mut dyn Write, event: &RunEvent) -> io::Result<()> {
        let mut line = json!({ "type": "event" });
        let event = serde_json::to_value(event)?;
        if let (Some(line), Value::Object(event)) = (line.as_object_mut(), event) {
            line.extend(event);
        }
        write_line(out, &line)
    }

    fn run(&mut self, out: &mut dyn Write, run: &RunReport) -> io::Result<()> {
        write_line(out, &run_record(run))?;
        out.flush()
    }

    fn end(&mut self, out: &mut dyn Write, end: &End<'_>) -> io::Result<()> {
        let Tally { passed, flaky, failed, error, skipped, cancelled } = end.tally;
        let summary = json!({
            "type": "summary", "runs": end.tally.total(), "passed": passed, "flaky": flaky,
            "failed": failed, "error": error, "skipped": skipped, "cancelled": cancelled,
            "elapsed_ms": end.elapsed.as_millis(),
        });
        write_line(out, &summary)
    }
}

fn write_line(out: &mut dyn Write, line: &Value) -> io::Result<()> {
    let text = line.to_string();
    if printable(&text) == text {
        return writeln!(out, "{text}");
    }
    // What steers is never structure: outside of strings JSON is plain ASCII.
    for c in text.chars() {
        match printable(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(same) => out.write_all(same.as_bytes())?,
            Cow::Owned(_) => write!(out, "\\u{:04x}", u32::from(c))?,
        }
    }
    writeln!(out)
}

fn run_record(run: &RunReport) -> Value {
    let verdict = run.failure().map(|(_, failure)| failure.verdict);
    let artifacts: Vec<Value> = run
        .artifacts
        .iter()
        .map(|artifact| {
            json!({
                "kind": artifact.kind, "name": artifact.name, "media_type": artifact.media_type,
                "bytes": artifact.bytes.len(),
            })
        })
        .collect();
    json!({
        "type": "run",
        "run": run.id,
        "canary": run.canary,
        "file": run.file,
        "parameters": run.parameters,
        "trace": run.trace.to_string(),
        "scheduled": run.scheduled,
        "started": run.started,
        "elapsed_ms": run.elapsed.as_millis(),
        "outcome": run.outcome,
        "verdict": verdict,
        "attempts": run.attempts,
        "logs": run.logs,
        "annotations": run.annotations,
        "artifacts": artifacts,
    })
}

//! The report of a canary file that cannot be read: an error that every kind of report shows.
//!
//! Main function: [`broken_files`]. Nothing ran, so nothing of it is stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::load::Fault;
use super::report::{AttemptReport, Failure, FileLocation, RunId, RunOutcome, RunReport, Verdict};
use crate::telemetry::TraceId;
use crate::time::Timestamp;

/// One report for each file that has `faults`, in their order; a file keeps the name of its canary
/// to itself, so the file's own name stands for it.
pub fn broken_files(
    faults: &[Fault],
    at: Timestamp,
    id: &mut dyn FnMut() -> RunId,
) -> Vec<RunReport> {
    let mut by_file: Vec<(&str, Vec<&Fault>)> = Vec::new();
    for fault in faults {
        let name = fault.file.name();
        match by_file.iter_mut().find(|(file, _)| *file == name) {
            Some((_, faults)) => faults.push(fault),
            None => by_file.push((name, vec![fault])),
        }
    }
    by_file.into_iter().map(|(file, faults)| report(file, &faults, (at, id()))).collect()
}

fn report(file: &str, faults: &[&Fault], (at, id): (Timestamp, RunId)) -> RunReport {
    let name = Path::new(file).file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
    let attempt = AttemptReport {
        number: 1,
        started: at,
        elapsed: Duration::ZERO,
        outcome: RunOutcome::Error,
        steps: Vec::new(),
        failure: Some(failure(faults)),
    };
    RunReport {
        id,
        canary: Arc::from(&*name),
        file: file.into(),
        parameters: BTreeMap::new(),
        trace: TraceId::new(at, [0; 12]),
        scheduled: at,
        started: at,
        elapsed: Duration::ZERO,
        outcome: RunOutcome::Error,
        attempts: vec![attempt],
        metrics: Vec::new(),
        logs: Vec::new(),
        annotations: BTreeMap::new(),
        artifacts: Vec::new(),
    }
}

/// The first fault in full, the others a line each.
fn failure(faults: &[&Fault]) -> Failure {
    let told = |fault: &Fault| {
        let hint = fault.diagnostic.labels.first().map_or("", |label| label.message.as_str());
        match hint {
            "" => fault.diagnostic.message.clone(),
            hint => format!("{} ({hint})", fault.diagnostic.message),
        }
    };
    let place = |fault: &Fault| Some(FileLocation::of(&fault.file, fault.diagnostic.span()?));
    let mut texts = faults.iter().map(|fault| told(fault));
    let first = texts.next().unwrap_or_else(|| "the file cannot be read".to_owned());
    let message = match faults.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    };
    let others: Vec<String> = faults
        .iter()
        .skip(1)
        .map(|fault| match place(fault) {
            Some(at) => format!("{at}: {}", told(fault)),
            None => told(fault),
        })
        .collect();
    Failure {
        verdict: Verdict::Canary,
        message,
        assertions: Vec::new(),
        location: faults.first().and_then(|fault| place(fault)),
        detail: (!others.is_empty()).then(|| others.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostic, SourceFile, Span};

    #[test]
    fn each_broken_file_is_one_error_that_tells_all_its_faults() {
        let fault = |file: &SourceFile, message: &str, at: usize| Fault {
            file: file.clone(),
            diagnostic: Diagnostic::error("c", message, Span::point(at)).label("did you mean `b`?"),
        };
        let (first, second) =
            (SourceFile::new("in/shop.yaml", "a\nb"), SourceFile::new("x.lua", "c"));
        let faults =
            [fault(&first, "wrong", 0), fault(&second, "bad", 0), fault(&first, "worse", 2)];
        let reports = broken_files(&faults, Timestamp::EPOCH, &mut || RunId("1".into()));
        let names: Vec<&str> = reports.iter().map(|report| &*report.canary).collect();
        assert_eq!(names, ["shop", "x"]);
        let (_, failure) = reports[0].failure().unwrap();
        assert_eq!(failure.message, "wrong (did you mean `b`?) (and 1 more)");
        assert_eq!(failure.location.as_ref().unwrap().to_string(), "in/shop.yaml:1:1");
        let detail = failure.detail.as_deref();
        assert_eq!(detail, Some("in/shop.yaml:2:1: worse (did you mean `b`?)"));
        assert_eq!((failure.verdict, reports[1].outcome), (Verdict::Canary, RunOutcome::Error));
    }
}

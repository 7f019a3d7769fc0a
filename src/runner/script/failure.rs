use mlua::Error;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::canary::report::{Failure, FileLocation, Verdict};
use crate::diagnostic::Diagnostic;
use crate::runner::fault;

/// What a function of ours raises inside of a script.
#[derive(Clone, Debug, ThisError, Serialize, Deserialize)]
pub(super) enum ScriptError {
    #[error("the time is up")]
    OutOfTime,
    #[error("the script has used up its {} million steps of computing", 200)]
    OutOfFuel,
    #[error("a script is at most 256 KiB long")]
    SourceTooLarge,
    /// Whoever started this process does not listen any more.
    #[error("the run has ended")]
    Alone,
    /// The script asked for something that cannot be.
    #[error("{problem}")]
    Misuse { problem: String },
    /// What a step of a YAML canary would fail with.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
}

impl ScriptError {
    pub(super) fn wrong(problem: impl Into<String>) -> Self {
        Self::Misuse { problem: problem.into() }
    }

    /// The same as the machine raises it.
    pub(super) fn misuse(problem: impl Into<String>) -> Error {
        Self::wrong(problem).into()
    }

    /// Faults of a value that a script built.
    pub(super) fn of_faults(what: &str, faults: &[Diagnostic]) -> Self {
        let text = |fault: &Diagnostic| {
            let hint = fault.labels.first().map(|label| label.message.as_str()).unwrap_or("");
            let hint = if hint.is_empty() { fault.help.as_deref().unwrap_or("") } else { hint };
            match hint {
                "" => fault.message.clone(),
                hint => format!("{} ({hint})", fault.message),
            }
        };
        let texts: Vec<String> = faults.iter().map(text).collect();
        Self::wrong(format!("{what}: {}", texts.join("; ")))
    }
}

impl From<ScriptError> for Error {
    fn from(error: ScriptError) -> Self {
        Self::external(error)
    }
}

/// What of ours lies at the bottom of an error of the machine, if anything does.
pub(super) fn cause(error: &Error) -> Option<&ScriptError> {
    match error {
        Error::CallbackError { cause: inner, .. } | Error::WithContext { cause: inner, .. } => {
            cause(inner)
        }
        Error::BadArgument { cause: inner, .. } => cause(inner),
        Error::ExternalError(inner) => inner.downcast_ref::<ScriptError>(),
        _ => None,
    }
}

/// An error of the machine as a failure of the canary; `chunk` is the script's name in its texts.
pub(super) fn failure_of(error: &Error, chunk: &str, file: &str) -> Failure {
    let (message, calls) = texts(error);
    let (message, location) = located(&message, chunk, file);
    let detail = calls.as_deref().and_then(trace);
    match cause(error) {
        Some(ScriptError::Failed(failure)) => {
            let mut failure = failure.as_ref().clone();
            failure.location = failure.location.or(location);
            failure
        }
        Some(ScriptError::OutOfTime) => {
            fault::failure(Verdict::NoAnswer, "the script did not end in its time")
        }
        Some(own) => {
            let message = own.to_string();
            let of_calls = || calls.as_deref().and_then(|calls| line_in(calls, chunk, file));
            let location = location.or_else(of_calls);
            Failure { location, detail, ..fault::failure(Verdict::Canary, message) }
        }
        None => Failure { location, detail, ..fault::failure(Verdict::Canary, message) },
    }
}

/// The message, and the trace of calls below it.
fn texts(error: &Error) -> (String, Option<String>) {
    match error {
        Error::CallbackError { traceback, cause } => {
            let (message, _) = texts(cause);
            (message, Some(traceback.clone()).filter(|trace| !trace.trim().is_empty()))
        }
        Error::RuntimeError(text) => {
            let (message, trace) = text.split_once("\nstack traceback:").unwrap_or((text, ""));
            let trace = (!trace.is_empty()).then(|| trace.trim().to_owned());
            (message.to_owned(), trace)
        }
        Error::SyntaxError { message, .. } => (message.clone(), None),
        Error::MemoryError(_) => ("the script needs more than 64 MiB of memory".to_owned(), None),
        other => (other.to_string(), None),
    }
}

/// The calls that led to an error, where there is more to tell than the place itself.
fn trace(text: &str) -> Option<String> {
    let calls = text.lines().map(str::trim);
    let calls = calls
        .filter(|line| !line.is_empty() && !line.starts_with("[C]") && *line != "stack traceback:");
    let calls: Vec<&str> = calls.collect();
    (calls.len() > 1).then(|| calls.join("\n"))
}

/// Takes `chunk:12: ` off a message and makes a place of it.
fn located(message: &str, chunk: &str, file: &str) -> (String, Option<FileLocation>) {
    let message = message.strip_prefix("runtime error: ").unwrap_or(message);
    let rest = message.strip_prefix(chunk).and_then(|rest| rest.strip_prefix(':'));
    let parts = rest.and_then(|rest| rest.split_once(':'));
    let line = parts.and_then(|(line, rest)| Some((line.parse().ok()?, rest.trim_start())));
    match line {
        Some((line, rest)) => (rest.to_owned(), Some(place(file, line))),
        None => (message.to_owned(), None),
    }
}

/// The first line of the script in a trace of calls.
fn line_in(trace: &str, chunk: &str, file: &str) -> Option<FileLocation> {
    let (_, rest) = trace.split_once(&format!("{chunk}:"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(place(file, digits.parse().ok()?))
}

pub(super) fn place(file: &str, line: usize) -> FileLocation {
    FileLocation { file: file.into(), line, column: 1 }
}

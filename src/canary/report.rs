//! What is left of a run: one value that metrics, exit codes, alarms and files derive from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observation::{CertificateObservation, RedirectHop, Timings};
use crate::diagnostic::{SourceFile, Span};
use crate::telemetry::{MetricDatum, TraceId};
use crate::time::Timestamp;

/// Names one run: a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Arc<str>);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a canary file, or in one that it uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLocation {
    /// The file's name, as it is printed.
    pub file: Arc<str>,
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
}

impl FileLocation {
    /// Where `span` begins in `file`.
    pub fn of(file: &SourceFile, span: Span) -> Self {
        let at = file.location(span.start);
        Self { file: file.name().into(), line: at.line, column: at.column }
    }
}

impl fmt::Display for FileLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Whose fault a failed step or run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The target answered, and the answer was wrong.
    Target,
    /// No usable answer: DNS, connect, TLS, transfer or deadline.
    NoAnswer,
    /// A picture differs from its baseline.
    Visual,
    /// The definition is broken: an undefined variable, a script error.
    Canary,
    /// Policy does not allow what the canary asked for.
    Policy,
    /// Our own machine: no browser, no memory, no disk.
    Runner,
}

impl Verdict {
    /// The word used in files, reports and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::NoAnswer => "no-answer",
            Self::Visual => "visual",
            Self::Canary => "canary",
            Self::Policy => "policy",
            Self::Runner => "runner",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Every step passed at the first attempt.
    Passed,
    /// Passed only after a retry.
    Flaky,
    /// A step failed.
    Failed,
    /// The run could not be judged: our side or the definition is at fault.
    Error,
    /// The run did not start: filtered out, no slot, maintenance.
    Skipped,
    /// The run was told to stop.
    Cancelled,
}

impl RunOutcome {
    /// Whether the run counts as good: passed, flaky or skipped.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Passed | Self::Flaky | Self::Skipped)
    }

    /// The word used in files, reports and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Flaky => "flaky",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a step failed, for people: one sentence and what stands behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub verdict: Verdict,
    /// One line: `status is 500, expected 200`.
    pub message: String,
    /// The assertions that did not hold, in the order of the file.
    pub assertions: Vec<FailedAssertion>,
    /// Where in the canary file.
    pub location: Option<FileLocation>,
    /// Further detail, several lines: what stood in the way, the script's trace.
    pub detail: Option<String>,
}

/// One assertion that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAssertion {
    /// What was looked at: `status`, `header content-type`, `json $.total`.
    pub subject: String,
    /// What should have been: `equals 200`.
    pub expected: String,
    /// What was.
    pub actual: String,
    /// Where in the answer: a JSON path, a line of the body.
    pub place: Option<String>,
    /// A line-by-line difference, for long texts and JSON.
    pub diff: Option<String>,
    /// Where in the canary file.
    pub location: Option<FileLocation>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "status")]
pub enum StepOutcome {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed(Failure),
    /// It was not tried, since an earlier step failed.
    Skipped,
}

impl StepOutcome {
    /// The failure, where there is one.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Passed | Self::Skipped => None,
        }
    }
}

/// What kind of file a run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// A picture of a page or element, to be compared.
    Screenshot,
    /// A picture taken because a step failed.
    FailureScreenshot,
    /// The approved picture that a screenshot was compared with.
    Baseline,
    /// The difference between the two.
    Difference,
    /// HTTP archive.
    Har,
    /// Console messages of a page.
    ConsoleLog,
    /// A response body.
    Body,
    /// Text runs and boxes of a page.
    Sidecar,
    /// How a picture was judged, and what is needed to approve it.
    ShotRecord,
}

/// One file a run left. Bytes are held until a reporter or the store has taken them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is.
    pub kind: ArtifactKind,
    /// A file name, safe on every system: `results.png`.
    pub name: String,
    /// `image/png`.
    pub media_type: &'static str,
    /// The content.
    pub bytes: bytes::Bytes,
}

/// How one screenshot compared with its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureReport {
    /// The screenshot's name in the canary file.
    pub name: String,
    /// The baseline's path, relative to the baselines folder.
    pub baseline: String,
    /// `same`, `tolerated`, `noise`, `soft`, `shift`, `changed`, `new`, `environment-changed`.
    pub verdict: String,
    /// Whether policy accepts that verdict.
    pub accepted: bool,
    /// Share of pixels that differ perceptibly, in percent.
    pub changed_percent: f64,
    /// One line for people.
    pub summary: String,
    /// Names of the artifacts: screenshot, baseline, difference.
    pub artifacts: Vec<String>,
}

/// One request that a step made, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeReport {
    /// The method, `GET`, or the protocol for others, `TCP`.
    pub method: String,
    /// The target, redacted.
    pub url: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// When it began.
    pub started: Timestamp,
    /// From start to end.
    #[serde(rename = "elapsed_ms", with = "crate::time::millis")]
    pub elapsed: Duration,
    /// Its phases.
    pub timings: Timings,
    /// Bytes received on the wire.
    pub wire_bytes: u64,
    /// The address connected to.
    pub remote: Option<String>,
    /// The certificate shown.
    pub certificate: Option<CertificateObservation>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The request as a `curl` command, redacted.
    pub curl: Option<String>,
    /// Its span of the trace, 16 hex digits: the parent that the target was told.
    pub span: Option<Arc<str>>,
    /// What an HTTP archive tells beside; not part of stored reports.
    #[serde(skip)]
    pub http: Option<Box<HttpDetail>>,
}

/// More about an HTTP exchange, without its bodies; redacted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpDetail {
    /// `HTTP/1.1`, `HTTP/2`.
    pub version: String,
    /// What was sent, names in lower case.
    pub request_headers: Vec<(String, String)>,
    /// Bytes of the body that was sent.
    pub request_bytes: u64,
    /// What came, names in lower case.
    pub response_headers: Vec<(String, String)>,
    /// Bytes of the decoded body.
    pub body_bytes: u64,
    /// Followed redirects, oldest first.
    pub redirects: Vec<RedirectHop>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// 0-based position.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands in the canary file.
    pub location: Option<FileLocation>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, by the monotonic clock.
    #[serde(rename = "elapsed_ms", with = "crate::time::millis")]
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What it sent and got.
    pub exchanges: Vec<ExchangeReport>,
    /// How its screenshots compared.
    pub pictures: Vec<PictureReport>,
    /// Web vitals and other numbers of a page, by metric name, with their unit.
    pub measures: Vec<Measure>,
}

/// A number that a step measured beside its duration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The metric's name: `LargestContentfulPaint`.
    pub name: Arc<str>,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: crate::telemetry::StandardUnit,
}

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    #[serde(rename = "elapsed_ms", with = "crate::time::millis")]
    pub elapsed: Duration,
    /// How it ended, by itself: never flaky.
    pub outcome: RunOutcome,
    /// Its steps, in order; steps that were not reached are `Skipped`.
    pub steps: Vec<StepReport>,
    /// A failure that belongs to no step: the run's deadline, a script that does not load.
    pub failure: Option<Failure>,
}

/// A log line that the canary wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// `debug`, `info`, `warn`, `error`.
    pub level: LogLevel,
    /// What, redacted.
    pub message: String,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual four levels")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// What is left of a run, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// The run.
    pub id: RunId,
    /// Its canary.
    pub canary: Arc<str>,
    /// The canary's file.
    pub file: Arc<str>,
    /// The combination of a matrix or the data row, in order; empty without one.
    pub parameters: BTreeMap<String, String>,
    /// Its trace.
    pub trace: TraceId,
    /// When it should have started; equals `started` for runs made by hand.
    pub scheduled: Timestamp,
    /// When it started: the timestamp of its metrics.
    pub started: Timestamp,
    /// How long it took, all attempts together.
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Its attempts; the last one decides.
    pub attempts: Vec<AttemptReport>,
    /// Metrics that the canary emitted itself.
    pub metrics: Vec<MetricDatum>,
    /// Log lines that the canary wrote.
    pub logs: Vec<LogLine>,
    /// Annotations for the trace.
    pub annotations: BTreeMap<String, serde_json::Value>,
    /// Files it left.
    pub artifacts: Vec<Artifact>,
}

impl RunReport {
    /// The attempt that decided.
    pub fn deciding_attempt(&self) -> Option<&AttemptReport> {
        self.attempts.last()
    }

    /// The first failure of the deciding attempt, with its step where it belongs to one.
    pub fn failure(&self) -> Option<(Option<&StepReport>, &Failure)> {
        let attempt = self.deciding_attempt()?;
        let of_step =
            attempt.steps.iter().find_map(|step| Some((Some(step), step.outcome.failure()?)));
        of_step.or_else(|| attempt.failure.as_ref().map(|failure| (None, failure)))
    }
}

//! What a canary file defines, checked and compiled. A value of these types cannot be wrong:
//! regexes, paths, templates and schedules were parsed when the file was.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::action::Action;
use super::assertion::{Assertion, CertificateField};
use super::report::Verdict;
use crate::diagnostic::{SourceFile, Span};

/// A text with templates, as written. Parsed by `canary::template`.
///
/// Plain texts hold no template and are the common case.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// As written.
    pub source: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// One canary: what a file, or one entry of it, defines.
#[derive(Clone, Debug)]
pub struct Canary {
    /// Its name: `^[0-9a-z_-]+$`, at most 255, as AWS has it.
    pub name: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// The file it was read from.
    pub source: SourceFile,
    /// The folder that relative paths and `require` start from.
    pub folder: PathBuf,
    /// When it runs by itself; `None` runs by hand only. The text was validated by
    /// `canary::schedule`.
    pub schedule: Option<ScheduleText>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether and when a failed attempt is repeated.
    pub retry: RetryPolicy,
    /// What happens when a run is due and the last one still runs.
    pub overlap: OverlapPolicy,
    /// Words to select canaries by.
    pub tags: Vec<Arc<str>>,
    /// Variables, in order; later ones may use earlier ones.
    pub variables: Vec<(Arc<str>, Operandable)>,
    /// Names of the secrets it may use.
    pub secrets: Vec<SecretDeclaration>,
    /// Combinations: one run for each.
    pub matrix: BTreeMap<Arc<str>, Vec<Value>>,
    /// Whether connections may be reused inside a run.
    pub connections: ConnectionReuse,
    /// What it does.
    pub body: CanaryBody,
    /// Its alarms.
    pub alarms: Vec<AlarmDeclaration>,
}

/// A variable's value: a literal, or a text with templates.
#[derive(Clone, Debug)]
pub enum Operandable {
    /// Rendered when the run starts.
    Text(Text),
    /// As it is.
    Value(Value),
}

/// A schedule expression that parses, with where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleText {
    /// `rate(1 minute)`, `cron(0/5 8-18 ? * MON-FRI *)`.
    pub expression: Arc<str>,
    /// IANA name; `UTC` unless given.
    pub timezone: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// Whether and when a failed attempt is repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Wait before the next attempt.
    pub delay: Duration,
    /// Only failures of these kinds are repeated; empty means target, no-answer and visual.
    pub on: Vec<Verdict>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 1, delay: Duration::ZERO, on: Vec::new() }
    }
}

/// What happens when a run is due and the last one still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverlapPolicy {
    /// The due run is recorded as skipped.
    #[default]
    Skip,
    /// One due run waits; further ones are skipped.
    Queue,
    /// The running one is cancelled.
    Cancel,
    /// Up to this many run side by side.
    Allow(u32),
}

/// Whether connections may be reused inside a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionReuse {
    /// Each request connects anew, as a new visitor does.
    #[default]
    Fresh,
    /// Requests of a run share connections.
    Keep,
}

/// A secret that a canary may use, and where it may be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretDeclaration {
    /// Its name, an environment variable unless configured otherwise.
    pub name: Arc<str>,
    /// Hosts it may be sent to; empty means any.
    pub hosts: Vec<Arc<str>>,
    /// Where it stands.
    pub span: Span,
}

/// What a canary does.
#[derive(Clone, Debug)]
pub enum CanaryBody {
    /// A list of steps.
    Steps(Vec<Step>),
    /// A Luau script, compiled when the run starts. Its text is the canary's source file.
    Script,
}

/// One timed, named action.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, unique in the canary.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// How long it may take; never past the run's own deadline.
    pub timeout: Option<Duration>,
    /// When it runs although an earlier step failed.
    pub role: StepRole,
    /// What it does.
    pub action: Action,
    /// What must hold of the answer.
    pub expect: Vec<Assertion>,
    /// What is kept from the answer for later steps.
    pub capture: Vec<Capture>,
    /// Metrics, log lines and annotations it emits when it passed.
    pub emit: Emit,
}

/// When a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepRole {
    /// Only when every step before it passed.
    #[default]
    Ordinary,
    /// Always: `always: true`, for cleaning up.
    Teardown,
}

/// Something kept from an answer for later steps.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The variable.
    pub name: Arc<str>,
    /// Where it is taken from.
    pub from: CaptureSource,
    /// It is a secret from now on.
    pub secret: bool,
    /// Where it stands.
    pub span: Span,
}

/// Where a capture is taken from.
#[derive(Clone, Debug)]
pub enum CaptureSource {
    /// The node a JSON path selects; several become a list.
    Json(JsonPath),
    /// The text an XPath selects.
    XPath(Arc<str>),
    /// The text, or an attribute, of what a CSS selector selects.
    Css {
        /// The selector.
        selector: Arc<str>,
        /// The attribute, instead of the text.
        attribute: Option<Arc<str>>,
    },
    /// The first group of a regex over the body, or the whole match without groups.
    Regex(regex::Regex),
    /// A response header.
    Header(Arc<str>),
    /// A cookie set by the response.
    Cookie(Arc<str>),
    /// A field of the certificate.
    Certificate(CertificateField),
    /// The status code.
    Status,
    /// The whole body.
    Body,
    /// The URL that answered.
    Url,
}

/// What a step emits of its own.
#[derive(Clone, Debug, Default)]
pub struct Emit {
    /// Metrics: name, value and unit.
    pub metrics: Vec<EmitMetric>,
    /// Log lines.
    pub logs: Vec<Text>,
    /// Annotations of the trace.
    pub annotations: Vec<(Arc<str>, Text)>,
}

/// A metric that a step emits.
#[derive(Clone, Debug)]
pub struct EmitMetric {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, a number once rendered.
    pub value: Text,
    /// Its unit.
    pub unit: crate::telemetry::StandardUnit,
}

/// An alarm on the canary's own metrics. The condition was validated by `alarm::condition`'s
/// grammar when the file was loaded by someone who may use both rules.
#[derive(Clone, Debug)]
pub struct AlarmDeclaration {
    /// Its name; `Synthetics-Alarm-<canary>-<n>` unless given.
    pub name: Option<Arc<str>>,
    /// `SuccessPercent < 100 for 2 of 3 periods of 1m`.
    pub when: Text,
    /// How periods without data count.
    pub missing: MissingData,
    /// Names of notification channels.
    pub notify: Vec<Arc<str>>,
}

/// How periods without data count, as CloudWatch's `TreatMissingData`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "CloudWatch's own words")]
pub enum MissingData {
    #[default]
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

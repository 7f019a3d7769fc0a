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
use super::report::{FileLocation, Verdict};
use super::schedule::Schedule;
use super::template::{TemplateValue, Text};
use super::xpath::XPath;
use crate::diagnostic::{SourceFile, Span};
use crate::time::Timestamp;

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
    /// When it runs by itself; `None` runs by hand only.
    pub schedule: Option<Schedule>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether and when a failed attempt is repeated.
    pub retry: RetryPolicy,
    /// What happens when a run is due and the last one still runs.
    pub overlap: OverlapPolicy,
    /// Words to select canaries by.
    pub tags: Vec<Arc<str>>,
    /// Variables, in order; later ones may use earlier ones.
    pub variables: Vec<Variable>,
    /// Names of the secrets it may use.
    pub secrets: Vec<SecretDeclaration>,
    /// One run for each: the combinations of the matrix, or the rows of a file. Never empty; a
    /// canary without either has one empty combination.
    pub combinations: Vec<Combination>,
    /// Whether connections may be reused inside a run.
    pub connections: ConnectionReuse,
    /// What its browser pretends to be.
    pub browser: BrowserSettings,
    /// What it does.
    pub body: CanaryBody,
    /// Its alarms.
    pub alarms: Vec<AlarmDeclaration>,
    /// What it means when none of its runs is recorded.
    pub silence: Silence,
    /// Windows in which no run starts.
    pub maintenance: Vec<MaintenanceWindow>,
}

/// What it means when none of a canary's runs is recorded for three periods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// The watch itself is broken: an alarm.
    #[default]
    Alarm,
    /// Nothing.
    Ignore,
}

/// A window in which no run of a canary starts and its alarms rest.
#[derive(Clone, Debug)]
pub struct MaintenanceWindow {
    /// When it opens.
    pub starts: Schedule,
    /// How long it is open.
    pub lasts: Duration,
}

impl MaintenanceWindow {
    /// When the last window that opened until `at` closes, or closed.
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        self.starts.last_until(at, Duration::ZERO).map(|opened| opened.plus(self.lasts))
    }
}

/// Parameters of one run: the values of a matrix's keys, or the columns of a row.
pub type Combination = BTreeMap<Arc<str>, Value>;

/// A variable of a canary.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, rendered when the run starts. `null` means that the caller has to give one; any
    /// other literal also says of which type a given one is.
    pub value: TemplateValue,
    /// Where its name stands.
    pub span: Span,
}

/// What the browser of a canary pretends to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrowserSettings {
    /// Width of the viewport, in CSS pixels.
    pub width: u32,
    /// Height of the viewport, in CSS pixels.
    pub height: u32,
    /// Device pixels a CSS pixel.
    pub scale: f64,
    /// Language and region, `en-US`.
    pub locale: Arc<str>,
    /// IANA name of the time zone that pages see.
    pub timezone: Arc<str>,
    /// Whether pages that ask are told that dark is preferred.
    pub colour_scheme: ColourScheme,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            scale: 1.0,
            locale: "en-US".into(),
            timezone: "UTC".into(),
            colour_scheme: ColourScheme::Light,
        }
    }
}

/// What `prefers-color-scheme` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the two schemes")]
pub enum ColourScheme {
    #[default]
    Light,
    Dark,
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
    /// The file it stands in: the canary's own, or one that it uses. All spans of the step count
    /// in it.
    pub source: SourceFile,
    /// Where it stands.
    pub span: Span,
    /// How long it may take, all tries together; never past the run's own deadline.
    pub timeout: Option<Duration>,
    /// Whether and when the step alone is tried again; each try does the action anew.
    pub retry: RetryPolicy,
    /// For how long other runs take over what it captured instead of doing it again.
    pub reuse: Option<Duration>,
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

impl Step {
    /// The line and column of `span` in the step's file.
    pub fn locate(&self, span: Span) -> FileLocation {
        FileLocation::of(&self.source, span)
    }
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
    /// The text, or an attribute, of what a CSS selector selects.
    Css {
        /// The selector.
        selector: Arc<str>,
        /// The attribute, instead of the text.
        attribute: Option<Arc<str>>,
    },
    /// What an XPath yields; several nodes become a list.
    XPath(XPath),
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
    pub when: Arc<str>,
    /// Where the condition's text stands.
    pub span: Span,
    /// How periods without data count.
    pub missing: MissingData,
    /// Names of notification channels.
    pub notify: Vec<Arc<str>>,
    /// The least time between two messages.
    pub dwell: Option<Duration>,
    /// The time between two reminders.
    pub remind: Option<Duration>,
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

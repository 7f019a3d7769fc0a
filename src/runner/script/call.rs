//! What a script asks of the run it is part of, and what it gets: plain values, so that the two may
//! live in different processes.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::failure::ScriptError;
use crate::canary::assertion::Answers;
use crate::canary::observation::{Answer, HttpAnswer, Observation, Phase};
use crate::canary::report::{Failure, LogLevel};

/// What the run gives for a request.
pub(super) type Answered = Result<Reply, ScriptError>;

/// What is done at once. A script may ask for it wherever it is, where it must not wait, too.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    Log { level: LogLevel, text: String },
    Metric { name: String, number: f64, unit: Option<String> },
    Annotate { key: String, note: Value },
    Secret { name: String },
}

/// What a script asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Note(Note),
    Environment {
        name: String,
    },
    Module {
        path: String,
    },
    Begin(StepStart),
    End {
        failure: Option<Box<Failure>>,
    },
    Probe(Call),
    Page(Call),
    /// A page action that leaves a value.
    Look(Call),
    Sleep {
        duration: Duration,
    },
}

/// A step that begins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepStart {
    pub(super) name: String,
    pub(super) timeout: Option<Duration>,
    pub(super) always: bool,
    /// Of the script.
    pub(super) line: Option<usize>,
}

/// What would stand at a key of a step of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) key: String,
    pub(super) what: Value,
    /// Of the script.
    pub(super) line: Option<usize>,
}

/// What the run gives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Done,
    Text(String),
    /// There is no such variable.
    Unset,
    Value(Value),
    /// A module's text, or why there is none.
    Module(Result<String, String>),
    /// How long a step that begins has, or the script after a step that ended; none when the step
    /// is skipped.
    Time(Option<Duration>),
    Answer(Box<ScriptAnswer>),
}

/// An answer as a script sees it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ScriptAnswer {
    pub(super) fields: Map<String, Value>,
    pub(super) body: Option<Octets>,
    pub(super) received: Option<Vec<Octets>>,
    /// Whether it has a body that may be JSON, and headers.
    pub(super) is_http: bool,
}

/// Bytes, which JSON writes in base64.
#[derive(Clone, Debug)]
pub(super) struct Octets(pub(super) Bytes);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

impl ScriptAnswer {
    pub(super) fn of(seen: &Observation) -> Self {
        let mut answer = Self::default();
        let timings = Phase::ALL
            .into_iter()
            .filter_map(|phase| Some((phase.as_str(), millis(seen.timings.phase(phase)?))))
            .chain([("total", millis(seen.elapsed))]);
        answer.set("timings", json!(timings.collect::<BTreeMap<_, _>>()));
        if let Some(remote) = seen.remote {
            answer.set("remote", remote.to_string().into());
        }
        if let Some(certificate) = &seen.certificate {
            let left = certificate.not_after.millis_since(seen.started);
            let shown = json!({
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "names": certificate.names,
                "serial": certificate.serial,
                "sha256": certificate.sha256,
                "trusted": certificate.distrust.is_none(),
                "expires": certificate.not_after.to_rfc3339(),
                "days_left": left.div_euclid(86_400_000),
            });
            answer.set("certificate", shown);
        }
        answer.add(seen);
        answer
    }

    fn add(&mut self, seen: &Observation) {
        match &seen.answer {
            Answer::Http(http) => self.add_http(http),
            Answer::Dialogue { received } => {
                self.received =
                    Some(received.iter().map(|part| Octets(Bytes::clone(part))).collect());
                let text = Answers::of(seen).text().to_owned();
                self.body = Some(Octets(text.into()));
            }
            Answer::Dns(dns) => {
                let records: Vec<&str> =
                    dns.records.iter().map(|(record, _)| record.as_str()).collect();
                self.set("records", json!(records));
                self.set("response_code", dns.response_code.as_str().into());
                self.set("authoritative", dns.authoritative.into());
            }
            Answer::Tls { protocol, cipher, alpn } => {
                self.set("version", protocol.as_str().into());
                self.set("cipher", cipher.as_str().into());
                if let Some(alpn) = alpn {
                    self.set("alpn", alpn.as_str().into());
                }
            }
            Answer::Icmp { sent, round_trips } => {
                self.set("sent", (*sent).into());
                let trips: Vec<f64> = round_trips.iter().copied().map(millis).collect();
                self.set("round_trips", json!(trips));
            }
            Answer::Grpc { status, message, .. } => {
                self.set("status", (*status).into());
                self.set("message", message.as_str().into());
            }
        }
    }

    fn add_http(&mut self, http: &HttpAnswer) {
        self.is_http = true;
        self.set("status", http.status.into());
        self.set("url", http.url.as_str().into());
        self.set("version", http.version.as_str().into());
        self.set("redirects", http.redirects.len().into());
        let mut headers: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &http.headers {
            headers
                .entry(name)
                .and_modify(|before| *before = format!("{before}, {value}"))
                .or_insert_with(|| value.clone());
        }
        self.set("headers", json!(headers));
        self.body = Some(Octets(http.body.clone()));
    }

    fn set(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

//! What a probe saw. Observing and judging are two things: nothing here says right or wrong.

use core::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The stretches that an exchange is timed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Name to addresses.
    Resolve,
    /// Address to a transport connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The request leaves.
    Send,
    /// From the last byte sent to the first byte of the answer.
    Wait,
    /// The answer arrives.
    Receive,
}

impl Phase {
    /// In the order they happen.
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Send, Self::Wait, Self::Receive];

    /// The phase's name in files, reports and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Receive => "receive",
        }
    }
}

/// How long each phase took; absent where it did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// See [`Phase::Resolve`].
    #[serde(rename = "resolve_ms", with = "crate::time::millis::optional", default)]
    pub resolve: Option<Duration>,
    /// See [`Phase::Connect`].
    #[serde(rename = "connect_ms", with = "crate::time::millis::optional", default)]
    pub connect: Option<Duration>,
    /// See [`Phase::Tls`].
    #[serde(rename = "tls_ms", with = "crate::time::millis::optional", default)]
    pub tls: Option<Duration>,
    /// See [`Phase::Send`].
    #[serde(rename = "send_ms", with = "crate::time::millis::optional", default)]
    pub send: Option<Duration>,
    /// See [`Phase::Wait`].
    #[serde(rename = "wait_ms", with = "crate::time::millis::optional", default)]
    pub wait: Option<Duration>,
    /// See [`Phase::Receive`].
    #[serde(rename = "receive_ms", with = "crate::time::millis::optional", default)]
    pub receive: Option<Duration>,
}

impl Timings {
    /// The time of one phase.
    pub const fn phase(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Resolve => self.resolve,
            Phase::Connect => self.connect,
            Phase::Tls => self.tls,
            Phase::Send => self.send,
            Phase::Wait => self.wait,
            Phase::Receive => self.receive,
        }
    }

    /// Notes the time of one phase.
    pub const fn set(&mut self, phase: Phase, took: Duration) {
        let slot = match phase {
            Phase::Resolve => &mut self.resolve,
            Phase::Connect => &mut self.connect,
            Phase::Tls => &mut self.tls,
            Phase::Send => &mut self.send,
            Phase::Wait => &mut self.wait,
            Phase::Receive => &mut self.receive,
        };
        *slot = Some(took);
    }

    /// All phases together.
    pub fn total(&self) -> Duration {
        Phase::ALL.iter().filter_map(|phase| self.phase(*phase)).sum()
    }
}

/// What one probe saw of its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When the exchange began.
    pub started: Timestamp,
    /// Its phases; of the last hop, when redirects were followed.
    pub timings: Timings,
    /// From the first byte of work to the last, all hops together.
    pub elapsed: Duration,
    /// The address connected to.
    pub remote: Option<SocketAddr>,
    /// The certificate shown by the target, where TLS was spoken.
    pub certificate: Option<CertificateObservation>,
    /// What the protocol answered.
    pub answer: Answer,
}

/// What came back, by protocol. Each probe file adds its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An HTTP response.
    Http(HttpAnswer),
    /// A TLS handshake and nothing more; the certificate says it all.
    Tls {
        /// `TLSv1.3`.
        protocol: String,
        /// The agreed cipher suite.
        cipher: String,
        /// What ALPN chose.
        alpn: Option<String>,
    },
    /// Lines received in a TCP or WebSocket dialogue, in order.
    Dialogue {
        /// One entry an answer.
        received: Vec<Bytes>,
    },
    /// Answers of a resolver.
    Dns(DnsAnswer),
    /// Echo replies.
    Icmp {
        /// How many requests were sent.
        sent: u32,
        /// Round trips of the replies.
        round_trips: Vec<Duration>,
    },
    /// A gRPC answer.
    Grpc {
        /// The status code, 0 for OK.
        status: i32,
        /// The status message.
        message: String,
        /// The answer as JSON, where it was decoded.
        body: Option<serde_json::Value>,
    },
}

/// One HTTP response, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAnswer {
    /// The method of the request that was answered.
    pub method: String,
    /// The URL that answered, after redirects.
    pub url: String,
    /// `HTTP/1.1`, `HTTP/2`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// Response headers, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded body.
    pub body: Bytes,
    /// Bytes of the body on the wire.
    pub wire_bytes: u64,
    /// Followed redirects, oldest first.
    pub redirects: Vec<RedirectHop>,
    /// What was sent, for reports; secrets are redacted by whoever shows it.
    pub request: HttpSent,
}

/// One followed redirect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectHop {
    /// The URL that redirected.
    pub url: String,
    /// Its status code.
    pub status: u16,
    /// Its `Location`.
    pub location: String,
    /// How long the hop took.
    #[serde(rename = "elapsed_ms", with = "crate::time::millis")]
    pub elapsed: Duration,
}

/// The request as it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSent {
    /// Request headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// The answers of a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// `NOERROR`, `NXDOMAIN`.
    pub response_code: String,
    /// Records in presentation form, with their time to live in seconds.
    pub records: Vec<(String, u32)>,
    /// The AA bit.
    pub authoritative: bool,
    /// Who answered.
    pub resolver: Option<SocketAddr>,
}

/// The leaf certificate that a target showed, and how its chain was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateObservation {
    /// Subject, in RFC 4514 form.
    pub subject: String,
    /// Issuer, in RFC 4514 form.
    pub issuer: String,
    /// Names it is good for.
    pub names: Vec<String>,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the DER form, hex.
    pub sha256: String,
    /// Why the chain or a name was not trusted; absent when all is well.
    pub distrust: Option<String>,
}

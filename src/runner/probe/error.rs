use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::canary::observation::Phase;
use crate::runner::policy::PolicyError;

/// Why a probe got no usable answer, and how far it came.
///
/// The text is for a person who was paged. It names host and port at most: no path, no query, no
/// header ever stands in it.
#[derive(Debug, Error)]
#[error("{kind}")]
pub struct ProbeError {
    /// What was under way.
    pub phase: Phase,
    /// What went wrong.
    #[source]
    pub kind: ProbeErrorKind,
}

/// What went wrong with a probe.
#[derive(Debug, Error)]
pub enum ProbeErrorKind {
    /// A deadline passed.
    #[error("{}", timeout_text(*.phase, .place, *.after))]
    Timeout {
        /// What was under way.
        phase: Phase,
        /// Host and port, or the address that was tried.
        place: String,
        /// How long that phase had taken.
        after: Duration,
    },
    /// The name has no address.
    #[error("cannot resolve `{host}`: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// No connection came about.
    #[error("cannot connect to {place}: {}", io_text(.source))]
    Connect {
        /// The address that was tried last.
        place: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// No TLS session came about.
    #[error("TLS with {place} failed: {fault}")]
    Tls {
        /// Host and port.
        place: String,
        /// What was wrong.
        fault: TlsFault,
    },
    /// The connection stood, but no complete and well-formed answer came.
    #[error("{place} {fault}")]
    Transfer {
        /// Host and port.
        place: String,
        /// What was wrong.
        fault: TransferFault,
    },
    /// A redirect could not be followed.
    #[error(transparent)]
    Redirect(RedirectFault),
    /// Policy does not allow it.
    #[error("blocked by policy: {0}")]
    Policy(#[source] PolicyError),
}

/// Why no TLS session came about.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate is not trusted.
    #[error("{reason}")]
    Certificate {
        /// In words: what is wrong with it.
        reason: String,
    },
    /// What answered does not speak TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server refused the handshake.
    #[error("the server refused the handshake: {alert}")]
    Alert {
        /// The alert's name.
        alert: String,
    },
    /// The connection ended during the handshake.
    #[error("the server closed the connection during the handshake")]
    Closed,
    /// The host name cannot stand in a certificate.
    #[error("`{name}` is no name that a certificate can hold")]
    BadName {
        /// The name.
        name: String,
    },
    /// Anything else, in the library's words.
    #[error("{reason}")]
    Other {
        /// The library's words.
        reason: String,
    },
}

/// Why a transfer over a standing connection failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransferFault {
    /// It ended before an answer began.
    #[error("closed the connection without an answer")]
    ClosedEarly,
    /// It was answered with a refusal of the protocol.
    #[error("refused {reason}")]
    Refused {
        /// What was refused, and how.
        reason: String,
    },
    /// It was reset.
    #[error("reset the connection")]
    Reset,
    /// It ended inside the answer.
    #[error(
        "closed the connection in the middle of the answer, after {received} bytes of the body"
    )]
    Truncated {
        /// Bytes of the body that came.
        received: u64,
    },
    /// The answer does not follow the protocol.
    #[error("did not answer in {protocol}{}", beginning_text(.beginning))]
    Malformed {
        /// What was expected: `HTTP`.
        protocol: &'static str,
        /// The first printable bytes that came.
        beginning: String,
    },
    /// The header is longer than any sound answer's.
    #[error("sent more than {bytes_max} bytes or {fields_max} fields of header")]
    HeaderTooLarge {
        /// Bytes allowed.
        bytes_max: usize,
        /// Fields allowed.
        fields_max: usize,
    },
    /// The body is longer than allowed.
    #[error("sent a body of more than {bytes_max} bytes{}", decoded_text(*.decoded))]
    BodyTooLarge {
        /// Bytes allowed.
        bytes_max: u64,
        /// Whether the decoded or the sent length was too much.
        decoded: bool,
    },
    /// The body does not decode.
    #[error("sent a body that is not valid {encoding}")]
    Undecodable {
        /// The content encoding.
        encoding: String,
    },
    /// The connection failed in another way.
    #[error("cut the connection: {reason}")]
    Broken {
        /// The system's or the protocol library's words.
        reason: String,
    },
}

/// Why a redirect could not be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RedirectFault {
    /// There were more than allowed.
    #[error("gave up after {limit} redirects{}", loop_text(*.is_loop))]
    TooMany {
        /// How many are allowed.
        limit: u32,
        /// Whether the last one leads to a URL that was visited before.
        is_loop: bool,
    },
    /// The `Location` is missing or no URL.
    #[error("redirected with status {status} to no valid URL")]
    BadLocation {
        /// The status code.
        status: u16,
    },
}

impl ProbeError {
    /// An error of a phase.
    pub const fn new(phase: Phase, kind: ProbeErrorKind) -> Self {
        Self { phase, kind }
    }

    /// A fault of a transfer.
    pub fn transfer(phase: Phase, place: &str, fault: TransferFault) -> Self {
        Self::new(phase, ProbeErrorKind::Transfer { place: place.to_owned(), fault })
    }

    /// Whether policy, not the network, is the reason.
    pub const fn is_policy(&self) -> bool {
        matches!(self.kind, ProbeErrorKind::Policy(_))
    }

    /// Whether this machine does not let us try.
    pub fn is_not_permitted(&self) -> bool {
        matches!(&self.kind, ProbeErrorKind::Connect { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether a deadline passed.
    pub const fn is_timeout(&self) -> bool {
        matches!(self.kind, ProbeErrorKind::Timeout { .. })
    }

    /// A stable word for the class of the error, for metrics and tests.
    pub const fn class(&self) -> &'static str {
        match &self.kind {
            ProbeErrorKind::Timeout { .. } => "timeout",
            ProbeErrorKind::Resolve { .. } => "resolve",
            ProbeErrorKind::Connect { .. } => "connect",
            ProbeErrorKind::Tls { .. } => "tls",
            ProbeErrorKind::Transfer { .. } => "transfer",
            ProbeErrorKind::Redirect(_) => "redirect",
            ProbeErrorKind::Policy(_) => "policy",
        }
    }
}

/// What a failed read or write means for the target.
pub(super) fn io_fault(error: &io::Error, received: u64) -> TransferFault {
    match error.kind() {
        io::ErrorKind::ConnectionReset => TransferFault::Reset,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe if received == 0 => {
            TransferFault::ClosedEarly
        }
        io::ErrorKind::UnexpectedEof => TransferFault::Truncated { received },
        _ => TransferFault::Broken { reason: error.to_string() },
    }
}

fn timeout_text(phase: Phase, place: &str, after: Duration) -> String {
    let after = duration_text(after);
    match phase {
        Phase::Resolve => format!("`{place}` was not resolved within {after}"),
        Phase::Connect => format!("no connection to {place} within {after}"),
        Phase::Tls => format!("TLS handshake with {place} not finished within {after}"),
        Phase::Send => format!("{place} did not take the request within {after}"),
        Phase::Wait => format!("no answer from {place} within {after}"),
        Phase::Receive => format!("answer of {place} not complete within {after}"),
    }
}

/// A duration to three digits: `250 ms`, `1.5 s`.
pub(crate) fn duration_text(duration: Duration) -> String {
    if duration >= Duration::from_secs(1) {
        let text = format!("{:.2}", duration.as_secs_f64());
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted on this machine".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

const fn decoded_text(is_decoded: bool) -> &'static str {
    if is_decoded { " when decoded" } else { "" }
}

const fn loop_text(is_loop: bool) -> &'static str {
    if is_loop { ": they go round in a circle" } else { "" }
}

fn beginning_text(beginning: &str) -> String {
    if beginning.is_empty() { String::new() } else { format!(", but began with `{beginning}`") }
}

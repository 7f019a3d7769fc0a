use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// How one attempt to deliver went.
#[derive(Debug)]
pub enum DeliveryOutcome {
    /// The receiver has it.
    Delivered,
    /// It may have it or not; try again, with the same key.
    Retry {
        /// Not before this long, when the receiver said so.
        after: Option<Duration>,
        /// What went wrong.
        fault: DeliveryFault,
    },
    /// The receiver will never take it.
    Rejected {
        /// What it said.
        fault: DeliveryFault,
    },
}

impl DeliveryOutcome {
    pub(super) const fn retry(fault: DeliveryFault) -> Self {
        Self::Retry { after: None, fault }
    }

    /// What went wrong, where something did.
    pub const fn fault(&self) -> Option<&DeliveryFault> {
        match self {
            Self::Delivered => None,
            Self::Retry { fault, .. } | Self::Rejected { fault } => Some(fault),
        }
    }
}

/// Why a notification was not delivered.
#[derive(Debug, Error)]
pub enum DeliveryFault {
    /// No channel has that name any more.
    #[error("no channel is called {channel}")]
    UnknownChannel {
        /// The name.
        channel: String,
    },
    /// The bus, which carries topics and functions, did not take it.
    #[error("{receiver} did not take it: {why}")]
    NotTaken {
        /// The topic or function.
        receiver: String,
        /// What the bus said.
        why: String,
    },
    /// The receiver answered, and not with success.
    #[error("the receiver answered {status}: {}", said(.body))]
    Answered {
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        body: String,
    },
    /// No answer came in time.
    #[error("no answer within {} ms", .timeout.as_millis())]
    Late {
        /// How long was waited.
        timeout: Duration,
    },
    /// The connection failed.
    #[error("cannot reach the receiver")]
    Connection {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The program could not be started or spoken to.
    #[error("cannot run {}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program ended, and not with success.
    #[error("the command ended with {status}: {}", said(.stderr))]
    Ended {
        /// `exit status: 3`, `signal: 9`.
        status: std::process::ExitStatus,
        /// The end of what it said.
        stderr: String,
    },
    /// The mail server refused or could not be reached.
    #[error("cannot send mail")]
    Mail {
        /// Why.
        #[source]
        source: lettre::transport::smtp::Error,
    },
    /// The mail could not be put together.
    #[error("cannot write the mail")]
    MailForm {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DeliveryFault {
    /// The fault and its causes in one line.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// The first line of what a receiver said, or that it said nothing.
fn said(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(nothing said)")
}

use std::time::Duration;

use thiserror::Error;

use crate::canary::report::Verdict;
use crate::runner::browser::protocol::WebDriverError;

/// Why an action could not do what it should. Not an error of ours but what the step reports,
/// except where [`PageFault::verdict`] says `runner`.
#[derive(Debug, Error)]
pub enum PageFault {
    /// The element never came to a state in which it can be acted on.
    #[error("waited {} for {locator} to be {wanted}, but {obstacle}", seconds(.waited))]
    Obstructed {
        /// The element, as written.
        locator: String,
        /// `visible, enabled and still`.
        wanted: String,
        /// What stood in the way at the last look.
        obstacle: String,
        /// The element as it was seen at the last look.
        seen: Option<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// Several elements match where one is meant.
    #[error("{locator} matches {total} elements; make it match one, or say which with `nth`")]
    Ambiguous {
        /// The locator, as written.
        locator: String,
        /// How many match.
        total: u64,
        /// The first few of them.
        matches: Vec<String>,
    },
    /// The locator is none: a selector that does not parse.
    #[error("{locator} cannot be looked for: {reason}")]
    BadLocator {
        /// The locator, as written.
        locator: String,
        /// What the browser says.
        reason: String,
    },
    /// The browser could not load a URL.
    #[error("cannot load {url}: {reason}")]
    Unreachable {
        /// The URL.
        url: String,
        /// `net::ERR_CONNECTION_REFUSED`.
        reason: String,
    },
    /// The page did not finish loading.
    #[error("{url} did not finish loading within {}", seconds(.waited))]
    StillLoading {
        /// The URL.
        url: String,
        /// Requests that had no answer.
        unanswered: Vec<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// A condition on the page as a whole was not met.
    #[error("waited {} for {condition}, but {seen}", seconds(.waited))]
    Unmet {
        /// `the title to contain "lamp"`.
        condition: String,
        /// What was seen at the last look.
        seen: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The action and the element do not fit: a `select` without that option, a key of no name.
    #[error("{problem}")]
    Unfit {
        /// What is wrong.
        problem: String,
        /// Whose fault it is.
        verdict: Verdict,
    },
    /// A script of the canary threw.
    #[error("the script failed: {message}")]
    Script {
        /// What it threw.
        message: String,
    },
    /// The page gives no answer any more: its scripts do not end, or it crashed.
    #[error("the page does not answer ({})", source.command())]
    Unresponsive {
        /// What was asked.
        source: WebDriverError,
    },
    /// The driver or the connection to it failed.
    #[error("the browser was lost")]
    Lost {
        /// How.
        source: WebDriverError,
    },
}

impl PageFault {
    /// Whose fault it is.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Obstructed { .. } | Self::Ambiguous { .. } | Self::Unmet { .. } => {
                Verdict::Target
            }
            Self::BadLocator { .. } | Self::Script { .. } => Verdict::Canary,
            Self::Unreachable { .. } | Self::StillLoading { .. } | Self::Unresponsive { .. } => {
                Verdict::NoAnswer
            }
            Self::Unfit { verdict, .. } => *verdict,
            Self::Lost { .. } => Verdict::Runner,
        }
    }

    /// What stands behind the message, several lines, for people.
    pub fn detail(&self) -> Option<String> {
        let list = |title: &str, lines: &[String]| {
            (!lines.is_empty()).then(|| format!("{title}\n  {}", lines.join("\n  ")))
        };
        match self {
            Self::Obstructed { seen, .. } => seen.as_ref().map(|seen| format!("seen: {seen}")),
            Self::Ambiguous { matches, .. } => list("matches:", matches),
            Self::StillLoading { unanswered, .. } => list("no answer yet from:", unanswered),
            Self::Unresponsive { source } | Self::Lost { source } => Some(source.to_string()),
            Self::BadLocator { .. }
            | Self::Unreachable { .. }
            | Self::Unmet { .. }
            | Self::Unfit { .. }
            | Self::Script { .. } => None,
        }
    }

    pub(in crate::runner::browser) fn unfit(problem: impl Into<String>, verdict: Verdict) -> Self {
        Self::Unfit { problem: problem.into(), verdict }
    }
}

fn seconds(waited: &Duration) -> String {
    format!("{:.1} s", waited.as_secs_f64())
}

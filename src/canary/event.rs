//! What happens during a run, as one ordered stream. Reporters and the store observe it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::{Failure, LogLine, RunId, RunOutcome, StepReport};
use crate::time::Timestamp;

/// One thing that happened during a run. Sequence numbers start at 0 and have no gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// Its position in the run.
    pub sequence: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: RunEventKind,
}

/// The kinds of things that happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum RunEventKind {
    /// The run began. Scripts do not know how many steps there will be.
    RunStarted {
        /// The canary.
        canary: Arc<str>,
        /// Its file.
        file: Arc<str>,
        /// The combination of a matrix or the data row.
        parameters: BTreeMap<String, String>,
        /// How many steps are planned.
        steps: Option<usize>,
    },
    /// A step began.
    StepStarted {
        /// 0-based position.
        index: usize,
        /// Its name.
        name: Arc<str>,
    },
    /// A step ended.
    StepFinished(Box<StepReport>),
    /// The canary wrote a line.
    Logged(LogLine),
    /// An attempt failed and another follows.
    AttemptFailed {
        /// 1 for the first.
        attempt: u32,
        /// Why.
        failure: Option<Box<Failure>>,
        /// When the next one starts.
        #[serde(rename = "retry_in_ms", with = "crate::time::millis")]
        retry_in: Duration,
    },
    /// The run ended.
    RunFinished {
        /// How.
        outcome: RunOutcome,
        /// How long it took.
        #[serde(rename = "elapsed_ms", with = "crate::time::millis")]
        elapsed: Duration,
        /// How many attempts were made.
        attempts: u32,
    },
}

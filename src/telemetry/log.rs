use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line of a log stream.
///
/// Source: CloudWatch Logs API Reference, `InputLogEvent`; the store adds the ingestion time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// When it happened, as its sender says.
    pub timestamp: Timestamp,
    /// The text, byte for byte.
    pub message: String,
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alarm::AlarmType;
use crate::notify::Notification;
use crate::store::SortKey;

/// A notification that is still to be delivered to one channel, or was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The channel.
    pub channel: Arc<str>,
    /// The action it carries out: an ARN.
    pub resource: Arc<str>,
    /// The alarm's kind.
    pub alarm_type: AlarmType,
    /// The number of the transition it tells of.
    pub sequence: u64,
    /// What is sent.
    pub notification: Notification,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How the last one failed.
    pub last_fault: Option<String>,
}

impl OutboxRow {
    /// Names the row in its scope; names sort by time, then by transition.
    pub(in crate::monitor) fn name(&self) -> String {
        let (alarm, channel) = (&self.notification.alarm, &self.channel);
        let suffix = format_args!("{:012}-{alarm}-{channel}", self.sequence);
        SortKey::at(self.notification.at, suffix).as_str().to_owned()
    }
}

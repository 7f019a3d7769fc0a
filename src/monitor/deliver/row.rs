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
    /// What a topic or a function of the bus is told; none for a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<ActionText>,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How the last one failed.
    pub last_fault: Option<String>,
}

/// What the bus is given of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionText {
    /// A message to a topic.
    Topic {
        /// What stands above it in mails.
        subject: String,
        /// A JSON text, in the shape of SNS messages of alarms.
        message: String,
    },
    /// A call of a function.
    Function {
        /// A JSON text, in the shape of alarms' Lambda events.
        event: String,
    },
}

impl ActionText {
    /// What alarm histories call the published message.
    ///
    /// Source: recorded history items: an object with a text for each protocol.
    pub(super) fn published(&self) -> Option<String> {
        match self {
            Self::Topic { subject, message } => {
                Some(serde_json::json!({"default": message, "sms": subject}).to_string())
            }
            Self::Function { .. } => None,
        }
    }
}

impl OutboxRow {
    /// Names the row in its scope; names sort by time, then by transition.
    pub(in crate::monitor) fn name(&self) -> String {
        let (alarm, channel) = (&self.notification.alarm, &self.channel);
        let suffix = format_args!("{:012}-{alarm}-{channel}", self.sequence);
        SortKey::at(self.notification.at, suffix).as_str().to_owned()
    }
}

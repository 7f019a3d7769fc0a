use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bus::rule::{RetrySettings, Target};
use crate::bus::topic::SubscriptionReceiver;
use crate::time::Timestamp;

/// What is owed to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bus) struct Delivery {
    /// Names it in its scope; names sort by time.
    pub(in crate::bus) id: Arc<str>,
    /// When the event or message came.
    pub(in crate::bus) came: Timestamp,
    /// What is sent.
    pub(in crate::bus) payload: Arc<str>,
    /// The event itself, where another text is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::bus) event: Option<Arc<str>>,
    /// Who receives.
    pub(in crate::bus) to: Receiver,
    /// The ARN of the rule or subscription that owes it.
    pub(in crate::bus) owner: Arc<str>,
    /// The queue for what cannot be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::bus) dead_letter: Option<Arc<str>>,
    /// How often and how long it is tried.
    pub(in crate::bus) retry: RetrySettings,
    /// How many attempts have failed.
    pub(in crate::bus) attempts: u32,
    /// How the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::bus) fault: Option<Fault>,
}

/// Who receives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bus) enum Receiver {
    /// A target of a rule.
    Target(Box<Target>),
    /// A subscription of a topic.
    Subscription(Box<SubscriptionReceiver>),
}

/// Why an attempt failed, as a dead letter tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bus) struct Fault {
    /// `NO_RESOURCE`, `TIMEOUT`, ...
    pub(in crate::bus) code: String,
    /// In words.
    pub(in crate::bus) message: String,
}

impl Receiver {
    /// What it is called in logs, and what deliveries to it are counted under.
    pub(in crate::bus) fn name(&self) -> &Arc<str> {
        match self {
            Self::Target(target) => &target.arn,
            Self::Subscription(to) => &to.endpoint,
        }
    }
}

impl Fault {
    /// A fault.
    pub(in crate::bus) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

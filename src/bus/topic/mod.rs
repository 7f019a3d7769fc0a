//! Topics in the shape of SNS: subscriptions, filters, messages fanned out.
//!
//! Main type: [`Topics`]. What a message owes each subscription is stored before its publisher is
//! answered, and delivered as what rules owe.

mod book;
mod document;
mod publish;

pub(super) use book::TopicParts;
pub use book::Topics;
pub use document::{Protocol, Subscription, Topic};
pub(super) use publish::SubscriptionReceiver;
pub use publish::{Published, TopicMessage};

use thiserror::Error;

use crate::store::{AppendError, ReadError};

/// Why a topic does not do what it is asked.
#[derive(Debug, Error)]
pub enum TopicError {
    /// There is no such topic.
    #[error("topic does not exist")]
    NoTopic,
    /// There is no such subscription.
    #[error("subscription does not exist")]
    NoSubscription,
    /// A parameter that is not right.
    #[error("invalid parameter: {reason}")]
    Parameter {
        /// What is wrong, in AWS's words.
        reason: Box<str>,
    },
    /// The store did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl TopicError {
    fn parameter(reason: impl Into<String>) -> Self {
        Self::Parameter { reason: reason.into().into() }
    }
}

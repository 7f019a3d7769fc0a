//! Queues in the shape of SQS: durable messages, visibility, groups, redrive.
//!
//! Main type: [`Queues`]. A message is a row of the store from before its sender is answered until
//! it is deleted; what is in flight, and how often a message was received, is known in memory only,
//! so that after a restart every message that was not deleted is received again.

mod attributes;
mod book;
mod message;
mod receive;
mod send;
mod shelf;

pub use attributes::{QueueSettings, RedrivePolicy};
pub use book::{QueueDocument, Queues};
pub use message::{
    AttributeValue, Message, MessageAttributes, NewMessage, Sent, digest_of_attributes,
};
pub use receive::{Receive, Received};

use thiserror::Error;

use crate::store::{AppendError, ReadError};

/// Why a queue does not do what it is asked.
#[derive(Debug, Error)]
pub enum QueueError {
    /// There is no such queue.
    #[error("the specified queue does not exist")]
    Missing,
    /// There is one of that name with other attributes.
    #[error(
        "a queue already exists with the same name and a different value for attribute {attribute}"
    )]
    Exists {
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute that queues do not have.
    #[error("unknown attribute {name}")]
    AttributeName {
        /// Its name.
        name: Box<str>,
    },
    /// A value that the attribute cannot have.
    #[error("invalid value for the parameter {name}")]
    AttributeValue {
        /// The attribute.
        name: &'static str,
    },
    /// A parameter that is not right for the queue.
    #[error("{reason}")]
    Parameter {
        /// What is wrong.
        reason: &'static str,
    },
    /// A parameter that the queue needs.
    #[error("the request must contain the parameter {name}")]
    MissingParameter {
        /// Its name.
        name: &'static str,
    },
    /// A handle that this queue never gave.
    #[error("the input receipt handle is invalid")]
    Receipt,
    /// The message is not in flight.
    #[error("the message referred to is not in flight")]
    NotInFlight,
    /// As many messages as there may be.
    #[error("the queue holds {messages_max} messages, the most it may")]
    Full {
        /// How many there may be.
        messages_max: usize,
    },
    /// Messages were purged less than a minute ago.
    #[error("only one PurgeQueue operation is allowed every 60 seconds")]
    PurgedLately,
    /// The store did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

use thiserror::Error;

use crate::store::{AppendError, ReadError};

/// What kind of refusal; the doors know each protocol's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// What is named is not there.
    NotFound,
    /// What is to be made is there already.
    AlreadyExists,
    /// The input is not what the operation takes.
    Invalid,
    /// The event pattern cannot be read.
    InvalidPattern,
    /// There are as many as there may be.
    LimitExceeded,
    /// Not in the state that what is there is in.
    IllegalStatus,
    /// A policy that is too long.
    PolicyTooLong,
    /// The caller may not.
    AccessDenied,
}

/// Why the bus does not do what it is asked.
#[derive(Debug, Error)]
pub enum BusError {
    /// What the caller asked cannot be done.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        kind: RefusalKind,
        /// What the caller is told, in AWS's words.
        message: Box<str>,
    },
    /// The store did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl RefusalKind {
    /// A refusal of this kind.
    pub fn because(self, message: impl Into<String>) -> BusError {
        BusError::Refused { kind: self, message: message.into().into() }
    }
}

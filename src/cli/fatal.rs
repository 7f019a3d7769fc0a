use std::error::Error;
use std::fmt::Write as _;

use super::ExitStatus;

/// Why a command could not do its work: said once, at the end, on standard error.
#[derive(Debug)]
pub(super) struct Fatal {
    pub(super) status: ExitStatus,
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Fatal {
    /// What could not be done: `cannot listen on 127.0.0.1:80`.
    pub(super) fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: None }
    }

    /// Adds the whole chain of causes to the message.
    pub(super) fn because(mut self, error: &dyn Error) -> Self {
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            write!(self.message, ": {error}").unwrap_or(());
            cause = error.source();
        }
        self
    }

    /// Says what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

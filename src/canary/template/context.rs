use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::canary::secret::SecretText;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::time::Timestamp;

/// What templates may look up. The runner implements it; tests do too.
pub trait TemplateContext {
    /// A variable, a capture, a matrix key or a column of the row.
    fn variable(&self, name: &str) -> Option<Binding<'_>>;

    /// The names that `variable` knows, for "did you mean".
    fn variable_names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// An environment variable.
    fn environment(&self, name: &str) -> Result<String, LookupError>;

    /// A secret.
    fn secret(&self, name: &str) -> Result<SecretText, LookupError>;

    /// The instant that `now` stands for.
    fn now(&self) -> Timestamp;

    /// The next random number.
    fn random(&self) -> u64;
}

/// A context without anything in it, for texts without templates.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContext;

impl TemplateContext for NoContext {
    fn variable(&self, _name: &str) -> Option<Binding<'_>> {
        None
    }

    fn environment(&self, _name: &str) -> Result<String, LookupError> {
        Err(LookupError::Undefined)
    }

    fn secret(&self, _name: &str) -> Result<SecretText, LookupError> {
        Err(LookupError::Undefined)
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn random(&self) -> u64 {
        0
    }
}

/// What a variable holds.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'c> {
    /// Its value.
    pub value: &'c Value,
    /// The secrets its value was made of; a secret capture names itself.
    pub secrets: &'c [Arc<str>],
}

/// Why a name could not be looked up.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LookupError {
    /// There is nothing of that name.
    #[error("is not set")]
    Undefined,
    /// There may be, but this canary must not see it.
    #[error("is not allowed: {reason}")]
    Denied {
        /// Which rule says so.
        reason: Arc<str>,
    },
}

/// A rendered value and the secrets that went into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered<T> {
    /// The value.
    pub value: T,
    /// What must not be shown, and where it may not go.
    pub taint: Taint,
}

impl<T> Rendered<T> {
    /// A value that no secret went into.
    pub fn clean(value: T) -> Self {
        Self { value, taint: Taint::default() }
    }

    /// The same taint around another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Rendered<U> {
        Rendered { value: change(self.value), taint: self.taint }
    }

    /// Moves the taint into `all` and gives the value.
    pub fn take(self, all: &mut Taint) -> T {
        all.join(self.taint);
        self.value
    }
}

/// The secrets in a rendered value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taint {
    /// Their names: a request with such a text may go only where all of them may.
    pub names: BTreeSet<Arc<str>>,
    /// What the tainted templates yielded, for the redactor: a secret may have been changed by
    /// filters beyond recognition.
    pub pieces: Vec<SecretText>,
}

impl Taint {
    /// Whether no secret is in it.
    pub fn is_clean(&self) -> bool {
        self.names.is_empty()
    }

    /// Takes in the secrets of another value.
    pub fn join(&mut self, other: Self) {
        self.names.extend(other.names);
        self.pieces.extend(other.pieces);
    }
}

/// A template that could not be rendered, and where it stands.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{fault}")]
pub struct RenderError {
    /// Why.
    #[source]
    pub fault: RenderFault,
    /// Where in the file.
    pub span: Span,
}

impl RenderError {
    /// The same as a diagnostic of the canary's file.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error("template", self.fault.to_string(), self.span);
        match &self.fault {
            RenderFault::UndefinedVariable { guess: Some(guess), .. } => {
                diagnostic.label(format!("did you mean `{guess}`?"))
            }
            _ => diagnostic,
        }
    }

    /// Whether policy, not the definition, is in the way.
    pub fn is_denied(&self) -> bool {
        let (RenderFault::Environment { cause, .. } | RenderFault::Secret { cause, .. }) =
            &self.fault
        else {
            return false;
        };
        matches!(cause, LookupError::Denied { .. })
    }
}

/// Why a template could not be rendered.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RenderFault {
    /// No variable of that name.
    #[error("variable `{name}` is not defined")]
    UndefinedVariable {
        /// What was asked for.
        name: Arc<str>,
        /// What was perhaps meant.
        guess: Option<String>,
    },
    /// The variable is there, the member or item is not.
    #[error("`{name}` has no `{step}`")]
    NoSuchMember {
        /// The variable.
        name: Arc<str>,
        /// The missing step.
        step: String,
    },
    /// An environment variable could not be read.
    #[error("environment variable `{name}` {cause}")]
    Environment {
        /// Its name.
        name: Arc<str>,
        /// Why.
        #[source]
        cause: LookupError,
    },
    /// A secret could not be read.
    #[error("secret `{name}` {cause}")]
    Secret {
        /// Its name.
        name: Arc<str>,
        /// Why.
        #[source]
        cause: LookupError,
    },
    /// A filter, function or operator cannot work on what it got.
    #[error("`{operation}` cannot work on {got}: it takes {takes}")]
    WrongType {
        /// The operation.
        operation: &'static str,
        /// What it got.
        got: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// The input has the right type and a wrong form.
    #[error("`{operation}` cannot work: {problem}")]
    Malformed {
        /// The operation.
        operation: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The result is too large.
    #[error("the result is larger than 1 MiB")]
    TooLarge,
    /// The result may not stand where the template stands.
    #[error("the result may not stand here: {problem}")]
    WrongPosition {
        /// What is wrong.
        problem: &'static str,
    },
}

impl RenderFault {
    pub(super) fn undefined(name: &Arc<str>, context: &dyn TemplateContext) -> Self {
        let guess = did_you_mean(name, context.variable_names()).map(str::to_owned);
        Self::UndefinedVariable { name: Arc::clone(name), guess }
    }
}

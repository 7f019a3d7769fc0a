//! Faults in files and texts that users write, and their one rendering.
//!
//! Main types: [`SourceFile`], [`Span`], [`Diagnostic`]. A diagnostic is data: it is printed with
//! carets on a terminal, as one line elsewhere, as JSON for programs. This module knows no file
//! format and decides nothing.

mod escape;
mod render;
mod source;
mod suggest;

use serde::Serialize;

pub use escape::printable;
pub use render::{MessageFormat, Style, render};
pub use source::{Location, SourceFile, Span};
pub use suggest::did_you_mean;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file can be used; a person should look.
    Warning,
    /// The file cannot be used.
    Error,
}

/// A marked place in a source file and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The marked bytes.
    pub span: Span,
    /// Printed beside the caret; may be empty.
    pub message: String,
}

/// One fault in a file a user wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable, documented, kebab-case: `unknown-key`.
    pub code: &'static str,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// Where; the first label is the place that is reported. Empty means the whole file.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Error, code, message.into(), Some(span))
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Warning, code, message.into(), Some(span))
    }

    /// An error that concerns a whole file.
    pub fn file_error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into(), None)
    }

    fn new(severity: Severity, code: &'static str, message: String, span: Option<Span>) -> Self {
        let labels = span.map(|span| Label { span, message: String::new() }).into_iter().collect();
        Self { severity, code, message, labels, help: None }
    }

    /// Says something beside the first caret.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.message = message.into();
        }
        self
    }

    /// Marks a further place.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, when there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Whether it makes the file unusable.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The reported place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

//! Values that must not be seen, and their removal from everything that leaves a run.
//!
//! Main types: [`SecretText`], a value that cannot be printed by accident; [`Redactor`], which
//! finds secrets in texts in whatever encoding they appear; [`is_sensitive_name`], for values that
//! nobody declared and everybody hides. Where secrets come from and to which hosts they may go is
//! the runner's business.

mod encoded;
mod name;
mod redactor;
mod text;

pub use name::{is_sensitive_name, redact_url};
pub use redactor::{REDACTED, RedactedStream, Redactor};
pub use text::SecretText;

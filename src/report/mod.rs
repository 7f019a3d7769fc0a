//! Run events and reports, shown: on a terminal, as JSON lines, JUnit XML, TAP, GitHub annotations,
//! Markdown, HTML and HTTP archives.
//!
//! Main type: [`Reports`], which hands one stream of runs to several reporters, in the order the
//! runs were planned in. Reporters observe; what they are shown they cannot change. Where the text
//! goes (which file, which stream) is the business of `cli`.

mod failure;
mod fan;
mod github;
mod har;
mod html;
mod json;
mod junit;
mod kind;
mod markdown;
mod tally;
mod tap;
mod terminal;
mod untrusted;
mod visual;

pub use fan::{ReportError, Reports};
pub use kind::{ReportKind, UnknownReportKind};
pub use tally::Tally;
pub use terminal::{Detail, Liveness, TerminalReporter};
pub use visual::{
    DecisionForm, EmbeddedShot, PictureDecision, PictureEntry, PictureState, embedded_shots,
    pictures_html,
};

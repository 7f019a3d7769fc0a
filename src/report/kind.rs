use std::str::FromStr;

use thiserror::Error;

/// The kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportKind {
    /// For people: a line a run, and what went wrong.
    Terminal,
    /// One JSON object a line: every event, every run, a summary.
    Json,
    /// JUnit XML, as most CI systems read it.
    Junit,
    /// Annotations on the lines of a pull request at GitHub.
    Github,
    /// Test Anything Protocol.
    Tap,
    /// Markdown, for a job summary or a comment.
    Markdown,
    /// One HTML file with everything in it: steps, waterfalls, pictures.
    Html,
    /// An HTTP archive of everything that was asked, with timings.
    Har,
}

/// A text that names no kind of report.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "no such kind of report; there are terminal, json, junit, github, tap, markdown, \
         html and har"
)]
pub struct UnknownReportKind;

impl ReportKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Terminal,
        Self::Json,
        Self::Junit,
        Self::Github,
        Self::Tap,
        Self::Markdown,
        Self::Html,
        Self::Har,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Tap => "tap",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Har => "har",
        }
    }

    /// Whether it may share a stream with the terminal report. GitHub picks its annotations out of
    /// whatever stands around them; every other kind is a document of its own.
    pub const fn can_share(self) -> bool {
        matches!(self, Self::Terminal | Self::Github)
    }
}

impl FromStr for ReportKind {
    type Err = UnknownReportKind;

    fn from_str(name: &str) -> Result<Self, UnknownReportKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownReportKind)
    }
}

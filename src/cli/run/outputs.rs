use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cli::ExitStatus;
use crate::cli::fatal::Fatal;
use crate::cli::screen::Screen;
use crate::report::{Detail, Liveness, ReportKind, Reports, TerminalReporter};

/// One `--report KIND[=FILE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportRequest {
    kind: ReportKind,
    file: Option<PathBuf>,
}

impl ReportRequest {
    /// The report of who asked for none.
    pub(super) const TERMINAL: Self = Self { kind: ReportKind::Terminal, file: None };

    /// Reads `junit=target/junit.xml` or `json`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (kind, file) = match text.split_once('=') {
            Some((_, "")) => return Err("the file's name is missing after `=`".to_owned()),
            Some((kind, file)) => (kind, Some(file.into())),
            None => (text, None),
        };
        let kind: ReportKind = kind.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { kind, file })
    }
}

/// Opens every report that was asked for.
///
/// One document at most can have standard output; the terminal report gives way to it and goes to
/// standard error.
pub(super) fn open(
    requests: &[ReportRequest],
    screen: &Screen,
    detail: Detail,
) -> Result<Reports, Fatal> {
    let documents = requests.iter().filter(|one| one.file.is_none() && !one.kind.can_share());
    let documents: Vec<&str> = documents.map(|request| request.kind.name()).collect();
    if let [first, second, ..] = documents.as_slice() {
        let message = format!("the {first} and {second} reports cannot share standard output");
        let hint = format!("give one of them a file: --report {second}=FILE");
        return Err(Fatal::new(ExitStatus::Usage, message).hint(hint));
    }
    let mut reports = Reports::new();
    for ReportRequest { kind, file } in requests {
        match (kind, file) {
            (kind, Some(path)) => {
                reports.add(*kind, &path.display().to_string(), Box::new(create(path)?));
            }
            (ReportKind::Terminal, None) => {
                let surface = if documents.is_empty() { screen.out() } else { screen.err() };
                let liveness = if surface.is_terminal { Liveness::Live } else { Liveness::Still };
                let reporter = TerminalReporter::new(surface.style, liveness, detail);
                let out: Box<dyn Write + Send> = match documents.is_empty() {
                    true => Box::new(io::stdout()),
                    false => Box::new(io::stderr()),
                };
                reports.add_terminal(reporter, "the terminal", out);
            }
            (kind, None) => reports.add(*kind, "standard output", Box::new(io::stdout())),
        }
    }
    Ok(reports)
}

fn create(path: &Path) -> Result<BufWriter<File>, Fatal> {
    let fatal = |error| {
        let message = format!("cannot write the report {}", path.display());
        Fatal::new(ExitStatus::OurSide, message).because(&error)
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fatal)?;
    }
    Ok(BufWriter::new(File::create(path).map_err(fatal)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::ColorChoice;

    #[test]
    fn a_report_is_a_kind_and_maybe_a_file() {
        let junit = ReportRequest { kind: ReportKind::Junit, file: Some("a=b.xml".into()) };
        assert_eq!(ReportRequest::parse("junit=a=b.xml"), Ok(junit));
        assert_eq!(ReportRequest::parse("terminal"), Ok(ReportRequest::TERMINAL));
        for text in ["", "junit=", "pdf", "pdf=x"] {
            assert!(ReportRequest::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_documents_cannot_share_standard_output() {
        let requests =
            ["json", "terminal", "junit"].map(|text| ReportRequest::parse(text).unwrap());
        let screen = Screen::new(ColorChoice::Never, None, true);
        let fatal = open(&requests, &screen, Detail::Runs).unwrap_err();
        assert_eq!(fatal.message, "the json and junit reports cannot share standard output");
    }
}

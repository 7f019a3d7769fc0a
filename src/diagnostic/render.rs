use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};
use serde_json::json;

use super::{Diagnostic, Label, Severity, SourceFile, Span, printable};

/// Whether a rendering may use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// The forms a diagnostic is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFormat {
    /// With the line, a caret and the hint: for people.
    Human(Style),
    /// `file:line:column: code: message`: for editors, logs and other machines.
    Short,
    /// One JSON object a line.
    Json,
}

/// Shows one diagnostic; the text ends with a line feed.
///
/// ```text
/// error[unknown-key]: `tiemout` is not a key of a canary        <- headline
///   --> canaries/shop.yaml:3:1                                  <- place
///    |
///  3 | tiemout: 10s                                             <- line
///    | ^^^^^^^ did you mean `timeout`?                          <- caret and label
///    = help: keys of a canary are: canary, ...                  <- help
/// ```
pub fn render(diagnostic: &Diagnostic, file: &SourceFile, format: MessageFormat) -> String {
    match format {
        MessageFormat::Human(style) => human(diagnostic, file, &Palette::of(style, diagnostic)),
        MessageFormat::Short => short(diagnostic, file),
        MessageFormat::Json => json_line(diagnostic, file),
    }
}

struct Palette {
    severity: Ansi,
    frame: Ansi,
    strong: Ansi,
}

impl Palette {
    fn of(style: Style, diagnostic: &Diagnostic) -> Self {
        if style == Style::Plain {
            return Self { severity: Ansi::new(), frame: Ansi::new(), strong: Ansi::new() };
        }
        let colour = match diagnostic.severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
        };
        Self {
            severity: colour.on_default().bold(),
            frame: AnsiColor::Blue.on_default().bold(),
            strong: Ansi::new().bold(),
        }
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn short(diagnostic: &Diagnostic, file: &SourceFile) -> String {
    let at = file.location(diagnostic.span().unwrap_or_default().start);
    let message = printable(&diagnostic.message).replace('\n', " ");
    let mut line = format!(
        "{}:{}:{}: {}: {message}",
        printable(file.name()),
        at.line,
        at.column,
        diagnostic.code
    );
    let label = diagnostic.labels.first().map(|label| label.message.as_str());
    let hints = label.into_iter().chain(diagnostic.help.as_deref());
    let hints: Vec<&str> = hints.filter(|hint| !hint.is_empty()).collect();
    if !hints.is_empty() {
        let hints = printable(&hints.join("; ")).replace('\n', " ");
        // Writing to a String cannot fail, here and below.
        write!(line, " ({hints})").unwrap_or(());
    }
    line.push('\n');
    line
}

fn json_line(diagnostic: &Diagnostic, file: &SourceFile) -> String {
    let place = |label: &Label| {
        let (from, to) = (file.location(label.span.start), file.location(label.span.end));
        json!({
            "line": from.line, "column": from.column,
            "end_line": to.line, "end_column": to.column,
            "message": label.message,
        })
    };
    let at = file.location(diagnostic.span().unwrap_or_default().start);
    let value = json!({
        "type": "diagnostic",
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": file.name(),
        "line": at.line,
        "column": at.column,
        "labels": diagnostic.labels.iter().map(place).collect::<Vec<_>>(),
        "help": diagnostic.help,
    });
    format!("{value}\n")
}

fn human(diagnostic: &Diagnostic, file: &SourceFile, palette: &Palette) -> String {
    let Palette { severity, frame, strong } = palette;
    let mut out = String::new();
    let message = printable(&diagnostic.message);
    let word = severity_word(diagnostic.severity);
    let code = diagnostic.code;
    writeln!(out, "{severity}{word}[{code}]{severity:#}{strong}: {message}{strong:#}")
        .unwrap_or(());
    let widest = diagnostic.labels.iter().map(|label| file.location(label.span.start).line).max();
    let width = widest.unwrap_or(1).to_string().len();
    let pad = " ".repeat(width);
    let at = file.location(diagnostic.span().unwrap_or_default().start);
    let name = printable(file.name());
    writeln!(out, "{pad}{frame}-->{frame:#} {name}:{}:{}", at.line, at.column).unwrap_or(());
    if !diagnostic.labels.is_empty() {
        writeln!(out, "{pad} {frame}|{frame:#}").unwrap_or(());
    }
    let mut last_line = None;
    for label in &diagnostic.labels {
        let line = file.location(label.span.start).line;
        if last_line.is_some_and(|last| line != last && line != last + 1) {
            writeln!(out, "{pad}{frame}...{frame:#}").unwrap_or(());
        }
        excerpt(&mut out, file, label, (&pad, palette, last_line != Some(line)));
        last_line = Some(line);
    }
    if let Some(help) = &diagnostic.help {
        let help = printable(help).replace('\n', &format!("\n{pad}         "));
        writeln!(out, "{pad} {frame}={frame:#} {strong}help:{strong:#} {help}").unwrap_or(());
    }
    out
}

/// The line of one label and its caret. Long lines are cut to a window around the caret.
fn excerpt(
    out: &mut String,
    file: &SourceFile,
    label: &Label,
    (pad, palette, with_line): (&str, &Palette, bool),
) {
    const WINDOW: usize = 100;
    const BEFORE: usize = 40;
    let Palette { severity, frame, .. } = palette;
    let at = file.location(label.span.start);
    let text: Vec<char> = file.line(at.line).chars().collect();
    let column = at.column - 1;
    let from = if text.len() > WINDOW { column.saturating_sub(BEFORE) } else { 0 };
    let to = text.len().min(from + WINDOW);
    let lead = if from > 0 { "..." } else { "" };
    let tail = if to < text.len() { "..." } else { "" };
    let shown: String = text.get(from..to).unwrap_or(&[]).iter().map(|c| visible(*c)).collect();
    let width = pad.len();
    if with_line {
        let number = at.line;
        writeln!(out, "{frame}{number:>width$} |{frame:#} {lead}{shown}{tail}").unwrap_or(());
    }
    let indent = " ".repeat(lead.len() + column.saturating_sub(from));
    let carets = "^".repeat(caret_width(file, label.span).min(to.saturating_sub(column)).max(1));
    let message = printable(&label.message);
    let gap = if message.is_empty() { "" } else { " " };
    let marked = format!("{severity}{carets}{gap}{message}{severity:#}");
    writeln!(out, "{pad} {frame}|{frame:#} {indent}{marked}").unwrap_or(());
}

/// One column a character, so that carets line up.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if printable(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() => '\u{fffd}',
        c => c,
    }
}

/// Characters marked on the first line of the span.
fn caret_width(file: &SourceFile, span: Span) -> usize {
    file.slice(span).lines().next().unwrap_or("").trim_end().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> SourceFile {
        SourceFile::new("shop.yaml", "canary: shop\ntiemout: 10s\nsteps: []\n")
    }

    fn unknown_key() -> Diagnostic {
        Diagnostic::error("unknown-key", "`tiemout` is not a key of a canary", Span::new(13, 20))
            .label("did you mean `timeout`?")
            .help("keys are: canary, steps, timeout")
    }

    #[test]
    fn a_person_gets_the_line_a_caret_and_a_hint() {
        let text = render(&unknown_key(), &file(), MessageFormat::Human(Style::Plain));
        let expected = "\
error[unknown-key]: `tiemout` is not a key of a canary
 --> shop.yaml:2:1
  |
2 | tiemout: 10s
  | ^^^^^^^ did you mean `timeout`?
  = help: keys are: canary, steps, timeout
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_editor_gets_one_line() {
        let text = render(&unknown_key(), &file(), MessageFormat::Short);
        let expected = "shop.yaml:2:1: unknown-key: `tiemout` is not a key of a canary \
                        (did you mean `timeout`?; keys are: canary, steps, timeout)\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_program_gets_json() {
        let text = render(&unknown_key(), &file(), MessageFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["line"], 2);
        assert_eq!(value["labels"][0]["end_column"], 8);
    }

    #[test]
    fn two_labels_share_one_excerpt() {
        let fault = Diagnostic::error("duplicate-key", "`steps` is given twice", Span::new(26, 31))
            .also(Span::new(0, 6), "first here");
        let text = render(&fault, &file(), MessageFormat::Human(Style::Plain));
        assert!(text.contains("...\n1 | canary: shop\n  | ^^^^^^ first here\n"), "{text}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let file = SourceFile::new("f", format!("{}HERE{}", "x".repeat(500), "y".repeat(500)));
        let fault = Diagnostic::error("c", "m", Span::new(500, 504));
        let text = render(&fault, &file, MessageFormat::Human(Style::Plain));
        assert!(text.lines().all(|line| line.len() < 120), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3].find("HERE"), lines[4].find('^'), "{text}");
    }

    #[test]
    fn escape_sequences_in_a_file_do_not_reach_the_terminal() {
        let file = SourceFile::new("f\u{1b}", "a\u{1b}[31m: b");
        let fault = Diagnostic::error("c", "bad \u{1b}", Span::new(0, 5));
        for format in [MessageFormat::Human(Style::Plain), MessageFormat::Short] {
            assert!(!render(&fault, &file, format).contains('\u{1b}'));
        }
    }
}

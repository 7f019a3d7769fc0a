use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style as Ansi};
use clap::ValueEnum;
use serde_json::json;

use super::fatal::Fatal;
use crate::diagnostic::{Diagnostic, MessageFormat, SourceFile, Style, printable, render};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On terminals, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl From<ColorChoice> for clap::ColorChoice {
    fn from(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}

/// The form of faults and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MessageChoice {
    /// The line, a caret and a hint.
    Human,
    /// `file:line:column: code: message`.
    Short,
    /// One JSON object a line.
    Json,
}

/// Both output streams and how to write on them. Standard output is for results, standard error
/// for everything else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    out: Surface,
    err: Surface,
    messages: Option<MessageChoice>,
}

/// One stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surface {
    /// Whether a person looks at it.
    pub(super) is_terminal: bool,
    pub(super) style: Style,
}

impl Screen {
    pub(super) fn new(color: ColorChoice, messages: Option<MessageChoice>, no_color: bool) -> Self {
        let surface = |is_terminal: bool| {
            let coloured = match color {
                ColorChoice::Auto => is_terminal && !no_color,
                ColorChoice::Always => true,
                ColorChoice::Never => false,
            };
            let style = if coloured { Style::Coloured } else { Style::Plain };
            Surface { is_terminal, style }
        };
        let out = surface(io::stdout().is_terminal());
        let err = surface(io::stderr().is_terminal());
        Self { out, err, messages }
    }

    /// Whether a person looks at standard output.
    pub(super) const fn is_terminal(&self) -> bool {
        self.out.is_terminal
    }

    /// Standard output.
    pub(super) const fn out(&self) -> Surface {
        self.out
    }

    /// Standard error.
    pub(super) const fn err(&self) -> Surface {
        self.err
    }

    /// Whether programs read our messages.
    pub(super) fn speaks_json(&self) -> bool {
        self.messages == Some(MessageChoice::Json)
    }

    /// Writes results. A reader that went away is not an error.
    pub(super) fn write(&self, text: &str) {
        let mut out = io::stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Writes one line of results.
    pub(super) fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Writes one line that is no result: progress, summaries, advice. JSON readers are spared it.
    pub(super) fn note(&self, text: &str) {
        if !self.speaks_json() {
            self.complain(&format!("{}\n", printable(text)));
        }
    }

    /// Shows one fault of a file.
    pub(super) fn diagnostic(&self, diagnostic: &Diagnostic, file: &SourceFile) {
        self.complain(&render(diagnostic, file, self.message_format()));
    }

    /// Says why a command could not do its work.
    pub(super) fn fatal(&self, fatal: &Fatal) {
        let (message, hint) = (printable(&fatal.message), fatal.hint.as_deref());
        if self.speaks_json() {
            let code = fatal.status.code();
            let line = json!({
                "type": "error", "message": fatal.message, "help": hint, "exit_code": code,
            });
            return self.complain(&format!("{line}\n"));
        }
        let (red, strong) = (self.err.paint(AnsiColor::Red), self.err.strong());
        let mut text = format!("{red}error{red:#}{strong}: {message}{strong:#}\n");
        if let Some(hint) = hint {
            text = format!("{text}  {strong}hint:{strong:#} {}\n", printable(hint));
        }
        self.complain(&text);
    }

    /// A colour for standard output, or none where colours are off.
    pub(super) fn paint(&self, color: AnsiColor) -> Ansi {
        self.out.paint(color)
    }

    fn message_format(&self) -> MessageFormat {
        match self.messages {
            Some(MessageChoice::Human) => MessageFormat::Human(self.err.style),
            Some(MessageChoice::Short) => MessageFormat::Short,
            Some(MessageChoice::Json) => MessageFormat::Json,
            None if self.err.is_terminal => MessageFormat::Human(self.err.style),
            None => MessageFormat::Short,
        }
    }

    fn complain(&self, text: &str) {
        let mut err = io::stderr().lock();
        drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
    }
}

impl Surface {
    fn paint(self, color: AnsiColor) -> Ansi {
        match self.style {
            Style::Plain => Ansi::new(),
            Style::Coloured => color.on_default().bold(),
        }
    }

    fn strong(self) -> Ansi {
        match self.style {
            Style::Plain => Ansi::new(),
            Style::Coloured => Ansi::new().bold(),
        }
    }
}

use std::ffi::OsString;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::ExitStatus;
use super::alarms::AlarmsCommand;
use super::baselines::BaselinesCommand;
use super::check::CheckCommand;
use super::defaults::FileDefaults;
use super::demo::DemoCommand;
use super::diff::DiffCommand;
use super::doctor::DoctorCommand;
use super::events::EventsCommand;
use super::import::ImportCommand;
use super::logs::LogsCommand;
use super::metrics::MetricsCommand;
use super::new::NewCommand;
use super::run::RunCommand;
use super::schema::SchemaCommand;
use super::screen::{ColorChoice, MessageChoice};
use super::serve::ServeCommand;
use super::traces::TracesCommand;

/// Synthetic monitoring: run canaries against a site, compare its pictures, be told when it breaks
///
/// A canary is a file: a list of steps in YAML, or a script in Luau. Coalmine runs it once (in CI,
/// on a pull request) or on a schedule, keeps what it measured in the shapes of Amazon CloudWatch,
/// and raises alarms.
#[derive(Debug, Parser)]
#[command(name = "coalmine", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "Use `coalmine help COMMAND` for details and examples.")]
#[command(after_long_help = format!("Exit codes:\n{}\n{FURTHER}", ExitStatus::table()))]
#[command(subcommand_required = true, arg_required_else_help = true, propagate_version = true)]
#[command(disable_help_subcommand = false)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold())
    .valid(AnsiColor::Cyan.on_default().bold())
    .invalid(AnsiColor::Yellow.on_default().bold())
    .context(Style::new());

const FURTHER: &str = "\
Every flag can be set in coalmine.toml, under the name of its command, or by the environment
variable its help names. A flag beats the environment, which beats the file.";

/// Flags that every command has.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    #[arg(env = "COALMINE_COLOR", hide_env_values = true, help_heading = GLOBAL)]
    pub(super) color: ColorChoice,

    /// The form of faults and errors [default: human on a terminal, short elsewhere]
    ///
    /// They are written to standard error: for people with the line and a caret (human), for
    /// editors as `file:line:column: code: message` (short), for programs as one JSON object a
    /// line (json).
    #[arg(long, global = true, value_enum, value_name = "FORM")]
    #[arg(env = "COALMINE_MESSAGE_FORMAT", hide_env_values = true, help_heading = GLOBAL)]
    pub(super) message_format: Option<MessageChoice>,

    /// Our own log on standard error: a level, or levels by module
    ///
    /// For example `info`, or `warn,coalmine::store=debug`. JSON with --message-format json.
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn")]
    #[arg(env = "COALMINE_LOG", hide_env_values = true, help_heading = GLOBAL)]
    pub(super) log: String,

    /// The configuration file [default: coalmine.toml, where there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "COALMINE_CONFIG",
        hide_env_values = true
    )]
    #[arg(help_heading = GLOBAL)]
    config: Option<PathBuf>,

    /// Print the settings of the command and where each comes from, and do nothing else
    #[arg(long, global = true, help_heading = GLOBAL)]
    print_config: bool,
}

const GLOBAL: &str = "Global options";

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(RunCommand),
    Check(CheckCommand),
    Serve(ServeCommand),
    Baselines(BaselinesCommand),
    Alarms(AlarmsCommand),
    Logs(LogsCommand),
    Metrics(MetricsCommand),
    Traces(TracesCommand),
    Events(EventsCommand),
    Demo(DemoCommand),
    Diff(DiffCommand),
    Doctor(DoctorCommand),
    New(NewCommand),
    Import(ImportCommand),
    Schema(SchemaCommand),
}

/// One call of the program, understood.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) common: Common,
    pub(super) command: Command,
    /// As clap has them, for `--print-config`.
    pub(super) matches: ArgMatches,
    pub(super) defaults: FileDefaults,
}

impl Invocation {
    /// Reads arguments, environment and configuration file. Help texts, versions and faults are
    /// printed here; the status says how to end then.
    pub(super) fn read(arguments: Vec<OsString>) -> Result<Self, ExitStatus> {
        let early = Early::of(&arguments);
        let command = Arguments::command().color(early.color.into());
        let (command, defaults) = FileDefaults::apply(command, &early)?;
        let matches = command.try_get_matches_from(arguments).map_err(|error| report(&error))?;
        let parsed = Arguments::from_arg_matches(&matches).map_err(|error| report(&error))?;
        Ok(Self { common: parsed.common, command: parsed.command, matches, defaults })
    }

    pub(super) const fn prints_config(&self) -> bool {
        self.common.print_config
    }
}

/// The command tree without the values of any file, for listings.
pub(super) fn command_tree() -> clap::Command {
    Arguments::command()
}

fn report(error: &clap::Error) -> ExitStatus {
    // A reader that went away needs no help.
    drop(error.print());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitStatus::Passed,
        _ => ExitStatus::Usage,
    }
}

/// What must be known before arguments can be parsed: which file gives their defaults, and how to
/// say what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Early {
    pub(super) config: Option<PathBuf>,
    pub(super) color: ColorChoice,
    pub(super) message_format: Option<MessageChoice>,
}

impl Early {
    fn of(arguments: &[OsString]) -> Self {
        let text = |flag, variable| given(arguments, flag, variable)?.into_string().ok();
        let color = text("--color", "COALMINE_COLOR").unwrap_or_default();
        let form = text("--message-format", "COALMINE_MESSAGE_FORMAT").unwrap_or_default();
        Self {
            config: given(arguments, "--config", "COALMINE_CONFIG").map(PathBuf::from),
            // What is misspelt here is reported when arguments are parsed in earnest.
            color: ColorChoice::from_str(&color, true).unwrap_or_default(),
            message_format: MessageChoice::from_str(&form, true).ok(),
        }
    }
}

/// The value of a flag, in either spelling, before any `--`; else of its variable.
fn given(arguments: &[OsString], flag: &str, variable: &str) -> Option<OsString> {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if word == flag {
            return words.next().cloned();
        }
        let value = word.to_str().and_then(|word| word.strip_prefix(flag)?.strip_prefix('='));
        if let Some(value) = value {
            return Some(value.into());
        }
    }
    std::env::var_os(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        command_tree().debug_assert();
    }

    #[test]
    fn a_flag_is_found_early_in_both_spellings_and_not_past_a_double_dash() {
        let config = |words: &[&str]| {
            Early::of(&words.iter().map(OsString::from).collect::<Vec<_>>()).config
        };
        assert_eq!(config(&["coalmine", "--config", "a"]), Some("a".into()));
        assert_eq!(config(&["coalmine", "demo", "--config=b"]), Some("b".into()));
        assert_eq!(config(&["coalmine", "demo", "--", "--config=b"]), None);
    }
}

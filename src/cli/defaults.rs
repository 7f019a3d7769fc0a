use std::collections::BTreeMap;
use std::path::Path;

use clap::{Arg, Command};

use super::ExitStatus;
use super::arguments::Early;
use super::fatal::Fatal;
use super::screen::Screen;
use crate::config::{ConfigFile, Setting};
use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "coalmine.toml";

/// The settings of the configuration file, once they have become the defaults of flags.
///
/// So precedence is clap's own: what is given wins over the environment, which wins over defaults.
#[derive(Debug, Default)]
pub(super) struct FileDefaults {
    /// `coalmine.toml:3`, by section (empty for the top) and flag.
    places: BTreeMap<(String, String), String>,
    file: Option<ConfigFile>,
}

impl FileDefaults {
    /// Makes the values of a file the defaults of `command`'s flags.
    pub(super) fn apply(command: Command, early: &Early) -> Result<(Command, Self), ExitStatus> {
        let path = match &early.config {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
            None => return Ok((command, Self::default())),
        };
        let screen = Screen::new(early.color, early.message_format, false);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("cannot read {}", path.display());
            let fatal = Fatal::new(ExitStatus::Usage, message).because(&error);
            screen.fatal(&fatal);
            fatal.status
        })?;
        let source = SourceFile::new(path.display().to_string(), text);
        let applied = ConfigFile::parse(&source).and_then(|file| Self::of_settings(command, &file));
        applied.map_err(|faults| {
            for fault in &faults {
                screen.diagnostic(fault, &source);
            }
            ExitStatus::Usage
        })
    }

    fn of_settings(
        mut command: Command,
        file: &ConfigFile,
    ) -> Result<(Command, Self), Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let mut places = BTreeMap::new();
        for setting in file.settings() {
            match flag(&command, setting).and_then(|flag| checked(flag, setting)) {
                Ok(flag) => {
                    let line = file.location(setting).line;
                    let section = setting.section.clone().unwrap_or_default();
                    let place = format!("{}:{line}", file.source().name());
                    places.insert((section, flag.get_id().to_string()), place);
                    command = with_default(command, setting, flag);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok((command, Self { places, file: Some(file.clone()) }))
    }

    /// The file, where there is one.
    pub(super) const fn file(&self) -> Option<&ConfigFile> {
        self.file.as_ref()
    }

    /// Where a flag of a command got its default from a file.
    pub(super) fn place(&self, section: &str, flag: &str) -> Option<&str> {
        let of = |section: &str| self.places.get(&(section.to_owned(), flag.to_owned()));
        of(section).or_else(|| of("")).map(String::as_str)
    }
}

/// The flag that a setting sets.
fn flag(command: &Command, setting: &Setting) -> Result<Arg, Diagnostic> {
    let scope = match &setting.section {
        None => command,
        Some(name) => command.find_subcommand(name).ok_or_else(|| {
            let names = command.get_subcommands().map(Command::get_name);
            let message = format!("`{name}` is not a command");
            Diagnostic::error("unknown-section", message, setting.section_span)
                .maybe_help(did_you_mean(name, names).map(|near| format!("did you mean `{near}`?")))
        })?,
    };
    let flags = || scope.get_arguments().filter(|arg| arg.get_long().is_some());
    let named = flags().find(|arg| arg.get_long() == Some(setting.key.as_str()));
    named.cloned().ok_or_else(|| {
        let names: Vec<&str> = flags().filter_map(Arg::get_long).collect();
        let message = format!("`{}` is not a flag of {}", setting.key, scope.get_name());
        let help = did_you_mean(&setting.key, names.iter().copied()).map_or_else(
            || format!("flags are: {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Diagnostic::error("unknown-key", message, setting.key_span).help(help)
    })
}

/// The flag, once it is known to take the values.
fn checked(flag: Arg, setting: &Setting) -> Result<Arg, Diagnostic> {
    let words = setting.values.iter().map(|value| match flag.get_action().takes_values() {
        true => format!("--{}={value}", setting.key),
        false => format!("--{}", setting.key),
    });
    let trial = Command::new("coalmine").no_binary_name(true).arg(flag.clone());
    match trial.try_get_matches_from(words) {
        Ok(_) => Ok(flag),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
            Err(Diagnostic::error("invalid-value", first, setting.value_span))
        }
    }
}

fn with_default(command: Command, setting: &Setting, flag: Arg) -> Command {
    let id = flag.get_id().to_string();
    let values = setting.values.clone();
    let change = move |arg: Arg| arg.default_values(values);
    match &setting.section {
        None => command.mut_arg(id, change),
        Some(name) => command.mut_subcommand(name, |scope| scope.mut_arg(id, change)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::command_tree;
    use super::*;

    fn apply(text: &str) -> Result<(Command, FileDefaults), Vec<String>> {
        let source = SourceFile::new("coalmine.toml", text);
        let file = ConfigFile::parse(&source).unwrap();
        let shown = |fault: Diagnostic| format!("{}: {}", fault.code, fault.message);
        FileDefaults::of_settings(command_tree(), &file)
            .map_err(|faults| faults.into_iter().map(shown).collect())
    }

    #[test]
    fn a_flag_beats_the_file_which_beats_the_default() {
        let text = "color = \"never\"\n[demo]\nslow-by = \"9s\"\nlisten = \"1\"\n";
        let (command, defaults) = apply(text).unwrap();
        let matches = command.try_get_matches_from(["coalmine", "demo", "--listen", "2"]).unwrap();
        let (_, demo) = matches.subcommand().unwrap();
        let raw = |id: &str| demo.get_raw(id).unwrap().next().unwrap().to_str().unwrap();
        assert_eq!((raw("listen"), raw("slow_by"), raw("color")), ("2", "9s", "never"));
        assert_eq!(defaults.place("demo", "slow_by"), Some("coalmine.toml:3"));
        assert_eq!(defaults.place("demo", "color"), Some("coalmine.toml:1"));
    }

    #[test]
    fn wrong_sections_keys_and_values_are_all_reported() {
        let faults =
            apply("colour = \"x\"\n[dem]\na = 1\n[demo]\nlisten = \"shop\"\n").unwrap_err();
        assert_eq!(faults[0], "unknown-key: `colour` is not a flag of coalmine");
        assert_eq!(faults[1], "unknown-section: `dem` is not a command");
        assert!(faults[2].starts_with("invalid-value: invalid value 'shop'"), "{}", faults[2]);
    }
}

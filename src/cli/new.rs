use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;

/// Write a first canary to start from
///
/// The file is ready to run. An existing file is never overwritten.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct NewCommand {
    /// The canary's name: lower-case letters, digits, `-` and `_`
    #[arg(value_parser = canary_name)]
    name: String,

    /// What kind of canary
    #[arg(long, value_enum, default_value = "http")]
    kind: Kind,

    /// The address it watches
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8600")]
    url: String,

    /// The folder the file is written to; made when absent
    #[arg(long, value_name = "DIR", default_value = "canaries")]
    folder: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  coalmine new health --url https://shop.example
  coalmine new front-page --kind browser
  coalmine new checkout --kind lua --folder monitoring";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Requests and what must hold of the answers, in YAML.
    Http,
    /// Steps in a browser and a picture to compare, in YAML.
    Browser,
    /// A script, in Luau.
    Lua,
}

impl Kind {
    const fn extension(self) -> &'static str {
        match self {
            Self::Http | Self::Browser => "yaml",
            Self::Lua => "lua",
        }
    }

    const fn template(self) -> &'static str {
        match self {
            Self::Http => include_str!("new/http.yaml"),
            Self::Browser => include_str!("new/browser.yaml"),
            Self::Lua => include_str!("new/script.lua"),
        }
    }
}

/// Source: CloudWatch Synthetics, `CreateCanary`, `Name`: `^[0-9a-z_\-]+$`, at most 255.
pub(super) fn canary_name(text: &str) -> Result<String, String> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if !text.is_empty() && text.len() <= 255 && text.chars().all(valid) {
        return Ok(text.to_owned());
    }
    Err("a name is lower-case letters, digits, `-` and `_`".to_owned())
}

pub(super) fn execute(context: &Context, command: &NewCommand) -> Result<ExitStatus, Fatal> {
    let path = command.folder.join(format!("{}.{}", command.name, command.kind.extension()));
    let text = command.kind.template().replace("@NAME@", &command.name);
    write_new(&path, &text.replace("@URL@", command.url.trim_end_matches('/')))?;
    context.screen.line(&path.display().to_string());
    context.screen.note(&format!("run it with: coalmine run {}", path.display()));
    Ok(ExitStatus::Passed)
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Fatal> {
    let fatal = |error: std::io::Error| {
        Fatal::new(ExitStatus::OurSide, format!("cannot write {}", path.display())).because(&error)
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fatal)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(fatal),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists and is left alone", path.display());
            Err(Fatal::new(ExitStatus::Usage, message).hint("choose another name or --folder"))
        }
        Err(error) => Err(fatal(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_synthetics_takes() {
        for name in ["shop", "a-b_1"] {
            assert_eq!(canary_name(name).as_deref(), Ok(name));
        }
        for name in ["", "Shop", "a b", "../x", &"x".repeat(256)] {
            assert!(canary_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_existing_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/shop.yaml");
        write_new(&path, "mine").unwrap();
        let fatal = write_new(&path, "yours").unwrap_err();
        assert_eq!(fatal.status, ExitStatus::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}

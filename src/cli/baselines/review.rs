use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::command::Places;
use super::git::{MergeBase, decider};
use super::judge::refuse_strangers;
use super::serve;
use super::sheet::{Means, Sheet, sheets};
use super::status::status;
use crate::cli::ExitStatus;
use crate::cli::check::counted;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;
use crate::cli::values::listen_address;
use crate::runner::BaselineFolder;
use crate::visual::BaselineName;

/// Look at the pictures that wait for a decision, side by side with their baselines
///
/// Serves one page on this machine, with buttons to approve and reject; or, with --html, writes the
/// same page as one file that needs nothing else and names the command for each decision. Keys:
/// `?` shows them.
#[derive(Debug, Args)]
pub(super) struct ReviewCommand {
    /// Write the page to a file instead of serving it
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Where to serve it: an address of this machine only; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    #[arg(value_parser = listen_address)]
    listen: SocketAddr,

    /// Look instead at what this branch approved since it left another; needs --html
    #[arg(long, value_name = "REF", requires = "html")]
    base: Option<String>,

    /// Who decides [default: git's user]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) fn execute(
    context: &Context,
    places: &Places,
    command: &ReviewCommand,
) -> Result<ExitStatus, Fatal> {
    let title = format!("Pictures of {}", places.from.display());
    let Some(file) = &command.html else {
        refuse_strangers(context)?;
        if !command.listen.ip().is_loopback() {
            let message = format!("{} is not an address of this machine only", command.listen);
            return Err(Fatal::new(ExitStatus::Usage, message).hint(
                "whoever reaches the page can approve; write it with --html to show it around",
            ));
        }
        let by = decider(context, command.by.as_deref())?;
        return serve::execute(context, places.desk()?, (command.listen, title, by));
    };
    let (sheets, title, status) = match &command.base {
        Some(base) => {
            let changes = changes_since(places, base)?.into_iter().map(Change::into_sheet);
            let title = format!("Pictures that this branch changes since it left {base}");
            (changes.collect(), title, ExitStatus::Passed)
        }
        None => {
            let mut desk = places.desk()?;
            (sheets(&mut desk, &Means::Command(&places.from)), title, status(&desk))
        }
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, Sheet::page(&title, &sheets))).map_err(|error| {
        Fatal::new(ExitStatus::OurSide, format!("cannot write {}", file.display())).because(&error)
    })?;
    let count = counted(sheets.len(), "picture");
    context.screen.note(&format!("{count} to look at in {}", file.display()));
    Ok(status)
}

/// An approved picture that a branch changed.
pub(super) struct Change {
    pub(super) name: BaselineName,
    before: Option<Vec<u8>>,
    now: Option<Vec<u8>>,
}

impl Change {
    /// One word for it.
    pub(super) const fn told(&self) -> &'static str {
        match (&self.before, &self.now) {
            (None, _) => "new",
            (_, None) => "deleted",
            _ => "changed",
        }
    }

    fn into_sheet(self) -> Sheet {
        Sheet::of_pair(self.name.to_string(), (self.before, self.now))
    }
}

/// The approved pictures that differ from those of the commit where this branch left `reference`.
pub(super) fn changes_since(places: &Places, reference: &str) -> Result<Vec<Change>, Fatal> {
    let base = MergeBase::find(&places.baselines, reference)?;
    let folder = BaselineFolder::new(places.baselines.clone());
    let fatal = |error: &dyn std::error::Error| {
        let message = format!("cannot read {}", places.baselines.display());
        Fatal::new(ExitStatus::Usage, message).because(error)
    };
    let mut names = folder.names().map_err(|error| fatal(&error))?;
    names.extend(base.paths().iter().filter_map(|path| path.parse::<BaselineName>().ok()));
    names.sort();
    names.dedup();
    let mut changes = Vec::new();
    for name in names {
        let before = base.file(&name.picture());
        let now = folder.read(&name.picture()).map_err(|error| fatal(&error))?;
        let now = now.map(|bytes| bytes.to_vec());
        if before != now {
            changes.push(Change { name, before, now });
        }
    }
    Ok(changes)
}

//! What git knows: who we are, and how pictures were where a branch began.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::fatal::Fatal;

/// Who decides: as the flag says, else git's user, else the CI system's.
pub(super) fn decider(context: &Context, given: Option<&str>) -> Result<String, Fatal> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let setting = |key| git(Path::new("."), &["config", "--get", key]).ok();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let [name, email] = ["user.name", "user.email"].map(|key| setting(key).map(text));
    let actor = |name: &str| context.environment.get(name).cloned();
    let known = match (name, email) {
        (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
        (one, other) => one.or(other),
    };
    let known = known.or_else(|| actor("GITHUB_ACTOR")).or_else(|| actor("GITLAB_USER_LOGIN"));
    known.filter(|name| !name.is_empty()).ok_or_else(|| {
        Fatal::new(ExitStatus::Usage, "it is not known who decides")
            .hint("say it with --by NAME, or set git's user.name")
    })
}

/// The baselines of the commit where this branch left another.
#[derive(Debug)]
pub(super) struct MergeBase<'a> {
    folder: &'a Path,
    commit: String,
}

impl<'a> MergeBase<'a> {
    /// Finds the last commit that `reference` and the checkout have in common.
    pub(super) fn find(folder: &'a Path, reference: &str) -> Result<Self, Fatal> {
        let arguments = ["merge-base", "--end-of-options", reference, "HEAD"];
        let commit = git(folder, &arguments).map_err(|said| {
            let message = format!("cannot find where this branch left {reference}{said}");
            Fatal::new(ExitStatus::Usage, message)
                .hint("a shallow checkout lacks it: fetch the branch with its history")
        })?;
        Ok(Self { folder, commit: String::from_utf8_lossy(&commit).trim().to_owned() })
    }

    /// Paths of all files of the folder at that commit, relative to it.
    pub(super) fn paths(&self) -> Vec<String> {
        let arguments = ["ls-tree", "-r", "-z", "--name-only", &self.commit];
        let listed = git(self.folder, &arguments).unwrap_or_default();
        let text = String::from_utf8_lossy(&listed);
        text.split('\0').filter(|path| !path.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// One file at that commit.
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        git(self.folder, &["cat-file", "blob", &format!("{}:./{path}", self.commit)]).ok()
    }
}

/// Runs git; what it complains about comes back as `: complaint`.
fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!(": git: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().map_or_else(String::new, |line| format!(": {line}")))
}

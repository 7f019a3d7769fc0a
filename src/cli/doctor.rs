use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::json;
use tokio::process::Command;

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use crate::diagnostic::printable;
use crate::time::Deadline;

/// Check that this machine has what canaries need, and say what to do where it has not
///
/// Looks at the browser and its driver, fonts, the browser's sandbox, shared memory and the data
/// folder. Ends with 0 when canaries of every kind can run, and with 4 when some cannot. With
/// --message-format json each finding is one JSON object on standard output.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DoctorCommand {
    /// The data folder to look at
    #[arg(
        long,
        value_name = "DIR",
        env = "COALMINE_DATA_DIR",
        hide_env_values = true,
        default_value = "coalmine-data"
    )]
    data_dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  coalmine doctor
  coalmine doctor --data-dir /var/lib/coalmine
  coalmine doctor --message-format json";

/// One thing looked at.
struct Finding {
    subject: &'static str,
    state: State,
    /// What was seen.
    seen: String,
    remedy: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Good,
    /// Works, with a loss that is named.
    Poor,
    /// Some canaries cannot run.
    Broken,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Poor => "poor",
            Self::Broken => "broken",
        }
    }

    const fn color(self) -> AnsiColor {
        match self {
            Self::Good => AnsiColor::Green,
            Self::Poor => AnsiColor::Yellow,
            Self::Broken => AnsiColor::Red,
        }
    }
}

impl Finding {
    fn good(subject: &'static str, seen: impl Into<String>) -> Self {
        Self { subject, state: State::Good, seen: seen.into(), remedy: None }
    }

    fn bad(
        (subject, state): (&'static str, State),
        seen: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { subject, state, seen: seen.into(), remedy: Some(remedy) }
    }
}

pub(super) fn execute(context: &Context, command: &DoctorCommand) -> Result<ExitStatus, Fatal> {
    let findings = context.block_on(examine(context, command))?;
    for finding in &findings {
        show(context, finding);
    }
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Good);
    Ok(if worst == State::Broken { ExitStatus::OurSide } else { ExitStatus::Passed })
}

fn show(context: &Context, finding: &Finding) {
    let Finding { subject, state, seen, remedy } = finding;
    if context.screen.speaks_json() {
        let line = json!({
            "type": "finding", "subject": subject, "state": state.word(), "seen": seen,
            "remedy": remedy,
        });
        return context.screen.line(&line.to_string());
    }
    let color = context.screen.paint(state.color());
    let word = format!("{color}{:<6}{color:#}", state.word());
    context.screen.line(&format!("{word} {subject:<14} {}", printable(seen)));
    if let Some(remedy) = remedy {
        context.screen.line(&format!("       {:<14} -> {remedy}", ""));
    }
}

async fn examine(context: &Context, command: &DoctorCommand) -> Vec<Finding> {
    let path = context.environment.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", |p| p);
    let browser = version_of(context, path, &["chromium", "google-chrome", "chrome"]).await;
    let driver = version_of(context, path, &["chromedriver"]).await;
    let mut findings = vec![];
    match (&browser, &driver) {
        (Some(browser), Some(driver)) => {
            findings.push(Finding::good("browser", browser));
            findings.push(match major(browser) == major(driver) {
                true => Finding::good("driver", driver),
                false => Finding::bad(
                    ("driver", State::Broken),
                    format!("{driver} does not drive {browser}"),
                    "install the driver of the browser's own major version",
                ),
            });
        }
        _ => findings.extend(
            [
                ("browser", browser, "apt install chromium"),
                ("driver", driver, "apt install chromium-driver"),
            ]
            .map(|(subject, found, remedy)| match found {
                Some(version) => Finding::good(subject, version),
                None => {
                    let seen = "not found; canaries with browser steps cannot run here";
                    Finding::bad((subject, State::Broken), seen, remedy)
                }
            }),
        ),
    }
    findings.push(fonts());
    findings.push(sandbox());
    findings.push(shared_memory());
    findings.push(data_folder(&command.data_dir));
    findings
}

/// The first line of `NAME --version` of the first of these programs that there is.
async fn version_of(context: &Context, path: &str, names: &[&str]) -> Option<String> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let folders = || std::env::split_paths(OsStr::new(path));
    let mut candidates = names.iter().flat_map(|name| folders().map(move |dir| dir.join(name)));
    let program = candidates.find(|candidate| candidate.is_file())?;
    let mut command = Command::new(&program);
    command.arg("--version").kill_on_drop(true);
    let deadline = Deadline::after(context.clock.as_ref(), PATIENCE);
    let output = deadline.bound(command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains('.'))?;
    // The driver adds its commit in parentheses; Debian's browser where it was built.
    let version = line.split(" (").next().unwrap_or(line);
    Some(version.split(" built").next().unwrap_or(version).trim().to_owned())
}

/// The first number of a version line: `156`.
fn major(version: &str) -> Option<u32> {
    let words = version.split_whitespace().filter_map(|word| word.split_once('.'));
    words.filter_map(|(major, _)| major.parse().ok()).next()
}

/// The fonts that the shop's baselines were drawn with.
fn fonts() -> Finding {
    const FOLDERS: [&str; 2] = ["/usr/share/fonts", "/usr/local/share/fonts"];
    let mut waiting: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with("DejaVuSans.") {
                return Finding::good("fonts", entry.path().display().to_string());
            }
        }
    }
    Finding::bad(
        ("fonts", State::Poor),
        "DejaVu Sans not found; pictures will differ from the shop's baselines",
        "apt install fonts-dejavu fonts-liberation",
    )
}

/// Whether Chromium's sandbox can work: it needs user namespaces.
fn sandbox() -> Finding {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let allowed = |path: &str| read(path).is_none_or(|text| text.trim() != "0");
    let enough = read("/proc/sys/user/max_user_namespaces").is_none_or(|text| text.trim() != "0");
    if enough && allowed("/proc/sys/kernel/unprivileged_userns_clone") {
        return Finding::good("sandbox", "user namespaces are allowed");
    }
    Finding::bad(
        ("sandbox", State::Poor),
        "user namespaces are off: the browser runs without its sandbox",
        "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000",
    )
}

fn shared_memory() -> Finding {
    const NEEDED_MIB: u64 = 64;
    match free_mib(Path::new("/dev/shm")) {
        Some(free) if free >= NEEDED_MIB => {
            Finding::good("shared memory", format!("{free} MiB free in /dev/shm"))
        }
        seen => Finding::bad(
            ("shared memory", State::Poor),
            seen.map_or("no /dev/shm".to_owned(), |free| format!("{free} MiB free in /dev/shm")),
            "in a container: --shm-size=256m",
        ),
    }
}

/// Whether a store could be opened: the folder, or the one it would be made in, can be written.
fn data_folder(folder: &Path) -> Finding {
    const NEEDED_MIB: u64 = 256;
    let existing = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let shown = folder.display();
    let writable = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok();
    match free_mib(existing) {
        _ if !writable => Finding::bad(
            ("data folder", State::Broken),
            format!("{shown} cannot be written"),
            "choose another with --data-dir, or give it to this user",
        ),
        Some(free) if free < NEEDED_MIB => Finding::bad(
            ("data folder", State::Broken),
            format!("{free} MiB free under {shown}; a store takes no writes below {NEEDED_MIB}"),
            "free some space, or choose another disk with --data-dir",
        ),
        free => Finding::good(
            "data folder",
            format!("{shown}, {} MiB free", free.map_or("?".to_owned(), |free| free.to_string())),
        ),
    }
}

fn free_mib(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_and_driver_are_matched_by_their_major_version() {
        assert_eq!(major("Chromium 156.0.8078.79"), Some(156));
        assert_eq!(major("ChromeDriver 156.0.8078.79"), major("Google Chrome 156.1.2.3"));
        assert_eq!(major("no version"), None);
    }

    #[test]
    fn a_data_folder_that_is_not_there_yet_is_judged_by_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let finding = data_folder(&folder.path().join("a/b"));
        assert!(
            finding.state != State::Broken || finding.seen.contains("free"),
            "{}",
            finding.seen
        );
    }
}

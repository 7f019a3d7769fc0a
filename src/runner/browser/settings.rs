use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::runner::policy::NetworkPolicy;

/// Where programs are looked for when nothing else is said.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/lib/chromium";
/// The user and group `nobody`, on every Linux.
const NOBODY: u32 = 65_534;

/// What an operator may change about browsers. Nothing here can be set by a canary: several of
/// these options amount to running a program.
#[derive(Clone, Debug)]
pub struct BrowserSettings {
    /// A remote end to use in place of a driver of our own, such as a Selenium Grid.
    pub remote: Option<Url>,
    /// The driver: a path, or a name to be found in `search_path`.
    pub driver: PathBuf,
    /// The browser; `None` looks for Chromium, then Chrome.
    pub browser: Option<PathBuf>,
    /// The program that becomes the guard when given [`super::GUARD_SUBCOMMAND`]: this one.
    pub guard: PathBuf,
    /// Where programs are looked for; also the browser's `PATH`.
    pub search_path: String,
    /// Where profile folders are made; whoever `run_as` names must be able to reach it.
    pub scratch_root: PathBuf,
    /// User and group that the browser runs as when we are root, so that its sandbox works.
    pub run_as: Option<(u32, u32)>,
    /// What to do where Chromium's sandbox cannot work.
    pub sandbox: SandboxPolicy,
    /// Begins the mark that every process of ours carries in its environment.
    pub mark: String,
    /// What pages may reach. In `pr` trust all traffic goes through a proxy that asks it; in full
    /// trust pages connect by themselves, and only metadata services are shut to them.
    pub policy: NetworkPolicy,
    /// Further arguments for the browser.
    pub arguments: Vec<String>,
    /// Runs at one time; further ones wait.
    pub sessions_max: usize,
    /// Runs that share one browser at one time, each in a context of its own. More than one saves
    /// memory (some 75 MiB a run in place of 120) and lets a page that hangs hold up the others.
    pub sessions_per_browser: usize,
    /// A browser is replaced after so many runs.
    pub runs_per_browser: u32,
    /// A browser is replaced when it is older than this.
    pub browser_age_max: Duration,
    /// A new browser is started only while the machine has so much memory to spare, in MiB.
    pub memory_available_min_mib: u64,
}

/// What to do where Chromium's sandbox cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPolicy {
    /// Refuse to start a browser. For pages and canaries one does not trust.
    Required,
    /// Start without it and say so loudly.
    Preferred,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        Self {
            remote: None,
            driver: "chromedriver".into(),
            browser: None,
            guard: "/proc/self/exe".into(),
            search_path: SEARCH_PATH.to_owned(),
            scratch_root: "/tmp".into(),
            run_as: Some((NOBODY, NOBODY)),
            sandbox: SandboxPolicy::Preferred,
            mark: format!("{:08x}", fastrand::u32(..)),
            policy: NetworkPolicy::default(),
            arguments: Vec::new(),
            sessions_max: 4,
            sessions_per_browser: 1,
            runs_per_browser: 200,
            browser_age_max: Duration::from_secs(30 * 60),
            memory_available_min_mib: 384,
        }
    }
}

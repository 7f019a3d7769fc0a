use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use url::Url;

use super::context::Context;
use super::trust::trust;
use crate::runner::browser::{BrowserPool, BrowserSettings, SandboxPolicy};
use crate::runner::policy::{Destination, NetworkPolicy, Trust, TrustError};
use crate::runner::probe::NetworkSettings;
use crate::runner::{Environment, NewPicture, PictureSettings, Runner, RunnerSettings};
use crate::task::TaskGroup;

/// Flags of every command that makes runs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What canaries may do")]
pub(super) struct RunnerFlags {
    /// How far the canaries are trusted
    ///
    /// `full`: as far as you. `pr`: as a pull request from a stranger: only public addresses and
    /// those of --allow-net are reached, no secret is shown, and of the environment only what
    /// --allow-env names. In the CI job of a pull request from a
    /// fork, `pr` holds whatever this says.
    #[arg(long, value_name = "LEVEL", default_value = "full", value_parser = trust_level)]
    #[arg(env = "COALMINE_TRUST", hide_env_values = true)]
    trust: Trust,

    /// A destination that may be reached whatever the trust; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = str::parse::<Destination>)]
    allow_net: Vec<Destination>,

    /// A variable of the environment that canaries may see in `pr` trust; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<String>,

    /// The folder of approved pictures
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    #[arg(env = "COALMINE_BASELINES", hide_env_values = true)]
    baselines: PathBuf,

    /// The browser [default: Chromium, else Chrome]
    #[arg(long, value_name = "PATH", env = "COALMINE_BROWSER", hide_env_values = true)]
    browser: Option<PathBuf>,

    /// The browser's driver
    #[arg(long, value_name = "PATH", default_value = "chromedriver")]
    #[arg(env = "COALMINE_DRIVER", hide_env_values = true)]
    driver: PathBuf,

    /// Drive browsers elsewhere: the URL of a WebDriver server or Selenium Grid
    #[arg(long, value_name = "URL", env = "COALMINE_WEBDRIVER", hide_env_values = true)]
    webdriver: Option<Url>,
}

fn trust_level(text: &str) -> Result<Trust, String> {
    text.parse().map_err(|error: TrustError| error.to_string())
}

impl RunnerFlags {
    /// The trust that was asked for.
    pub(super) const fn trust(&self) -> Trust {
        self.trust
    }

    /// A runner under these flags, for so many runs at a time. Nothing is opened or started before
    /// a run needs it; [`Runner::close`] ends the browsers.
    pub(super) fn runner(&self, context: &Context, jobs: usize, new: NewPicture) -> Runner {
        let trust = trust(self.trust, &context.environment);
        let policy = NetworkPolicy::new(trust, self.allow_net.clone());
        let settings = RunnerSettings {
            network: NetworkSettings { policy: policy.clone(), ..NetworkSettings::default() },
            environment: Environment::new(
                context.environment.clone(),
                self.allow_env.iter().cloned().collect(),
            ),
            pictures: PictureSettings { baselines: self.baselines.clone(), new },
            ..RunnerSettings::default()
        };
        let defaults = BrowserSettings::default();
        let browsers = BrowserSettings {
            remote: self.webdriver.clone(),
            driver: self.driver.clone(),
            browser: self.browser.clone(),
            policy,
            sessions_max: jobs,
            sandbox: match trust {
                Trust::Full => SandboxPolicy::Preferred,
                Trust::PullRequest => SandboxPolicy::Required,
            },
            search_path: context.environment.get("PATH").unwrap_or(&defaults.search_path).clone(),
            ..defaults
        };
        let clock = &context.clock;
        let browsers = BrowserPool::new(browsers, Arc::clone(clock), &TaskGroup::new());
        Runner::new(settings, Arc::clone(clock)).with_browsers(browsers)
    }
}

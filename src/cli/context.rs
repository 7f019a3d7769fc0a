use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use super::ExitStatus;
use super::arguments::Invocation;
use super::fatal::Fatal;
use super::screen::Screen;
use crate::config::ConfigFile;
use crate::diagnostic::Style;
use crate::time::{Clock, SystemClock};

/// What every command is given.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) screen: Screen,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) clock: Arc<dyn Clock>,
    /// The configuration file, where there is one.
    pub(super) config: Option<ConfigFile>,
}

impl Context {
    pub(super) fn new(invocation: &Invocation) -> Self {
        let environment = environment();
        let common = &invocation.common;
        let no_color = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let screen = Screen::new(common.color, common.message_format, no_color);
        start_logs(&common.log, &screen);
        let config = invocation.defaults.file().cloned();
        Self { screen, environment, clock: Arc::new(SystemClock), config }
    }

    /// Runs `work` on a runtime of its own; whatever is left running then is abandoned.
    pub(super) fn block_on<F: Future>(&self, work: F) -> Result<F::Output, Fatal> {
        let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "cannot start the async runtime").because(&error)
        })?;
        let output = runtime.block_on(work);
        // BOUND: ordered shutdown has happened inside `work`, or was cut short by a second signal.
        runtime.shutdown_background();
        Ok(output)
    }
}

/// The environment, read once. What is not text cannot be used in canaries and is left out.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Our own log goes to standard error. A second start in one process (tests) keeps the first.
fn start_logs(filter: &str, screen: &Screen) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(screen.err().style == Style::Coloured);
    drop(if screen.speaks_json() { log.json().try_init() } else { log.try_init() });
}

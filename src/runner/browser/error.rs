use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::process::DriverError;
use super::protocol::{BidiError, WebDriverError};

/// Why there is no browser to work with. All of these are our side's fault (verdict `runner`),
/// never the target's: what a page does wrong is an outcome of an action.
#[derive(Debug, Error)]
pub enum BrowserError {
    /// No browser program was found.
    #[error("no browser: looked for {} in {search_path}", list(.names))]
    NoBrowser {
        /// What was looked for.
        names: Vec<PathBuf>,
        /// Where.
        search_path: String,
    },
    /// The driver did not start.
    #[error("no driver")]
    Driver(#[from] DriverError),
    /// The driver opened no session: the browser does not start, or the remote end refuses.
    #[error("the driver opened no session")]
    Session(#[source] WebDriverError),
    /// The browser gave no context to work in.
    #[error("the browser gave no page")]
    Context(#[source] BidiError),
    /// Every place was taken until the deadline.
    #[error("no browser was free within {} s", .waited.as_secs())]
    Busy {
        /// How long the run waited.
        waited: Duration,
    },
    /// The proxy that asks the policy could not be started.
    #[error("no way out for the browser")]
    Egress(#[source] io::Error),
    /// Canaries that are not trusted run in browsers of our own only.
    #[error("`pr` trust uses no remote WebDriver: its traffic cannot be held to the policy")]
    Untrusted,
    /// The pool has been stopped.
    #[error("the browser pool has stopped")]
    Stopped,
}

fn list(names: &[PathBuf]) -> String {
    let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
    names.join(", ")
}

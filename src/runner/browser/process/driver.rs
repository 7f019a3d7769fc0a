use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use url::Url;

use super::guard::{GUARD_FAULT, GUARD_SUBCOMMAND, GuardOrder, GuardReady};
use super::tree::MARKER_VARIABLE;
use crate::runner::browser::settings::BrowserSettings;
use crate::task::TaskGroup;
use crate::time::{Clock, Deadline};

/// How long a guard gets to end its tree before we stop waiting for it.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often a driver is started before its losing the race for a port counts as a fault.
const START_ATTEMPTS: u32 = 3;
/// A driver that has written so much without naming its port is not the driver we know.
const START_OUTPUT_MAX: u64 = 64 * 1024;

/// Why no driver is running. All of these are our side's fault, never the target's.
#[derive(Debug, Error)]
pub enum DriverError {
    /// There is no such program.
    #[error("no {} in {search_path}", .program.display())]
    NotFound {
        /// What was looked for.
        program: PathBuf,
        /// Where.
        search_path: String,
    },
    /// The guard could not be started.
    #[error("cannot start the browser guard {}", .program.display())]
    Guard {
        /// The program that should have become the guard.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The guard or the driver said why it cannot.
    #[error("the driver did not start: {}", .said.trim())]
    Refused {
        /// Its last words.
        said: String,
    },
    /// It did not say its port in time.
    #[error("the driver did not name its port in time")]
    TooSlow,
}

/// A running driver, with the guard that ends it and everything it started.
///
/// Dropping it closes the guard's input, upon which the guard kills the tree and removes the files;
/// [`Driver::stop`] also waits for that.
#[derive(Debug)]
pub(in crate::runner::browser) struct Driver {
    endpoint: Url,
    home: PathBuf,
    guard: Child,
    /// Held open for as long as the driver shall live.
    lifeline: Option<ChildStdin>,
}

impl Driver {
    /// Starts a driver on a free loopback port.
    ///
    /// Cancel safety: a dropped start closes the lifeline, so its guard cleans up.
    pub(in crate::runner::browser) async fn start(
        settings: &BrowserSettings,
        deadline: Deadline,
        tasks: &TaskGroup,
    ) -> Result<Self, DriverError> {
        for _ in 1..START_ATTEMPTS {
            match Self::start_once(settings, deadline, tasks).await {
                Err(DriverError::Refused { said }) if lost_its_port(&said) => {}
                outcome => return outcome,
            }
        }
        Self::start_once(settings, deadline, tasks).await
    }

    async fn start_once(
        settings: &BrowserSettings,
        deadline: Deadline,
        tasks: &TaskGroup,
    ) -> Result<Self, DriverError> {
        let order = order(settings)?;
        let program = settings.guard.clone();
        let fault = |source| DriverError::Guard { program: program.clone(), source };
        let argument = serde_json::to_string(&order).map_err(|cause| fault(cause.into()))?;
        let mut guard = Command::new(&program)
            .arg(GUARD_SUBCOMMAND)
            .arg(argument)
            .env_clear()
            .env(MARKER_VARIABLE, &order.mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(fault)?;
        let lifeline = guard.stdin.take();
        let output = guard.stdout.take().ok_or_else(|| fault(io::ErrorKind::BrokenPipe.into()))?;
        let mut output = BufReader::new(output);
        let started = read_start(&mut output);
        let (home, port) = deadline.bound(started).await.map_err(|_| DriverError::TooSlow)??;
        let endpoint = Url::parse(&format!("http://127.0.0.1:{port}/"))
            .expect("a loopback address with a port is a URL");
        // A full pipe would stop the driver, so what it says later is read and forgotten.
        tasks.spawn("driver-output", move |stop| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = drain(output) => {}
            }
        });
        Ok(Self { endpoint, home, guard, lifeline })
    }

    /// Where it listens.
    pub(in crate::runner::browser) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The folder its user may write to, removed at the end.
    pub(in crate::runner::browser) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether driver and guard are still there.
    pub(in crate::runner::browser) fn is_running(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// Ends the driver, its browser and its files, and waits until they are gone.
    pub(in crate::runner::browser) async fn stop(mut self, clock: &dyn Clock) {
        drop(self.lifeline.take());
        let grace = Deadline::after(clock, STOP_GRACE);
        if !matches!(grace.bound(self.guard.wait()).await, Ok(Ok(_))) {
            tracing::error!(home = %self.home.display(), "browser guard did not end");
        }
    }
}

fn order(settings: &BrowserSettings) -> Result<GuardOrder, DriverError> {
    let program = find_program(&settings.driver, &settings.search_path).ok_or_else(|| {
        DriverError::NotFound {
            program: settings.driver.clone(),
            search_path: settings.search_path.clone(),
        }
    })?;
    Ok(GuardOrder {
        mark: format!("{}-{:04x}", settings.mark, fastrand::u16(..)),
        scratch_root: settings.scratch_root.clone(),
        program,
        arguments: vec!["--port=0".to_owned(), "--log-level=SEVERE".to_owned()],
        search_path: settings.search_path.clone(),
        run_as: settings.run_as,
    })
}

/// Finds a program as a shell would: a path as it stands, a bare name in the search path.
pub(in crate::runner::browser) fn find_program(name: &Path, search_path: &str) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

async fn read_start(
    output: &mut BufReader<impl AsyncRead + Unpin>,
) -> Result<(PathBuf, u16), DriverError> {
    let mut output = output.take(START_OUTPUT_MAX);
    let mut said = String::new();
    let mut home = None;
    loop {
        let mut line = String::new();
        let read = output.read_line(&mut line).await;
        if !matches!(read, Ok(1..)) {
            return Err(DriverError::Refused { said });
        }
        if let Some(fault) = line.strip_prefix(GUARD_FAULT) {
            return Err(DriverError::Refused { said: fault.to_owned() });
        }
        match (&home, started_port(&line)) {
            (None, _) => {
                home = serde_json::from_str(&line).ok().map(|ready: GuardReady| ready.home)
            }
            (Some(home), Some(port)) => return Ok((home.clone(), port)),
            (Some(_), None) => {}
        }
        said.push_str(&line);
    }
}

/// Source: chromedriver and geckodriver, their start lines.
fn started_port(line: &str) -> Option<u16> {
    let rest = line
        .split_once("was started successfully on port ")
        .or_else(|| line.split_once("Listening on 127.0.0.1:"))?
        .1;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Whether a chromedriver lost the race for its port: it takes a free one on IPv6, then the same
/// number on IPv4, which another process may have had since.
fn lost_its_port(said: &str) -> bool {
    said.contains("port not available")
}

async fn drain(mut output: BufReader<impl AsyncRead + Unpin>) {
    tokio::io::copy_buf(&mut output, &mut tokio::io::sink()).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_either_drivers_start_line() {
        for (line, port) in [
            ("ChromeDriver was started successfully on port 38679.\n", Some(38679)),
            ("1700000000000\tgeckodriver\tINFO\tListening on 127.0.0.1:4444\n", Some(4444)),
            ("Starting ChromeDriver 156.0 on port 0\n", None),
        ] {
            assert_eq!(started_port(line), port, "{line}");
        }
    }

    #[tokio::test]
    async fn a_guard_that_cannot_start_the_driver_says_why() {
        let said = b"{\"home\":\"/h\"}\nguard: cannot start /x: not permitted\n".as_slice();
        let fault = read_start(&mut BufReader::new(said)).await.unwrap_err();
        assert_eq!(fault.to_string(), "the driver did not start: cannot start /x: not permitted");
    }

    #[test]
    fn a_bare_name_is_looked_up_and_a_path_is_not() {
        assert_eq!(find_program(Path::new("sh"), "/nowhere:/bin"), Some("/bin/sh".into()));
        assert_eq!(find_program(Path::new("/bin/sh"), ""), Some("/bin/sh".into()));
        assert_eq!(find_program(Path::new("sh"), "/nowhere"), None);
    }
}

//! One browser: a driver, a Chromium, and the sessions into it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::{Sandbox, attaching_capabilities, capabilities};
use crate::runner::browser::error::BrowserError;
use crate::runner::browser::process::Driver;
use crate::runner::browser::protocol::{Bidi, BidiError, Command, WebDriver};
use crate::runner::browser::settings::BrowserSettings;
use crate::task::TaskGroup;
use crate::time::{Clock, Deadline, Monotonic};

/// What a run is told of, from the browser as a whole.
pub(super) const EVENTS: [&str; 4] = [
    "log.entryAdded",
    "network.beforeRequestSent",
    "network.fetchError",
    "network.responseCompleted",
];

/// A running browser that several runs may share, each in a user context of its own.
#[derive(Debug)]
pub(super) struct Browser {
    pub(super) started: Monotonic,
    pub(super) version: String,
    bidi: Bidi,
    /// Where further sessions attach.
    debugger: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    driver: Option<Driver>,
    /// Sessions that no run uses.
    idle: Vec<Lane>,
    /// A fresh context, made ahead of the next run.
    prepared: Option<Context>,
    /// Places that are taken.
    taken: usize,
    /// Runs that were given a place, ever.
    runs: u32,
    last_used: Monotonic,
    /// Why it is given to nobody any more.
    retired: Option<&'static str>,
}

/// A user context with one tab.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) user_context: String,
    /// The tab's name, which is also its classic window handle.
    pub(super) window: String,
}

/// A classic session into a browser. A driver carries out one command of a session at a time, so
/// each run has a session of its own.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) session: WebDriver,
    /// The browser's first session, which also holds the BiDi connection.
    pub(super) is_first: bool,
}

impl Browser {
    /// Starts a driver and, through it, a browser.
    pub(super) async fn start(
        settings: &BrowserSettings,
        (sandbox, proxy): (Sandbox, Option<SocketAddr>),
        deadline: Deadline,
        ground: (&dyn Clock, &TaskGroup),
    ) -> Result<Self, BrowserError> {
        let (clock, tasks) = ground;
        let capabilities = capabilities(settings, sandbox, proxy)?;
        let driver = Driver::start(settings, deadline, tasks).await?;
        let session = WebDriver::open(driver.endpoint(), &capabilities, deadline)
            .await
            .map_err(BrowserError::Session)?;
        let text = |pointer: &str| {
            let (name, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
            let found = session.capability(name)?;
            let found = if rest.is_empty() { Some(found) } else { found.get(rest) };
            found?.as_str().map(str::to_owned)
        };
        let socket = text("webSocketUrl").unwrap_or_default();
        let bidi = Bidi::connect(&socket, deadline, tasks).await.map_err(BrowserError::Context)?;
        bidi.command("session.subscribe", json!({ "events": EVENTS }), deadline)
            .await
            .map_err(BrowserError::Context)?;
        let first_tab = session.issue(Command::get("window"), deadline).await;
        let first_tab = first_tab.map_err(BrowserError::Session)?;
        let now = clock.monotonic();
        let browser = Self {
            started: now,
            version: text("browserVersion").unwrap_or_default(),
            debugger: text("goog:chromeOptions/debuggerAddress").unwrap_or_default(),
            bidi,
            state: Mutex::new(State {
                driver: Some(driver),
                idle: vec![Lane { session, is_first: true }],
                prepared: None,
                taken: 0,
                runs: 0,
                last_used: now,
                retired: None,
            }),
        };
        // ORDER: the first run's tab before the one the browser came with is closed: a session ends
        // with its last tab.
        browser.prepare(deadline).await.map_err(BrowserError::Context)?;
        let close = json!({ "context": first_tab });
        let closed = browser.bidi.command("browsingContext.close", close, deadline).await;
        closed.map_err(BrowserError::Context)?;
        Ok(browser)
    }

    /// The folder that its user may write to.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.lock().driver.as_ref().map(|driver| driver.home().to_owned())
    }

    pub(super) fn bidi(&self) -> &Bidi {
        &self.bidi
    }

    /// Takes a place, unless the browser is full, worn or unwell.
    pub(super) fn take_place(&self, settings: &BrowserSettings, now: Monotonic) -> bool {
        self.check(settings, now);
        let mut state = self.lock();
        let has_place = state.retired.is_none() && state.taken < settings.sessions_per_browser;
        if has_place {
            state.taken += 1;
            state.runs += 1;
            state.last_used = now;
        }
        has_place
    }

    /// Retires the browser when it is old, worn, or not running any more.
    pub(super) fn check(&self, settings: &BrowserSettings, now: Monotonic) {
        let mut state = self.lock();
        let is_running = state.driver.as_mut().is_some_and(Driver::is_running);
        let reason = if !is_running || !self.bidi.is_open() {
            "it has ended"
        } else if now.since(self.started) >= settings.browser_age_max {
            "it is old"
        } else if state.runs >= settings.runs_per_browser {
            "it has served its runs"
        } else {
            return;
        };
        state.retired.get_or_insert(reason);
    }

    /// Gives the browser to nobody any more.
    pub(super) fn retire(&self, reason: &'static str) {
        self.lock().retired.get_or_insert(reason);
    }

    /// Whether it is given to nobody any more.
    pub(super) fn is_retired(&self) -> bool {
        self.lock().retired.is_some()
    }

    /// Why it may be ended now; `None` while it is in use or still good.
    pub(super) fn is_spent(&self, idle_max: Duration, now: Monotonic) -> Option<&'static str> {
        let state = self.lock();
        if state.taken > 0 {
            return None;
        }
        let is_idle = now.since(state.last_used) >= idle_max;
        state.retired.or_else(|| is_idle.then_some("nobody needs it"))
    }

    /// A session for a run that has taken a place: an idle one, or a new one.
    pub(super) async fn lane(&self, deadline: Deadline) -> Result<Lane, BrowserError> {
        let endpoint = {
            let mut state = self.lock();
            if let Some(lane) = state.idle.pop() {
                return Ok(lane);
            }
            state.driver.as_ref().map(|driver| driver.endpoint().clone())
        };
        let endpoint = endpoint.ok_or(BrowserError::Stopped)?;
        let capabilities = attaching_capabilities(&self.debugger);
        let opening = WebDriver::open(&endpoint, &capabilities, deadline);
        let session = Box::pin(opening).await.map_err(BrowserError::Session)?;
        Ok(Lane { session, is_first: false })
    }

    /// A fresh context: the prepared one, or a new one.
    pub(super) async fn context(&self, deadline: Deadline) -> Result<Context, BidiError> {
        let prepared = self.lock().prepared.take();
        match prepared {
            Some(context) => Ok(context),
            None => self.open_context(deadline).await,
        }
    }

    /// Makes a fresh context for the next run ahead of it.
    pub(super) async fn prepare(&self, deadline: Deadline) -> Result<(), BidiError> {
        if self.lock().prepared.is_none() {
            let context = self.open_context(deadline).await?;
            self.lock().prepared = Some(context);
        }
        Ok(())
    }

    async fn open_context(&self, deadline: Deadline) -> Result<Context, BidiError> {
        let made = self.bidi.command("browser.createUserContext", json!({}), deadline).await?;
        let user_context = text_of(&made, "userContext");
        let tab = json!({ "type": "tab", "userContext": user_context });
        let made = self.bidi.command("browsingContext.create", tab, deadline).await?;
        Ok(Context { user_context, window: text_of(&made, "context") })
    }

    /// Ends a user context with all its tabs, cookies and storage.
    pub(super) async fn close_context(
        &self,
        context: &Context,
        deadline: Deadline,
    ) -> Result<(), BidiError> {
        let which = json!({ "userContext": context.user_context });
        self.bidi.command("browser.removeUserContext", which, deadline).await.map(drop)
    }

    /// Gives a place back, with its session where that is fit for another run.
    pub(super) fn give_back(&self, lane: Option<Lane>, now: Monotonic) {
        let mut state = self.lock();
        state.taken = state.taken.saturating_sub(1);
        state.last_used = now;
        state.idle.extend(lane);
    }

    /// Ends the browser and waits until nothing of it is left.
    pub(super) async fn stop(&self, clock: &dyn Clock) {
        let (driver, idle) = {
            let mut state = self.lock();
            state.retired.get_or_insert("it was stopped");
            (state.driver.take(), std::mem::take(&mut state.idle))
        };
        if let Some(driver) = driver {
            driver.stop(clock).await;
        }
        drop(idle);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text_of(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

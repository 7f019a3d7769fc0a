use std::time::Duration;

use serde_json::{Value, json};

use super::fault::PageFault;
use super::record::{ConsoleMessage, PageExchange, Record};
use super::tabs::Tabs;
use super::vitals::Measured;
use crate::runner::browser::error::BrowserError;
use crate::runner::browser::pool::{Lease, PageSettings};
use crate::runner::browser::protocol::{Command, WebDriverError, WebDriverFault};
use crate::time::{Clock, Deadline};

/// How long an action waits unless told otherwise.
pub(super) const ACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a page may take to load unless told otherwise.
pub(super) const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// What is left of a step when its page actions give up: to say why, and to take a picture.
const LAST_WORDS: Duration = Duration::from_millis(750);
/// A page may open dialogs without end; so many are dismissed within one action.
const DIALOGS_MAX: usize = 10;

/// One run's page. Dropping it closes the page and gives the place back.
#[derive(Debug)]
pub struct BrowserSession {
    pub(in crate::runner::browser) lease: Lease,
    pub(super) settings: PageSettings,
    /// Whether the driver passes on commands of Chromium's own protocol.
    pub(in crate::runner::browser) speaks_devtools: bool,
    /// Whether commands go to a frame rather than the page.
    pub(super) is_in_frame: bool,
    /// The page-load limit that the driver was last told.
    load_limit: Option<Duration>,
    record: Record,
    pub(super) measured: Measured,
    pub(super) tabs: Tabs,
    /// Texts of the dialogs that were dismissed because nobody answered them.
    pub(super) dismissed: Vec<String>,
}

impl BrowserSession {
    /// Makes a place ready for a run: its window, its viewport, its visitor's surroundings.
    pub(in crate::runner::browser) async fn prepare(
        lease: Lease,
        settings: PageSettings,
        deadline: Deadline,
    ) -> Result<Self, BrowserError> {
        let speaks_devtools = lease.session().capability("goog:chromeOptions").is_some();
        let record = Record::new(lease.clock().monotonic());
        let mut session = Self {
            lease,
            settings,
            speaks_devtools,
            is_in_frame: false,
            load_limit: None,
            record,
            measured: Measured::default(),
            tabs: Tabs::default(),
            dismissed: Vec::new(),
        };
        let window = session.lease.window().map(ToOwned::to_owned);
        session.surround(window, deadline).await.map_err(BrowserError::Session)?;
        Ok(session)
    }

    /// Goes to a tab and makes it the visitor's.
    pub(super) async fn surround(
        &mut self,
        window: Option<String>,
        deadline: Deadline,
    ) -> Result<(), WebDriverError> {
        let mut commands = Vec::new();
        if let Some(window) = window {
            commands.push(Command::post("window", json!({ "handle": window })));
        }
        commands.push(self.size_command());
        let PageSettings { locale, timezone, dark, .. } = &self.settings;
        if self.speaks_devtools {
            let media = json!({ "features": [
                { "name": "prefers-reduced-motion", "value": "reduce" },
                { "name": "prefers-color-scheme", "value": if *dark { "dark" } else { "light" } },
            ]});
            for (method, parameters) in [
                ("Emulation.setLocaleOverride", json!({ "locale": locale })),
                ("Emulation.setTimezoneOverride", json!({ "timezoneId": timezone })),
                ("Emulation.setEmulatedMedia", media),
            ] {
                commands.push(Command::devtools(method, parameters));
            }
            if *locale != PageSettings::default().locale {
                // Of the language the override above tells scripts only half: this one tells them
                // and servers the rest. An empty agent leaves the browser's own.
                let spoken = json!({ "userAgent": "", "acceptLanguage": locale });
                commands.push(Command::devtools("Emulation.setUserAgentOverride", spoken));
            }
            commands.extend(self.tabs.rules());
        }
        for command in commands {
            if let Err(fault) = self.lease.session().issue(command, deadline).await {
                self.lease.poison();
                return Err(fault);
            }
        }
        Ok(())
    }

    /// The deadline of one action inside its step's: early enough to say what it waited for.
    pub(in crate::runner::browser) fn action_deadline(
        &self,
        timeout: Option<Duration>,
        default: Duration,
        step: Deadline,
    ) -> Deadline {
        let left = step.left(self.clock());
        let usable = left.saturating_sub(LAST_WORDS).max(left / 2);
        step.tightened(self.clock(), timeout.unwrap_or(default).min(usable))
    }

    /// When a command that should end by `deadline` is given up for lost.
    pub(in crate::runner::browser) fn hard(&self, deadline: Deadline) -> Deadline {
        let left = deadline.left(self.clock());
        Deadline::after(self.clock(), left + LAST_WORDS / 2)
    }

    /// Takes in what the browser has told since the last time.
    pub(super) fn absorb_events(&mut self) {
        let now = self.lease.clock().monotonic();
        while let Some(event) = self.lease.next_event() {
            self.record.absorb(&event, now);
        }
    }

    /// What the page asked for so far, and what it got.
    pub fn exchanges(&mut self) -> &[PageExchange] {
        self.absorb_events();
        self.record.exchanges()
    }

    /// What the page's console said so far.
    pub fn console(&mut self) -> &[ConsoleMessage] {
        self.absorb_events();
        self.record.console()
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// What the page was set to.
    pub fn page_settings(&self) -> &PageSettings {
        &self.settings
    }

    pub(in crate::runner::browser) fn clock(&self) -> &dyn Clock {
        self.lease.clock()
    }

    /// Sends a command; a dialog that is in its way is dismissed, and noted.
    pub(in crate::runner::browser) async fn issue(
        &mut self,
        command: impl Fn() -> Command,
        deadline: Deadline,
    ) -> Result<Value, WebDriverError> {
        for _dialog in 0..DIALOGS_MAX {
            match self.issue_once(command(), deadline).await {
                Err(fault) if fault.fault() == Some(WebDriverFault::UnexpectedAlertOpen) => {
                    self.dismiss_dialog(deadline).await?;
                }
                answer => return answer,
            }
        }
        self.issue_once(command(), deadline).await
    }

    pub(super) async fn issue_once(
        &mut self,
        command: Command,
        deadline: Deadline,
    ) -> Result<Value, WebDriverError> {
        let answer = self.lease.session().issue(command, deadline).await;
        if answer.as_ref().is_err_and(WebDriverError::is_fatal) {
            self.lease.poison();
        }
        answer
    }

    async fn dismiss_dialog(&mut self, deadline: Deadline) -> Result<(), WebDriverError> {
        let text = self.issue_once(Command::get("alert/text"), deadline).await;
        if let Ok(Value::String(text)) = text {
            self.dismissed.push(text);
        }
        match self.issue_once(Command::post("alert/dismiss", json!({})), deadline).await {
            Err(fault) if fault.fault() != Some(WebDriverFault::NoSuchAlert) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Runs a function body of ours in the page.
    pub(in crate::runner::browser) async fn script(
        &mut self,
        body: &str,
        argument: &Value,
        deadline: Deadline,
    ) -> Result<Value, WebDriverError> {
        let arguments = std::slice::from_ref(argument);
        self.issue(|| Command::script(body, arguments), deadline).await
    }

    /// Tells the driver how long pages may load, when that has changed.
    pub(super) async fn limit_loading(&mut self, deadline: Deadline) -> Result<(), WebDriverError> {
        let limit = deadline.left(self.clock()).max(Duration::from_millis(1));
        // Half a second more or less makes no difference, and each change costs a command.
        if self.load_limit.is_some_and(|told| told.abs_diff(limit) < Duration::from_millis(500)) {
            return Ok(());
        }
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let told = Command::post("timeouts", json!({ "pageLoad": millis }));
        self.issue_once(told, self.hard(deadline)).await?;
        self.load_limit = Some(limit);
        Ok(())
    }

    /// What a failed command means for the action that sent it.
    pub(in crate::runner::browser) fn fault(source: WebDriverError) -> PageFault {
        match source {
            source @ WebDriverError::TimedOut { .. } => PageFault::Unresponsive { source },
            source if source.fault() == Some(WebDriverFault::Timeout) => {
                PageFault::Unresponsive { source }
            }
            source => PageFault::Lost { source },
        }
    }
}

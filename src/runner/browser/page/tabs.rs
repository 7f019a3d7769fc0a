//! Several tabs of one run, and what its pages may ask for and say.

use serde_json::{Value, json};

use super::BrowserSession;
use super::act::ActionLimit;
use super::fault::PageFault;
use super::session::ACTION_TIMEOUT;
use crate::canary::report::Verdict;
use crate::runner::browser::protocol::{Command, WebDriverError};
use crate::time::Deadline;

/// Which tab a run works in, and what holds in each.
#[derive(Debug, Default)]
pub(super) struct Tabs {
    /// Tabs that were worked in, the first one first.
    known: Vec<String>,
    /// Patterns of addresses that are not asked for.
    blocked: Vec<String>,
    /// Headers of every request.
    headers: Vec<(String, String)>,
}

impl Tabs {
    /// The commands that make a tab keep to what was said about requests.
    pub(super) fn rules(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        if !self.blocked.is_empty() || !self.headers.is_empty() {
            commands.push(Command::devtools("Network.enable", json!({})));
        }
        if !self.blocked.is_empty() {
            let urls = json!({ "urls": self.blocked });
            commands.push(Command::devtools("Network.setBlockedURLs", urls));
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
            let headers: serde_json::Map<String, Value> = headers.collect();
            let headers = json!({ "headers": headers });
            commands.push(Command::devtools("Network.setExtraHTTPHeaders", headers));
        }
        commands
    }
}

impl BrowserSession {
    /// Works in the tab that a page opened last, from here on; waits for it.
    pub async fn newest_tab(&mut self, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.know_the_first(deadline).await?;
        let began = self.clock().monotonic();
        loop {
            let tabs = self.open_tabs(deadline).await?;
            let new = tabs.into_iter().rfind(|tab| !self.tabs.known.contains(tab));
            if let Some(tab) = new {
                self.tabs.known.push(tab.clone());
                return self.work_in(tab, deadline).await;
            }
            if deadline.has_passed(self.clock()) {
                return Err(PageFault::Unmet {
                    condition: "a new tab".to_owned(),
                    seen: "none opened".to_owned(),
                    waited: self.clock().monotonic().since(began),
                });
            }
            self.pause(deadline).await;
        }
    }

    /// Works in the tab that the run began with.
    pub async fn first_tab(&mut self, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.know_the_first(deadline).await?;
        let first = self.tabs.known.first().cloned().unwrap_or_default();
        self.work_in(first, deadline).await
    }

    /// Closes the tab and goes back to the one that the run began with.
    pub async fn close_tab(&mut self, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.know_the_first(deadline).await?;
        let now = self.current_tab(deadline).await?;
        if self.tabs.known.first() == Some(&now) {
            let problem = "the first tab stays open as long as the run";
            return Err(PageFault::unfit(problem, Verdict::Canary));
        }
        let hard = self.hard(deadline);
        self.issue(|| Command::delete("window"), hard).await.map_err(Self::fault)?;
        self.first_tab(limit).await
    }

    /// Refuses requests to addresses that these describe, `*` for any text, in this tab and in
    /// others from when they are worked in: what a new tab asks first has gone out by then.
    pub async fn block(
        &mut self,
        patterns: Vec<String>,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        self.tabs.blocked.extend(patterns);
        self.keep_to_rules(limit).await
    }

    /// Sends these headers with every request of this tab, and of others from when they are worked
    /// in: what a new tab asks first has gone out by then.
    pub async fn send_headers(
        &mut self,
        headers: Vec<(String, String)>,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        self.tabs.headers.extend(headers);
        self.keep_to_rules(limit).await
    }

    async fn keep_to_rules(&mut self, limit: ActionLimit) -> Result<(), PageFault> {
        if !self.speaks_devtools {
            let problem = "this browser's driver cannot change requests; Chromium's can";
            return Err(PageFault::unfit(problem, Verdict::Runner));
        }
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let hard = self.hard(deadline);
        for command in self.tabs.rules() {
            self.issue_once(command, hard).await.map_err(Self::fault)?;
        }
        Ok(())
    }

    async fn know_the_first(&mut self, deadline: Deadline) -> Result<(), PageFault> {
        if self.tabs.known.is_empty() {
            let first = match self.lease.window().map(ToOwned::to_owned) {
                Some(window) => window,
                None => self.current_tab(deadline).await?,
            };
            self.tabs.known.push(first);
        }
        Ok(())
    }

    async fn current_tab(&mut self, deadline: Deadline) -> Result<String, PageFault> {
        let hard = self.hard(deadline);
        let answer = self.issue(|| Command::get("window"), hard).await.map_err(Self::fault)?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// The tabs of this run, and of no other in the same browser.
    async fn open_tabs(&mut self, deadline: Deadline) -> Result<Vec<String>, PageFault> {
        let hard = self.hard(deadline);
        match self.lease.tabs(hard).await {
            Some(Ok(tabs)) => Ok(tabs),
            Some(Err(error)) => Err(PageFault::unfit(error.to_string(), Verdict::Runner)),
            None => {
                let answer = self.issue(|| Command::get("window/handles"), hard).await;
                let answer = answer.map_err(Self::fault)?;
                let handles = answer.as_array().into_iter().flatten();
                Ok(handles.filter_map(Value::as_str).map(ToOwned::to_owned).collect())
            }
        }
    }

    async fn work_in(&mut self, tab: String, deadline: Deadline) -> Result<(), PageFault> {
        self.is_in_frame = false;
        let hard = self.hard(deadline);
        let moved: Result<(), WebDriverError> = self.surround(Some(tab), hard).await;
        moved.map_err(Self::fault)
    }
}

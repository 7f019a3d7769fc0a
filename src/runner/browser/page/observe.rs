//! What a page shows, and waiting for what it shall show.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::act::ActionLimit;
use super::fault::PageFault;
use super::ready::{ACT, Need, ambiguous, is_passing};
use super::selector::Selector;
use super::session::{ACTION_TIMEOUT, BrowserSession};
use crate::canary::report::Verdict;
use crate::runner::browser::protocol::{Command, ElementId, WebDriverError};
use crate::time::Deadline;

/// Between two looks at a page that has not come to what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A network without a request for so long is idle.
const IDLE_FOR: Duration = Duration::from_millis(500);

/// Something of a page that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observable {
    /// The visible text of an element, white space squeezed.
    Text(Selector),
    /// The value of a field; whether a box is checked.
    Value(Selector),
    /// An attribute of an element.
    Attribute(Selector, String),
    /// How many elements match.
    Count(Selector),
    /// Whether any match is visible.
    Visible(Selector),
    /// The URL.
    Url,
    /// The title.
    Title,
    /// Messages of the console so far, each as `level: text`.
    Console,
}

impl Observable {
    fn request(&self) -> Option<Value> {
        let (what, name) = match self {
            Self::Text(_) => ("text", None),
            Self::Value(_) => ("value", None),
            Self::Attribute(_, name) => ("attribute", Some(name)),
            Self::Count(_) => ("count", None),
            Self::Visible(_) => ("visible", None),
            Self::Url => ("url", None),
            Self::Title => ("title", None),
            Self::Console => return None,
        };
        let locator = self.selector().map(Selector::to_argument);
        Some(json!({ "op": "observe", "what": what, "name": name, "locator": locator }))
    }

    fn selector(&self) -> Option<&Selector> {
        match self {
            Self::Text(selector)
            | Self::Value(selector)
            | Self::Attribute(selector, _)
            | Self::Count(selector)
            | Self::Visible(selector) => Some(selector),
            Self::Url | Self::Title | Self::Console => None,
        }
    }
}

impl BrowserSession {
    /// Looks once. `None` is an element, value or attribute that is not there.
    pub async fn observe(
        &mut self,
        what: &Observable,
        limit: ActionLimit,
    ) -> Result<Option<Value>, PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let Some(request) = what.request() else {
            return Ok(Some(self.record().console_lines().into()));
        };
        loop {
            match self.script(ACT, &request, self.hard(deadline)).await {
                Ok(answer) => return read_observation(answer, what),
                Err(fault) if fault.message().contains("is not a valid") => {
                    return Err(PageFault::BadLocator {
                        locator: what.selector().map(ToString::to_string).unwrap_or_default(),
                        reason: fault.message().to_owned(),
                    });
                }
                Err(fault) if is_passing(&fault) && !deadline.has_passed(self.clock()) => {
                    self.pause(deadline).await;
                }
                Err(fault) => return Err(Self::fault(fault)),
            }
        }
    }

    /// Looks until `holds` says that what was seen will do, or time is up. Gives what was seen
    /// last, with whether it did.
    pub async fn observe_until(
        &mut self,
        what: &Observable,
        limit: ActionLimit,
        mut holds: impl FnMut(Option<&Value>) -> bool,
    ) -> Result<(Option<Value>, bool), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        loop {
            let seen = self.observe(what, limit).await?;
            let does = holds(seen.as_ref());
            if does || deadline.has_passed(self.clock()) {
                return Ok((seen, does));
            }
            self.pause(deadline).await;
        }
    }

    /// Waits until exactly one element matches and is visible.
    pub async fn wait_visible(
        &mut self,
        selector: &Selector,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        self.visible(selector, limit).await.map(drop)
    }

    /// The one element that matches, once it is visible.
    pub(in crate::runner::browser) async fn visible(
        &mut self,
        selector: &Selector,
        limit: ActionLimit,
    ) -> Result<ElementId, PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.ready(selector, &[Need::Visible], deadline).await
    }

    /// Waits until no match is visible.
    pub async fn wait_hidden(
        &mut self,
        selector: &Selector,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let began = self.clock().monotonic();
        let visible = Observable::Visible(selector.clone());
        let gone = |seen: Option<&Value>| seen.and_then(Value::as_bool) == Some(false);
        match self.observe_until(&visible, limit, gone).await? {
            (_, true) => Ok(()),
            (_, false) => Err(PageFault::Obstructed {
                locator: selector.to_string(),
                wanted: "hidden".to_owned(),
                obstacle: "it is visible".to_owned(),
                seen: None,
                waited: self.clock().monotonic().since(began),
            }),
        }
    }

    /// Waits until no request has been under way for half a second.
    pub async fn wait_network_idle(&mut self, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let began = self.clock().monotonic();
        loop {
            self.absorb_events();
            let now = self.clock().monotonic();
            let quiet = self.record().quiet_since().map(|since| now.since(since.max(began)));
            if quiet.is_some_and(|quiet| quiet >= IDLE_FOR) {
                return Ok(());
            }
            if deadline.has_passed(self.clock()) {
                return Err(PageFault::Unmet {
                    condition: "the network to be idle".to_owned(),
                    seen: format!("still waiting for {}", self.unanswered().join(", ")),
                    waited: now.since(began),
                });
            }
            self.pause(deadline).await;
        }
    }

    /// Requests that have had no answer so far.
    pub(super) fn unanswered(&mut self) -> Vec<String> {
        self.absorb_events();
        self.record().unanswered()
    }

    /// Lets a moment pass.
    pub(super) async fn pause(&self, deadline: Deadline) {
        let moment = deadline.left(self.clock()).min(LOOK_EVERY);
        tokio::time::sleep(moment).await;
    }

    pub(super) async fn apply_size(&mut self, deadline: Deadline) -> Result<(), WebDriverError> {
        let command = self.size_command();
        self.issue_once(command, deadline).await.map(drop)
    }

    /// Writes files to where the browser's user can read them, and lists them as a file field
    /// takes them.
    pub(super) async fn lend_files(&self, files: &[(String, Bytes)]) -> Result<String, PageFault> {
        let unfit = |problem: &str| PageFault::unfit(problem, Verdict::Canary);
        let Some(home) = self.lease.home() else {
            return Err(unfit("files cannot be uploaded through a remote end"));
        };
        let failed = |fault: std::io::Error| {
            PageFault::unfit(format!("cannot lend files to the browser: {fault}"), Verdict::Runner)
        };
        let mut copies = Vec::new();
        for (name, content) in files {
            // Each in a folder of its own: the page sees the name, and two may be alike.
            let folder = home.join(format!("upload-{:016x}", fastrand::u64(..)));
            let name = Path::new(name).file_name().ok_or_else(|| unfit("a file has no name"))?;
            let copy = folder.join(name);
            tokio::fs::create_dir(&folder).await.map_err(failed)?;
            tokio::fs::write(&copy, content).await.map_err(failed)?;
            copies.push(copy.display().to_string());
        }
        Ok(copies.join("\n"))
    }

    pub(super) fn size_command(&self) -> Command {
        let (width, height) = (self.settings.width, self.settings.height);
        if self.speaks_devtools {
            Command::devtools(
                "Emulation.setDeviceMetricsOverride",
                json!({
                    "width": width, "height": height,
                    "deviceScaleFactor": self.settings.scale, "mobile": false,
                }),
            )
        } else {
            Command::post("window/rect", json!({ "width": width, "height": height }))
        }
    }
}

fn read_observation(answer: Value, what: &Observable) -> Result<Option<Value>, PageFault> {
    if answer.get("ambiguous").is_some() {
        let locator = what.selector().map(ToString::to_string).unwrap_or_default();
        return Err(ambiguous(&answer, locator));
    }
    let value = match answer {
        Value::Object(mut answer) => answer.remove("value"),
        _ => None,
    };
    Ok(value.filter(|value| !value.is_null()))
}

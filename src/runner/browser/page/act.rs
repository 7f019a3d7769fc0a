//! What is done to a page.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::fault::PageFault;
use super::keys;
use super::ready::{ACT, Need, is_passing};
use super::selector::Selector;
use super::session::{ACTION_TIMEOUT, BrowserSession, LOAD_TIMEOUT};
use crate::canary::page::HistoryMove;
use crate::canary::report::Verdict;
use crate::canary::secret::SecretText;
use crate::runner::browser::protocol::{Command, ElementId, WebDriverError, WebDriverFault};
use crate::time::Deadline;

/// When an action must have ended: its own limit inside its step's deadline.
#[derive(Clone, Copy, Debug)]
pub struct ActionLimit {
    /// The action's own limit; `None` is the browser's default.
    pub timeout: Option<Duration>,
    /// The step's deadline.
    pub step: Deadline,
}

/// What is put into a field.
#[derive(Clone, Debug)]
pub enum FieldText {
    /// Anybody may see it.
    Plain(String),
    /// Nobody may: it is covered in pictures from then on, and shows up in no error.
    Secret(SecretText),
}

impl FieldText {
    fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(text) => text.expose(),
        }
    }

    const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

impl BrowserSession {
    /// Goes to a URL and waits until it has loaded.
    pub async fn open(&mut self, url: &str, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, LOAD_TIMEOUT, limit.step);
        self.is_in_frame = false;
        self.load(|| Command::post("url", json!({ "url": url })), url, deadline).await
    }

    /// Moves in the history, or loads the page again.
    pub async fn travel(&mut self, to: HistoryMove, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, LOAD_TIMEOUT, limit.step);
        let path = match to {
            HistoryMove::Back => "back",
            HistoryMove::Forward => "forward",
            HistoryMove::Reload => "refresh",
        };
        self.is_in_frame = false;
        self.load(|| Command::post(path, json!({})), "the page", deadline).await
    }

    async fn load(
        &mut self,
        command: impl Fn() -> Command,
        url: &str,
        deadline: Deadline,
    ) -> Result<(), PageFault> {
        let began = self.clock().monotonic();
        self.limit_loading(deadline).await.map_err(Self::fault)?;
        match self.issue(command, self.hard(deadline)).await {
            Ok(_) => self.loaded(url, deadline).await,
            Err(fault) => {
                let waited = self.clock().monotonic().since(began);
                Err(self.load_fault(fault, url, waited))
            }
        }
    }

    /// Tells a page from the one that the browser shows when there is none, for the driver does
    /// not always.
    async fn loaded(&mut self, url: &str, deadline: Deadline) -> Result<(), PageFault> {
        let ask = || Command::script("return location.protocol", &[]);
        match self.issue(ask, self.hard(deadline)).await {
            Ok(protocol) if protocol.as_str() == Some("chrome-error:") => {
                self.absorb_events();
                let reason =
                    self.record().last_error().unwrap_or("the browser shows an error page");
                Err(PageFault::Unreachable { url: url.to_owned(), reason: reason.to_owned() })
            }
            Ok(_) => Ok(()),
            // A page that leads on at once has loaded.
            Err(fault) if is_passing(&fault) => Ok(()),
            Err(fault) => Err(Self::fault(fault)),
        }
    }

    fn load_fault(&mut self, fault: WebDriverError, url: &str, waited: Duration) -> PageFault {
        let url = url.to_owned();
        let reason =
            fault.message().split_once("net::").map(|(_, reason)| format!("net::{reason}"));
        match (fault.fault(), reason) {
            (_, Some(reason)) => PageFault::Unreachable { url, reason },
            (Some(WebDriverFault::Timeout | WebDriverFault::ScriptTimeout), _) => {
                PageFault::StillLoading { url, unanswered: self.unanswered(), waited }
            }
            (Some(WebDriverFault::InvalidArgument), _) => PageFault::unfit(
                format!("{url} is not a URL the browser can open"),
                Verdict::Canary,
            ),
            _ => Self::fault(fault),
        }
    }

    /// Clicks once.
    pub async fn click(&mut self, on: &Selector, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.until_taken(on, Need::FOR_POINTER, deadline, |element| {
            Command::post(element.path("click"), json!({}))
        })
        .await
    }

    /// Clicks twice, quickly.
    pub async fn double_click(
        &mut self,
        on: &Selector,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.until_taken(on, Need::FOR_POINTER, deadline, |element| pointer(element, 2)).await
    }

    /// Moves the pointer over an element.
    pub async fn hover(&mut self, over: &Selector, limit: ActionLimit) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let needs = [Need::Visible, Need::Stable, Need::Receives];
        self.until_taken(over, &needs, deadline, |element| pointer(element, 0)).await
    }

    /// Replaces the content of a field.
    pub async fn fill(
        &mut self,
        field: &Selector,
        text: &FieldText,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        loop {
            let element = self.ready(field, Need::FOR_TYPING, deadline).await?;
            match self.fill_once(&element, text, deadline).await {
                Err(fault) if is_worth_a_retry(&fault) && !deadline.has_passed(self.clock()) => {}
                Err(fault) => return Err(Self::fault(fault)),
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let problem = format!("{field} does not take such a value");
                    return Err(PageFault::unfit(problem, Verdict::Target));
                }
            }
        }
    }

    async fn fill_once(
        &mut self,
        element: &ElementId,
        text: &FieldText,
        deadline: Deadline,
    ) -> Result<bool, WebDriverError> {
        const DELETE_KEY: &str = "\u{e017}";
        let hard = self.hard(deadline);
        let select = json!({
            "op": "select-all", "element": element.as_argument(), "secret": text.is_secret(),
        });
        let how = self.script(ACT, &select, hard).await?;
        if how.as_str() == Some("chosen") {
            let choose = json!({
                "op": "choose", "element": element.as_argument(), "value": text.expose(),
            });
            let taken = self.script(ACT, &choose, hard).await?;
            return Ok(taken.as_bool() == Some(true));
        }
        let is_empty = text.expose().is_empty();
        if self.speaks_devtools && !self.is_in_frame && !is_empty {
            // What is selected is replaced in one go, as by pasting.
            let insert = || Command::devtools("Input.insertText", json!({ "text": text.expose() }));
            self.issue(insert, hard).await?;
            return Ok(true);
        }
        let keys = if is_empty { DELETE_KEY } else { text.expose() };
        let path = element.path("value");
        self.issue(|| Command::post(path.as_str(), json!({ "text": keys })), hard).await?;
        Ok(true)
    }

    /// Presses a key or a chord such as `Control+A`, on an element or on what has the focus.
    pub async fn press(
        &mut self,
        on: Option<&Selector>,
        chord: &str,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let keys = keys::chord(chord)
            .map_err(|name| PageFault::unfit(format!("{name:?} is no key"), Verdict::Canary))?;
        let hard = self.hard(deadline);
        if let Some(on) = on {
            let element = self.ready(on, &[Need::Visible, Need::Enabled], deadline).await?;
            let focus = json!({ "op": "focus", "element": element.as_argument() });
            self.script(ACT, &focus, hard).await.map_err(Self::fault)?;
        }
        let press = || Command::post("actions", keys::press(&keys));
        self.issue(press, hard).await.map(drop).map_err(Self::fault)
    }

    /// Chooses options of a `select`, by value or by text.
    pub async fn select(
        &mut self,
        from: &Selector,
        options: &[String],
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        loop {
            let element = self.ready(from, &[Need::Visible, Need::Enabled], deadline).await?;
            let request = json!({
                "op": "select", "element": element.as_argument(), "values": options,
            });
            let answer = match self.script(ACT, &request, self.hard(deadline)).await {
                Err(fault) if is_worth_a_retry(&fault) && !deadline.has_passed(self.clock()) => {
                    continue;
                }
                answer => answer.map_err(Self::fault)?,
            };
            if answer.get("ok").is_some() {
                return Ok(());
            }
            // Options are often loaded late; a `select` that is none will not become one.
            let is_select = answer.get("seen").is_none();
            if !is_select || deadline.has_passed(self.clock()) {
                return Err(PageFault::unfit(not_selected(from, &answer), Verdict::Target));
            }
            self.pause(deadline).await;
        }
    }

    /// Sets a check box, a switch or a radio button.
    pub async fn check(
        &mut self,
        what: &Selector,
        checked: bool,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let element = self.ready(what, &[Need::Visible, Need::Enabled], deadline).await?;
        let request = json!({ "op": "is-checked", "element": element.as_argument() });
        let state = self.script(ACT, &request, self.hard(deadline)).await.map_err(Self::fault)?;
        if state.as_bool() == Some(checked) {
            return Ok(());
        }
        self.click(what, limit).await?;
        let state = self.script(ACT, &request, self.hard(deadline)).await;
        match state {
            Ok(state) if state.as_bool() == Some(!checked) => {
                let problem = format!("{what} was clicked and did not change");
                Err(PageFault::unfit(problem, Verdict::Target))
            }
            // A click that loads another page has done its work.
            Ok(_) => Ok(()),
            Err(fault) if is_passing(&fault) => Ok(()),
            Err(fault) => Err(Self::fault(fault)),
        }
    }

    /// Chooses files in a file field; they are given by name and content.
    ///
    /// Differs: the field may be hidden, as styled ones are.
    pub async fn upload(
        &mut self,
        field: &Selector,
        files: &[(String, Bytes)],
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let copies = self.lend_files(files).await?;
        let element = self.ready(field, &[Need::Enabled], deadline).await?;
        let path = element.path("value");
        let send = || Command::post(path.as_str(), json!({ "text": copies }));
        match self.issue(send, self.hard(deadline)).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.fault() == Some(WebDriverFault::InvalidArgument) => {
                let problem = format!("{field} takes no files: {}", fault.message());
                Err(PageFault::unfit(problem, Verdict::Target))
            }
            Err(fault) => Err(Self::fault(fault)),
        }
    }

    /// Answers the dialog that is open, or the next one.
    pub async fn answer_dialog(
        &mut self,
        accept: bool,
        text: Option<&str>,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let began = self.clock().monotonic();
        let hard = self.hard(deadline);
        loop {
            let answered = self.answer_once(accept, text, hard).await;
            match answered {
                Ok(()) => return Ok(()),
                Err(fault) if fault.fault() != Some(WebDriverFault::NoSuchAlert) => {
                    return Err(Self::fault(fault));
                }
                Err(_) if deadline.has_passed(self.clock()) => {
                    return Err(PageFault::Unmet {
                        condition: "a dialog".to_owned(),
                        seen: "none opened".to_owned(),
                        waited: self.clock().monotonic().since(began),
                    });
                }
                Err(_) => self.pause(deadline).await,
            }
        }
    }

    async fn answer_once(
        &mut self,
        accept: bool,
        text: Option<&str>,
        deadline: Deadline,
    ) -> Result<(), WebDriverError> {
        self.issue_once(Command::get("alert/text"), deadline).await?;
        if let Some(text) = text {
            let typed = Command::post("alert/text", json!({ "text": text }));
            self.issue_once(typed, deadline).await?;
        }
        let path = if accept { "alert/accept" } else { "alert/dismiss" };
        self.issue_once(Command::post(path, json!({})), deadline).await.map(drop)
    }

    /// Works inside a frame from here on, or in the page again.
    pub async fn enter_frame(
        &mut self,
        frame: Option<&Selector>,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let Some(frame) = frame else {
            self.is_in_frame = false;
            let leave = || Command::post("frame", json!({ "id": Value::Null }));
            return self.issue(leave, self.hard(deadline)).await.map(drop).map_err(Self::fault);
        };
        self.is_in_frame = true;
        self.until_taken(frame, &[], deadline, |element| {
            Command::post("frame", json!({ "id": element.as_argument() }))
        })
        .await
    }

    /// Sets a cookie on the current page's site.
    pub async fn set_cookie(
        &mut self,
        name: &str,
        value: &FieldText,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        let cookie = || {
            let cookie = json!({ "name": name, "value": value.expose(), "path": "/" });
            Command::post("cookie", json!({ "cookie": cookie }))
        };
        match self.issue(cookie, self.hard(deadline)).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_fatal() => Err(Self::fault(fault)),
            Err(_) => {
                let problem = format!("cookie {name:?} cannot be set here; open a page first");
                Err(PageFault::unfit(problem, Verdict::Canary))
            }
        }
    }

    /// Sets the viewport.
    pub async fn resize(
        &mut self,
        width: u32,
        height: u32,
        limit: ActionLimit,
    ) -> Result<(), PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        self.settings.width = width;
        self.settings.height = height;
        self.apply_size(self.hard(deadline)).await.map_err(Self::fault)
    }

    /// Runs a function body of the canary in the page and gives its result.
    pub async fn evaluate(&mut self, script: &str, limit: ActionLimit) -> Result<Value, PageFault> {
        let deadline = self.action_deadline(limit.timeout, ACTION_TIMEOUT, limit.step);
        match self.issue(|| Command::script(script, &[]), self.hard(deadline)).await {
            Ok(value) => Ok(value),
            Err(fault) if fault.fault() == Some(WebDriverFault::JavascriptError) => {
                Err(PageFault::Script { message: fault.message().to_owned() })
            }
            Err(fault) => Err(Self::fault(fault)),
        }
    }

    /// Waits until the element is ready and the command on it was taken; a page that changes in
    /// between gets another try.
    async fn until_taken(
        &mut self,
        selector: &Selector,
        needs: &[Need],
        deadline: Deadline,
        command: impl Fn(&ElementId) -> Command,
    ) -> Result<(), PageFault> {
        loop {
            let element = self.ready(selector, needs, deadline).await?;
            // A click may wait for the page it leads to.
            match self.issue(|| command(&element), self.hard(deadline)).await {
                Ok(_) => return Ok(()),
                Err(fault) if is_worth_a_retry(&fault) && !deadline.has_passed(self.clock()) => {
                    self.pause(deadline).await;
                }
                Err(fault) if is_worth_a_retry(&fault) => {
                    return Err(PageFault::unfit(
                        format!("{selector}: {}", fault.message()),
                        Verdict::Target,
                    ));
                }
                Err(fault) => return Err(Self::fault(fault)),
            }
        }
    }
}

fn is_worth_a_retry(fault: &WebDriverError) -> bool {
    let intercepted = [
        Some(WebDriverFault::ElementClickIntercepted),
        Some(WebDriverFault::ElementNotInteractable),
    ];
    intercepted.contains(&fault.fault()) || is_passing(fault)
}

fn not_selected(from: &Selector, answer: &Value) -> String {
    if let Some(seen) = answer.get("seen").and_then(Value::as_str) {
        return format!("{from} is no select but {seen}");
    }
    let missing = answer.get("missing").and_then(Value::as_str).unwrap_or_default();
    let options = answer.get("options").and_then(Value::as_array).into_iter().flatten();
    let options: Vec<&str> = options.filter_map(Value::as_str).collect();
    format!("{from} has no option {missing:?}; it has {}", options.join(", "))
}

/// Moves the pointer to the middle of an element and clicks so many times.
fn pointer(element: &ElementId, clicks: usize) -> Command {
    let origin = element.as_argument();
    let mut actions =
        vec![json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin })];
    for _ in 0..clicks {
        actions.push(json!({ "type": "pointerDown", "button": 0 }));
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
    }
    Command::post(
        "actions",
        json!({ "actions": [{
            "type": "pointer", "id": "mouse",
            "parameters": { "pointerType": "mouse" }, "actions": actions,
        }]}),
    )
}

//! Classic WebDriver: commands, answers, and what went wrong.

use std::fmt;
use std::time::Duration;

use fantoccini::error::{CmdError, ErrorStatus, NewSessionError};
use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::connector::Connector;
use crate::time::{Clock, Deadline};

/// Source: WebDriver, "Elements", the web element identifier.
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How much of a driver's complaint is kept.
const MESSAGE_CHARACTERS_MAX: usize = 600;

/// Why a command got no good answer.
#[derive(Debug, Error)]
pub enum WebDriverError {
    /// The driver answered with an error.
    #[error("{command}: {fault:?}: {message}")]
    Refused {
        /// The command.
        command: String,
        /// Which of the standard's errors.
        fault: WebDriverFault,
        /// What the driver says, shortened.
        message: String,
    },
    /// No answer came before the deadline. The session is of no further use.
    #[error("{command}: no answer within the deadline")]
    TimedOut {
        /// The command.
        command: String,
    },
    /// The connection broke, or what came back is not WebDriver.
    #[error("{command}: {reason}")]
    Broken {
        /// The command.
        command: String,
        /// How.
        reason: String,
    },
}

/// The standard's errors that make a difference here.
///
/// Source: WebDriver, "Errors", the table of error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum WebDriverFault {
    ElementClickIntercepted,
    ElementNotInteractable,
    InvalidArgument,
    InvalidSelector,
    InvalidSessionId,
    JavascriptError,
    NoSuchAlert,
    NoSuchElement,
    NoSuchFrame,
    NoSuchWindow,
    ScriptTimeout,
    SessionNotCreated,
    StaleElementReference,
    Timeout,
    UnexpectedAlertOpen,
    UnknownCommand,
    /// Chromium reports failed navigations so, among everything else.
    Unknown,
    Other,
}

impl From<&ErrorStatus> for WebDriverFault {
    fn from(status: &ErrorStatus) -> Self {
        match status {
            ErrorStatus::ElementClickIntercepted => Self::ElementClickIntercepted,
            ErrorStatus::ElementNotInteractable => Self::ElementNotInteractable,
            ErrorStatus::InvalidArgument => Self::InvalidArgument,
            ErrorStatus::InvalidSelector => Self::InvalidSelector,
            ErrorStatus::InvalidSessionId => Self::InvalidSessionId,
            ErrorStatus::JavascriptError => Self::JavascriptError,
            ErrorStatus::NoSuchAlert => Self::NoSuchAlert,
            ErrorStatus::NoSuchElement => Self::NoSuchElement,
            ErrorStatus::NoSuchFrame => Self::NoSuchFrame,
            ErrorStatus::NoSuchWindow => Self::NoSuchWindow,
            ErrorStatus::ScriptTimeout => Self::ScriptTimeout,
            ErrorStatus::SessionNotCreated => Self::SessionNotCreated,
            ErrorStatus::StaleElementReference => Self::StaleElementReference,
            ErrorStatus::Timeout => Self::Timeout,
            ErrorStatus::UnexpectedAlertOpen => Self::UnexpectedAlertOpen,
            ErrorStatus::UnknownCommand
            | ErrorStatus::UnknownMethod
            | ErrorStatus::UnknownPath
            | ErrorStatus::UnsupportedOperation => Self::UnknownCommand,
            ErrorStatus::UnknownError => Self::Unknown,
            _ => Self::Other,
        }
    }
}

impl WebDriverError {
    /// Which of the standard's errors it is, when the driver answered with one.
    pub fn fault(&self) -> Option<WebDriverFault> {
        match self {
            Self::Refused { fault, .. } => Some(*fault),
            Self::TimedOut { .. } | Self::Broken { .. } => None,
        }
    }

    /// The command that got no good answer.
    pub fn command(&self) -> &str {
        match self {
            Self::Refused { command, .. }
            | Self::TimedOut { command }
            | Self::Broken { command, .. } => command,
        }
    }

    /// What the driver said.
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message, .. } => message,
            Self::Broken { reason, .. } => reason,
            Self::TimedOut { .. } => "",
        }
    }

    /// Whether the session cannot be used after this.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Broken { .. } => true,
            Self::Refused { fault, message, .. } => match fault {
                WebDriverFault::InvalidSessionId | WebDriverFault::NoSuchWindow => true,
                // Chromium's driver has no code of its own for these.
                WebDriverFault::Unknown => {
                    ["tab crashed", "session deleted", "disconnected", "chrome not reachable"]
                        .iter()
                        .any(|words| message.contains(words))
                }
                _ => false,
            },
        }
    }

    fn from_command(command: &str, error: CmdError) -> Self {
        let command = command.to_owned();
        match error {
            CmdError::Standard(refusal) => Self::Refused {
                command,
                fault: WebDriverFault::from(&refusal.error),
                message: shortened(&refusal.message),
            },
            // An answer that is no JSON may be of any length and hold anything.
            CmdError::NotJson(_) | CmdError::Json(_) => {
                Self::Broken { command, reason: "the driver's answer is not JSON".to_owned() }
            }
            CmdError::NotW3C(_) => {
                Self::Broken { command, reason: "the driver's answer is not WebDriver".to_owned() }
            }
            other => Self::Broken { command, reason: shortened(&causes(&other)) },
        }
    }

    fn from_new_session(error: NewSessionError) -> Self {
        let command = "new session".to_owned();
        match error {
            NewSessionError::SessionNotCreated(refusal) => Self::Refused {
                command,
                fault: WebDriverFault::SessionNotCreated,
                message: shortened(&refusal.message),
            },
            NewSessionError::UnexpectedError(error) => Self::from_command(&command, error),
            NewSessionError::NotW3C(answer) => {
                let said = answer.get("message").and_then(Value::as_str);
                let reason = said.unwrap_or("the driver's answer is not WebDriver");
                Self::Broken { command, reason: shortened(reason) }
            }
            other => Self::Broken { command, reason: shortened(&causes(&other)) },
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The first line, or as much of it as a person reads: drivers append stack traces.
fn shortened(message: &str) -> String {
    let first = message.split("\n#0 ").next().unwrap_or(message);
    let first = first.split("\n  (Session info").next().unwrap_or(first).trim();
    first.chars().take(MESSAGE_CHARACTERS_MAX).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Post,
    Delete,
}

/// One command of an open session. Its body may hold a secret, so `Debug` shows the path only.
pub(in crate::runner::browser) struct Command {
    method: Method,
    path: String,
    body: Value,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

impl Command {
    pub(in crate::runner::browser) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), body: Value::Null }
    }

    pub(in crate::runner::browser) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::Delete, path: path.into(), body: Value::Null }
    }

    pub(in crate::runner::browser) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::Post, path: path.into(), body }
    }

    /// A function body run in the current page or frame; a promise it returns is awaited.
    pub(in crate::runner::browser) fn script(body: &str, arguments: &[Value]) -> Self {
        Self::post("execute/sync", json!({ "script": body, "args": arguments }))
    }

    /// A command of Chromium's own protocol.
    pub(in crate::runner::browser) fn devtools(method: &str, parameters: Value) -> Self {
        Self::post("goog/cdp/execute", json!({ "cmd": method, "params": parameters }))
    }
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _url: &Url) -> (http::Method, Option<String>) {
        match self.method {
            Method::Get => (http::Method::GET, None),
            Method::Delete => (http::Method::DELETE, None),
            Method::Post => (http::Method::POST, Some(self.body.to_string())),
        }
    }
}

/// Refers to an element of the current page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runner::browser) struct ElementId(String);

impl ElementId {
    /// Reads a reference out of a script's result.
    pub(in crate::runner::browser) fn from_result(value: &Value) -> Option<Self> {
        Some(Self(value.get(ELEMENT_KEY)?.as_str()?.to_owned()))
    }

    /// The reference as a script's argument.
    pub(in crate::runner::browser) fn as_argument(&self) -> Value {
        json!({ ELEMENT_KEY: self.0 })
    }

    /// The path of a command on this element.
    pub(in crate::runner::browser) fn path(&self, command: &str) -> String {
        format!("element/{}/{command}", self.0)
    }
}

/// One open session. Dropping it cuts its connections at once and tells the driver nothing;
/// [`WebDriver::close`] also ends the session at the driver.
#[derive(Debug)]
pub(in crate::runner::browser) struct WebDriver {
    client: fantoccini::Client,
    endpoint: Url,
    session: String,
    capabilities: Map<String, Value>,
    _cut: DropGuard,
}

impl WebDriver {
    /// Opens a session.
    ///
    /// Cancel safety: a dropped opening is cut; the driver may be left with a session nobody has.
    pub(in crate::runner::browser) async fn open(
        endpoint: &Url,
        capabilities: &Map<String, Value>,
        deadline: Deadline,
    ) -> Result<Self, WebDriverError> {
        let mut endpoint = endpoint.clone();
        if !endpoint.path().ends_with('/') {
            // Paths of commands are joined to it, which would replace its last part.
            endpoint.set_path(&format!("{}/", endpoint.path()));
        }
        let cut = CancellationToken::new();
        let guard = cut.clone().drop_guard();
        let opening = fantoccini::Client::with_capabilities_and_connector(
            endpoint.as_str(),
            capabilities,
            Connector::new(cut),
        );
        let client = deadline
            .bound(Box::pin(opening))
            .await
            .map_err(|_| WebDriverError::TimedOut { command: "new session".to_owned() })?
            .map_err(WebDriverError::from_new_session)?;
        // Ending the session is the closer's business; a client that is dropped would end it too.
        let kept = deadline.bound(client.persist()).await;
        let command = || "new session".to_owned();
        kept.map_err(|_| WebDriverError::TimedOut { command: command() })?
            .map_err(|error| WebDriverError::from_command(&command(), error))?;
        let answer = client.session_creation_response();
        let session = answer.map(|answer| answer.session_id().to_owned()).unwrap_or_default();
        let capabilities = client.capabilities().cloned().unwrap_or_default();
        Ok(Self { client, endpoint, session, capabilities, _cut: guard })
    }

    /// What the driver says of the session.
    pub(in crate::runner::browser) fn capability(&self, name: &str) -> Option<&Value> {
        self.capabilities.get(name)
    }

    /// Sends a command and waits for its answer, at most until `deadline`.
    ///
    /// Cancel safety: the command may still be carried out; further ones queue behind it.
    pub(in crate::runner::browser) async fn issue(
        &self,
        command: Command,
        deadline: Deadline,
    ) -> Result<Value, WebDriverError> {
        let name = name_of(&command);
        match deadline.bound(self.client.issue_cmd(command)).await {
            Err(_late) => Err(WebDriverError::TimedOut { command: name }),
            Ok(answer) => answer.map_err(|error| WebDriverError::from_command(&name, error)),
        }
    }

    /// What is needed to end the session from elsewhere, even while a command hangs.
    pub(in crate::runner::browser) fn closer(&self) -> Closer {
        Closer { endpoint: self.endpoint.clone(), session: self.session.clone() }
    }
}

/// Ends a session at its driver over a connection of its own.
#[derive(Debug)]
pub(in crate::runner::browser) struct Closer {
    endpoint: Url,
    session: String,
}

impl Closer {
    /// Asks the driver to end the session, waiting at most `grace`.
    pub(in crate::runner::browser) async fn close(self, clock: &dyn Clock, grace: Duration) {
        let cut = CancellationToken::new();
        let _guard = cut.clone().drop_guard();
        let closing = async {
            let client = fantoccini::Client::with_existing_session(
                self.endpoint.as_str(),
                &self.session,
                Connector::new(cut),
            );
            match client.await {
                Ok(client) => client.close().await.is_ok(),
                Err(_unreachable) => false,
            }
        };
        if !matches!(Deadline::after(clock, grace).bound(closing).await, Ok(true)) {
            tracing::debug!(session = %self.session, "driver did not end a session");
        }
    }
}

/// `POST element/…/click` without what differs from session to session.
fn name_of(command: &Command) -> String {
    let parts: Vec<&str> = command.path.split('/').collect();
    match parts.as_slice() {
        ["goog", "cdp", "execute"] => {
            command.body.get("cmd").and_then(Value::as_str).unwrap_or("devtools").to_owned()
        }
        ["element", _id, rest @ ..] => format!("element {}", rest.join(" ")),
        parts => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_debug_form_and_name_hold_neither_body_nor_ids() {
        let command = Command::post("element/e-17/value", json!({ "text": "hunter2" }));
        assert_eq!(format!("{command:?}"), "Post element/e-17/value");
        assert_eq!(name_of(&command), "element value");
        assert_eq!(name_of(&Command::devtools("Page.enable", json!({}))), "Page.enable");
    }

    #[test]
    fn a_drivers_complaint_loses_its_stack_trace() {
        let message =
            "unknown error: net::ERR_CONNECTION_REFUSED\n  (Session info: chrome=1)\n#0 x";
        assert_eq!(shortened(message), "unknown error: net::ERR_CONNECTION_REFUSED");
    }
}

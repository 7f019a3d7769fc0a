//! WebDriver BiDi: commands and events over one WebSocket for a whole browser.
//!
//! Source: WebDriver BiDi, W3C working draft; chromium-bidi's answers as seen with Chromium 156.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

use crate::task::TaskGroup;
use crate::time::Deadline;

/// Commands that wait to be sent. A sender waits when it is full.
const COMMANDS_WAITING_MAX: usize = 64;
/// Events of one user context that wait to be read.
const EVENTS_WAITING_MAX: usize = 4096;
/// One message may be so long.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why a BiDi command got no good answer.
#[derive(Debug, Error)]
pub enum BidiError {
    /// The browser answered with an error.
    #[error("{method}: {error}: {message}")]
    Refused {
        /// The command.
        method: String,
        /// The standard's error code.
        error: String,
        /// What the browser says.
        message: String,
    },
    /// No answer came before the deadline.
    #[error("{method}: no answer within the deadline")]
    TimedOut {
        /// The command.
        method: String,
    },
    /// The connection is gone.
    #[error("{method}: the connection to the browser is closed")]
    Closed {
        /// The command.
        method: String,
    },
    /// The connection could not be made.
    #[error("cannot connect to {url}")]
    Connect {
        /// The browser's address.
        url: String,
        /// Why not.
        #[source]
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
}

/// Something that happened in a browser.
#[derive(Clone, Debug)]
pub(in crate::runner::browser) struct BidiEvent {
    /// `network.responseCompleted`.
    pub(in crate::runner::browser) method: String,
    /// What the standard says of it.
    pub(in crate::runner::browser) parameters: Value,
}

/// A connection to one browser, shared by its runs.
#[derive(Clone, Debug)]
pub(in crate::runner::browser) struct Bidi {
    outgoing: mpsc::Sender<Outgoing>,
    listeners: Arc<Listeners>,
    next: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Outgoing {
    id: u64,
    text: String,
    answer: oneshot::Sender<Result<Value, Refusal>>,
}

#[derive(Debug)]
struct Refusal {
    error: String,
    message: String,
}

/// Who hears of which user context's events.
#[derive(Debug, Default)]
struct Listeners {
    by_user_context: Mutex<HashMap<String, mpsc::Sender<BidiEvent>>>,
}

impl Bidi {
    /// Connects and keeps the connection in a task of `tasks`.
    pub(in crate::runner::browser) async fn connect(
        url: &str,
        deadline: Deadline,
        tasks: &TaskGroup,
    ) -> Result<Self, BidiError> {
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let connecting = connect_async_with_config(url, Some(config), true);
        let (socket, _response) = deadline
            .bound(connecting)
            .await
            .map_err(|_| BidiError::TimedOut { method: "connect".to_owned() })?
            .map_err(|source| BidiError::Connect {
                url: url.to_owned(),
                source: Box::new(source),
            })?;
        let (outgoing, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        let listeners = Arc::<Listeners>::default();
        let exchange = Exchange {
            socket,
            commands,
            pending: HashMap::new(),
            listeners: Arc::clone(&listeners),
        };
        tasks.spawn("bidi", move |stop| exchange.run(stop));
        Ok(Self { outgoing, listeners, next: Arc::default() })
    }

    /// Sends a command and waits for its answer.
    ///
    /// Cancel safety: the command may still be carried out; its answer is dropped.
    pub(in crate::runner::browser) async fn command(
        &self,
        method: &str,
        parameters: Value,
        deadline: Deadline,
    ) -> Result<Value, BidiError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let text = json!({ "id": id, "method": method, "params": parameters }).to_string();
        let (answer, answered) = oneshot::channel();
        let closed = || BidiError::Closed { method: method.to_owned() };
        let exchange = async {
            self.outgoing.send(Outgoing { id, text, answer }).await.map_err(|_| closed())?;
            answered.await.map_err(|_| closed())?.map_err(|refusal| BidiError::Refused {
                method: method.to_owned(),
                error: refusal.error,
                message: refusal.message,
            })
        };
        let late = |_| BidiError::TimedOut { method: method.to_owned() };
        deadline.bound(exchange).await.map_err(late)?
    }

    /// Events of one user context from now on, until the receiver is dropped.
    pub(in crate::runner::browser) fn listen(
        &self,
        user_context: &str,
    ) -> mpsc::Receiver<BidiEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        self.listeners.lock().insert(user_context.to_owned(), sender);
        receiver
    }

    /// Whether the connection stands.
    pub(in crate::runner::browser) fn is_open(&self) -> bool {
        !self.outgoing.is_closed()
    }
}

impl Listeners {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<BidiEvent>>> {
        self.by_user_context.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, user_context: &str, event: BidiEvent) {
        let mut listeners = self.lock();
        let Some(listener) = listeners.get(user_context) else { return };
        // BOUND: a page that makes events faster than its run reads them loses the newest.
        if let Err(mpsc::error::TrySendError::Closed(_)) = listener.try_send(event) {
            listeners.remove(user_context);
        }
    }
}

/// The task behind a connection.
struct Exchange {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    commands: mpsc::Receiver<Outgoing>,
    pending: HashMap<u64, oneshot::Sender<Result<Value, Refusal>>>,
    listeners: Arc<Listeners>,
}

#[derive(Deserialize)]
struct Incoming {
    id: Option<u64>,
    result: Option<Value>,
    error: Option<String>,
    #[serde(default)]
    message: String,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

impl Exchange {
    /// Carries messages until either side closes or `stop`.
    ///
    /// Cancel safety: both receives of the `select!` are cancel-safe; sending happens outside it.
    async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                command = self.commands.recv() => {
                    let Some(command) = command else { break };
                    self.pending.insert(command.id, command.answer);
                    if self.socket.send(Message::text(command.text)).await.is_err() {
                        break;
                    }
                }
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.take(&text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
            }
        }
        // Dropping `pending` and `commands` tells everyone who waits.
    }

    fn take(&mut self, text: &str) {
        let Ok(incoming) = serde_json::from_str::<Incoming>(text) else { return };
        if let Some(method) = incoming.method {
            self.event(BidiEvent { method, parameters: incoming.params });
        } else if let Some(answer) = incoming.id.and_then(|id| self.pending.remove(&id)) {
            let result = match incoming.error {
                Some(error) => Err(Refusal { error, message: incoming.message }),
                None => Ok(incoming.result.unwrap_or_default()),
            };
            // Whoever asked may have stopped waiting.
            answer.send(result).ok();
        }
    }

    fn event(&self, event: BidiEvent) {
        if let Some(user_context) = user_context_of(&event.parameters).map(str::to_owned) {
            self.listeners.tell(&user_context, event);
        }
    }
}

/// Network events name their user context themselves, log entries in their source.
fn user_context_of(parameters: &Value) -> Option<&str> {
    let source = || parameters.get("source")?.get("userContext");
    parameters.get("userContext").or_else(source)?.as_str()
}

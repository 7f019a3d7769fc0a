//! WebSocket dialogues.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderName, HeaderValue, Request};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::dialogue::{DialogueMove, Ended, Expectation, Heard, Unmet};
use super::error::{ProbeError, ProbeErrorKind, TransferFault, io_fault};
use super::network::Network;
use super::tls_client::TlsOptions;
use super::trail::Trail;
use super::trail_place;
use super::transport::{Endpoint, Transport};
use crate::canary::observation::Phase;
use crate::time::Deadline;

/// Bytes of one message, and of all messages heard for one expectation.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// One WebSocket dialogue.
#[derive(Clone, Debug)]
pub struct WebSocketRequest {
    /// `ws:` or `wss:` URL.
    pub url: Url,
    /// Headers of the handshake.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is said and expected, one text message each.
    pub dialogue: Vec<DialogueMove>,
}

impl Network {
    /// Holds a WebSocket dialogue. An unmet expectation ends it and is part of what was heard.
    ///
    /// Redirects of the handshake are not followed, as browsers do not.
    /// Errors: `ProbeError` when the handshake fails or the connection breaks while we speak.
    /// Cancel safety: dropping it closes the connection.
    pub async fn websocket(
        &self,
        request: &WebSocketRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Heard, ProbeError> {
        let url = &request.url;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        trail.next_hop(trail_place(host, port));
        let checked = self.policy.check_url(url);
        checked.map_err(|error| trail.fail(ProbeErrorKind::Policy(error)))?;
        let options = TlsOptions { alpn: vec![b"http/1.1".to_vec()], ..TlsOptions::default() };
        let tls = (url.scheme() == "wss").then_some(&options);
        let endpoint = Endpoint { proxy: None, host, port, tls };
        let transport = self.open(endpoint, trail, deadline).await?;

        trail.enter(Phase::Wait);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let handshake = client_async_with_config(upgrade(request)?, transport, Some(config));
        let (stream, response) = match deadline.bound(handshake).await {
            Ok(Ok(agreed)) => agreed,
            Ok(Err(error)) => {
                trail.leave();
                return Err(ProbeError::transfer(Phase::Wait, &trail.place, fault_of(error)));
            }
            Err(_passed) => return Err(trail.timed_out()),
        };
        trail.status = Some(response.status().as_u16());
        let now = trail.clock().monotonic();
        trail.hand_over(now, Phase::Receive);
        let mut talk = Talk { network: self, stream, trail, deadline };
        let heard = talk.hold(&request.dialogue).await?;
        talk.close().await;
        trail.leave();
        trail.wire_bytes = heard.received.iter().map(|line| line.len() as u64).sum();
        Ok(heard)
    }
}

fn upgrade(request: &WebSocketRequest) -> Result<Request<()>, ProbeError> {
    let made = request.url.as_str().into_client_request();
    let mut upgrade = made.map_err(|error| {
        let place = request.url.host_str().unwrap_or_default();
        ProbeError::transfer(Phase::Send, place, fault_of(error))
    })?;
    for (name, value) in &request.headers {
        upgrade.headers_mut().append(name, value.clone());
    }
    Ok(upgrade)
}

/// A dialogue under way.
struct Talk<'a> {
    network: &'a Network,
    stream: WebSocketStream<Transport>,
    trail: &'a mut Trail,
    deadline: Deadline,
}

impl Talk<'_> {
    async fn hold(&mut self, dialogue: &[DialogueMove]) -> Result<Heard, ProbeError> {
        let mut heard = Heard::default();
        for (position, line) in dialogue.iter().enumerate() {
            match line {
                DialogueMove::Send(bytes) => self.send(bytes).await?,
                DialogueMove::Expect(expectation) => match self.listen(expectation).await? {
                    Ok(came) => heard.received.push(came),
                    Err((came, ended)) => {
                        heard.unmet = Some(Unmet { position, came, ended });
                        break;
                    }
                },
                // The file format has no such line for WebSocket.
                DialogueMove::StartTls => {}
            }
        }
        Ok(heard)
    }

    async fn send(&mut self, bytes: &Bytes) -> Result<(), ProbeError> {
        let message = Message::text(String::from_utf8_lossy(bytes).into_owned());
        let limit = self.trail.tighten(self.deadline, self.network.limits.idle);
        match limit.bound(self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(fault_of(error))),
            Err(_passed) => Err(self.trail.timed_out()),
        }
    }

    /// Listens to messages until one fulfils the expectation; those before it are passed over.
    async fn listen(
        &mut self,
        expectation: &Expectation,
    ) -> Result<Result<Bytes, (Bytes, Ended)>, ProbeError> {
        let begun = self.trail.clock().monotonic();
        let mut others = BytesMut::new();
        loop {
            let limit = self.trail.tighten(self.deadline, self.network.limits.idle);
            let message = match limit.bound(self.stream.next()).await {
                Err(_passed) => {
                    let waited = self.trail.clock().monotonic().since(begun);
                    return Ok(Err((others.freeze(), Ended::Silent(waited))));
                }
                Ok(None) => return Ok(Err((others.freeze(), Ended::Closed))),
                Ok(Some(Err(error))) if others.is_empty() => {
                    return Err(self.broken(fault_of(error)));
                }
                Ok(Some(Err(_broken))) => return Ok(Err((others.freeze(), Ended::Closed))),
                Ok(Some(Ok(message))) => message,
            };
            let text = match message {
                Message::Text(text) => Bytes::from(text.as_str().to_owned()),
                Message::Binary(bytes) => bytes,
                Message::Close(_) => return Ok(Err((others.freeze(), Ended::Closed))),
                // Pings are answered by the library when the stream is read or written.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if expectation.holds(&text) {
                return Ok(Ok(text));
            }
            if others.len() + text.len() > MESSAGE_BYTES_MAX {
                return Ok(Err((others.freeze(), Ended::TooMuch)));
            }
            if !others.is_empty() {
                others.extend_from_slice(b"\n");
            }
            others.extend_from_slice(&text);
        }
    }

    /// Says good-bye, but does not wait for the answer: the dialogue is over.
    async fn close(&mut self) {
        let limit = self.trail.tighten(self.deadline, std::time::Duration::from_millis(100));
        drop(limit.bound(self.stream.close(None)).await);
    }

    fn broken(&mut self, fault: TransferFault) -> ProbeError {
        self.trail.leave();
        ProbeError::transfer(self.trail.phase(), &self.trail.place, fault)
    }
}

fn fault_of(error: WsError) -> TransferFault {
    match error {
        WsError::Io(error) => io_fault(&error, 0),
        WsError::Http(response) => {
            let status = response.status().as_u16();
            TransferFault::Refused {
                reason: format!("the WebSocket handshake with status {status}"),
            }
        }
        WsError::Capacity(_) => {
            TransferFault::BodyTooLarge { bytes_max: MESSAGE_BYTES_MAX as u64, decoded: false }
        }
        WsError::ConnectionClosed | WsError::AlreadyClosed => TransferFault::ClosedEarly,
        WsError::Protocol(_) | WsError::Utf8(_) | WsError::AttackAttempt => {
            TransferFault::Malformed { protocol: "WebSocket", beginning: String::new() }
        }
        other => TransferFault::Broken { reason: other.to_string() },
    }
}

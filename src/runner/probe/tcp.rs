//! TCP dialogues: connect, say, listen, switch to TLS.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dialogue::{DialogueMove, Ended, Expectation, Heard, Unmet};
use super::error::{ProbeError, TlsFault, TransferFault, io_fault};
use super::network::Network;
use super::tls_client::{TlsOptions, TlsPeer};
use super::trail::Trail;
use super::transport::{Endpoint, Transport};
use super::{ProbeErrorKind, trail_place};
use crate::canary::observation::Phase;
use crate::time::Deadline;

/// Bytes listened to before an expectation counts as unmet.
const HEARD_BYTES_MAX: usize = 1024 * 1024;
const READ_BYTES: usize = 8 * 1024;

/// One TCP dialogue.
#[derive(Clone, Debug)]
pub struct TcpRequest {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS from the start; the same options serve a later `StartTls`.
    pub tls: Option<TlsOptions>,
    /// What is said and expected.
    pub dialogue: Vec<DialogueMove>,
}

impl Network {
    /// Holds a TCP dialogue. An unmet expectation ends it and is part of what was heard.
    ///
    /// Errors: `ProbeError` when there is no connection, or it breaks while we speak.
    /// Cancel safety: dropping it closes the connection.
    pub async fn tcp(
        &self,
        request: &TcpRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Heard, ProbeError> {
        trail.next_hop(trail_place(&request.host, request.port));
        let tls = request.tls.as_ref();
        let endpoint = Endpoint { proxy: None, host: &request.host, port: request.port, tls };
        let transport = self.open(endpoint, trail, deadline).await?;
        trail.enter(Phase::Wait);
        let mut talk = Talk { network: self, transport, trail, deadline, has_answer: false };
        let heard = talk.hold(request).await?;
        talk.trail.leave();
        talk.trail.wire_bytes = heard.received.iter().map(|line| line.len() as u64).sum();
        Ok(heard)
    }
}

/// A dialogue under way.
struct Talk<'a> {
    network: &'a Network,
    transport: Transport,
    trail: &'a mut Trail,
    deadline: Deadline,
    has_answer: bool,
}

impl Talk<'_> {
    async fn hold(&mut self, request: &TcpRequest) -> Result<Heard, ProbeError> {
        let mut heard = Heard::default();
        for (position, line) in request.dialogue.iter().enumerate() {
            match line {
                DialogueMove::Send(bytes) => self.send(bytes).await?,
                DialogueMove::Expect(expectation) => match self.listen(expectation).await? {
                    Ok(came) => heard.received.push(came),
                    Err((came, ended)) => {
                        heard.unmet = Some(Unmet { position, came, ended });
                        break;
                    }
                },
                DialogueMove::StartTls => self.start_tls(request).await?,
            }
        }
        Ok(heard)
    }

    async fn send(&mut self, bytes: &Bytes) -> Result<(), ProbeError> {
        let say = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        let limit = self.trail.tighten(self.deadline, self.network.limits.idle);
        match limit.bound(say).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(io_fault(&error, 0))),
            Err(_passed) => Err(self.trail.timed_out()),
        }
    }

    /// Listens until the expectation holds, or nothing more can be hoped for.
    async fn listen(
        &mut self,
        expectation: &Expectation,
    ) -> Result<Result<Bytes, (Bytes, Ended)>, ProbeError> {
        let begun = self.trail.clock().monotonic();
        let mut came = BytesMut::new();
        loop {
            came.reserve(READ_BYTES);
            let limit = self.trail.tighten(self.deadline, self.network.limits.idle);
            let read = match limit.bound(self.transport.read_buf(&mut came)).await {
                Err(_passed) => {
                    let waited = self.trail.clock().monotonic().since(begun);
                    return Ok(Err((came.freeze(), Ended::Silent(waited))));
                }
                Ok(Ok(read)) => read,
                Ok(Err(error)) if came.is_empty() => {
                    return Err(self.broken(io_fault(&error, 0)));
                }
                Ok(Err(_reset)) => return Ok(Err((came.freeze(), Ended::Closed))),
            };
            if !self.has_answer {
                self.has_answer = true;
                let now = self.trail.clock().monotonic();
                self.trail.hand_over(now, Phase::Receive);
            }
            if read == 0 {
                return Ok(Err((came.freeze(), Ended::Closed)));
            }
            if expectation.holds(&came) {
                return Ok(Ok(came.freeze()));
            }
            if came.len() > HEARD_BYTES_MAX {
                came.truncate(HEARD_BYTES_MAX);
                return Ok(Err((came.freeze(), Ended::TooMuch)));
            }
        }
    }

    async fn start_tls(&mut self, request: &TcpRequest) -> Result<(), ProbeError> {
        let default = TlsOptions::default();
        let options = request.tls.as_ref().unwrap_or(&default);
        // The plain stream is moved into the TLS one; on failure the dialogue ends anyway.
        let plain = match std::mem::replace(&mut self.transport, Transport::Closed) {
            Transport::Plain(stream) => stream,
            Transport::Tls(_) | Transport::Closed => {
                let place = self.trail.place.clone();
                let reason = "the connection speaks TLS already".to_owned();
                let fault = TlsFault::Other { reason };
                return Err(self.trail.fail(ProbeErrorKind::Tls { place, fault }));
            }
        };
        let peer = TlsPeer { host: &request.host, options };
        let stream = self.network.handshake(plain, peer, self.trail, self.deadline).await?;
        self.transport = Transport::Tls(Box::new(stream));
        self.trail.enter(if self.has_answer { Phase::Receive } else { Phase::Wait });
        Ok(())
    }

    fn broken(&mut self, fault: TransferFault) -> ProbeError {
        self.trail.leave();
        ProbeError::transfer(self.trail.phase(), &self.trail.place, fault)
    }
}

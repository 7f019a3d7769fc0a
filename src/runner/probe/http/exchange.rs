//! One request and its complete answer over one connection; redirects are `session`'s business.

use std::error::Error;
use std::io;

use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::body;
use super::connection::Connection;
use super::wire::{SendEnd, SentBody, WireWatch};
use crate::canary::observation::Phase;
use crate::runner::probe::{NetworkLimits, ProbeError, Trail, TransferFault};
use crate::time::Deadline;

/// The head of an answer.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(super) version: Version,
    pub(crate) headers: HeaderMap,
    /// What came after the body.
    pub(crate) trailers: HeaderMap,
}

/// A request on its way: what is sent and under which limits.
pub(super) struct Exchange<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) limits: &'a NetworkLimits,
    pub(super) trail: &'a mut Trail,
    pub(super) deadline: Deadline,
}

impl Exchange<'_> {
    /// Sends `request` and waits for the head of its answer.
    ///
    /// Errors: `Transfer`, `Timeout`; the phase is `Send` until the request has left, then `Wait`.
    pub(super) async fn head(
        &mut self,
        request: Request<SentBody>,
    ) -> Result<Response<Incoming>, ProbeError> {
        self.trail.enter(Phase::Send);
        let outcome = self.deadline.bound(self.connection.send(request)).await;
        let watch = &self.connection.watch;
        if let Some(sent) = watch.sent() {
            self.trail.hand_over(sent, Phase::Wait);
        }
        match outcome {
            Err(_passed) => Err(self.trail.timed_out()),
            Ok(Err(error)) => {
                let fault = fault_of(&error, watch, self.limits, None);
                self.trail.leave();
                Err(ProbeError::transfer(self.trail.phase(), &self.trail.place, fault))
            }
            Ok(Ok(response)) => {
                let now = self.trail.clock().monotonic();
                let first_byte = match self.connection.send_end() {
                    SendEnd::LastWrite => watch.answered().unwrap_or(now),
                    // Frames of the protocol came before; the head is the first byte of an answer.
                    SendEnd::FirstFlush => now,
                };
                watch.head_came();
                self.trail.hand_over(first_byte, Phase::Receive);
                self.trail.status = Some(response.status().as_u16());
                self.check_head(response)
            }
        }
    }

    fn check_head(
        &mut self,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, ProbeError> {
        if response.headers().len() <= self.limits.header_fields_max {
            return Ok(response);
        }
        self.trail.leave();
        Err(ProbeError::transfer(Phase::Receive, &self.trail.place, too_large(self.limits)))
    }

    /// Receives the body, decoded.
    ///
    /// Errors: `Transfer`, `Timeout`.
    pub(super) async fn body(&mut self, response: Response<Incoming>) -> Outcome {
        let (parts, incoming) = response.into_parts();
        let (bytes, trailers) = body::receive(self, &parts.headers, incoming).await?;
        let head =
            Head { status: parts.status, version: parts.version, headers: parts.headers, trailers };
        self.trail.leave();
        Ok((head, bytes))
    }

    /// The error for a failed read of the body.
    pub(super) fn broken(&mut self, error: &hyper::Error) -> ProbeError {
        let received = Some(self.trail.wire_bytes);
        let fault = fault_of(error, &self.connection.watch, self.limits, received);
        self.refused(fault)
    }

    /// The error for a body that came but is not accepted.
    pub(super) fn refused(&mut self, fault: TransferFault) -> ProbeError {
        self.trail.leave();
        ProbeError::transfer(Phase::Receive, &self.trail.place, fault)
    }
}

/// A complete answer.
pub(super) type Outcome = Result<(Head, bytes::Bytes), ProbeError>;

fn too_large(limits: &NetworkLimits) -> TransferFault {
    TransferFault::HeaderTooLarge {
        bytes_max: limits.header_bytes_max,
        fields_max: limits.header_fields_max,
    }
}

/// What a protocol error means for the target; `received` is given once the body had begun.
pub(super) fn fault_of(
    error: &hyper::Error,
    watch: &WireWatch,
    limits: &NetworkLimits,
    received: Option<u64>,
) -> TransferFault {
    if watch.is_head_too_large() || error.is_parse_too_large() {
        return too_large(limits);
    }
    if error.is_parse() {
        return TransferFault::Malformed { protocol: "HTTP", beginning: watch.beginning() };
    }
    let system = root_cause(error, |cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
    match (system, received) {
        (Some(io::ErrorKind::ConnectionReset), _) => TransferFault::Reset,
        (Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe), None) => {
            TransferFault::ClosedEarly
        }
        (Some(io::ErrorKind::UnexpectedEof), Some(received)) => {
            TransferFault::Truncated { received }
        }
        _ if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => received
            .map_or(TransferFault::ClosedEarly, |received| TransferFault::Truncated { received }),
        _ => {
            let reason =
                root_cause(error, |cause| cause.source().is_none().then(|| cause.to_string()));
            TransferFault::Broken { reason: reason.unwrap_or_default() }
        }
    }
}

fn root_cause<T>(
    error: &(dyn Error + 'static),
    pick: impl Fn(&(dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut cause = Some(error);
    while let Some(present) = cause {
        if let Some(found) = pick(present) {
            return Some(found);
        }
        cause = present.source();
    }
    None
}

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::error::{ProbeError, ProbeErrorKind};
use crate::canary::observation::{
    Answer, CertificateObservation, Observation, Phase, RedirectHop, Timings,
};
use crate::time::{Clock, Deadline, Monotonic, Timestamp};

/// What one exchange has seen so far.
///
/// It belongs to the caller and is written as the exchange goes on. When a probe fails or is
/// dropped at a deadline, its phases, address and certificate are still here.
#[derive(Debug)]
pub struct Trail {
    clock: Arc<dyn Clock>,
    started: Timestamp,
    begun: Monotonic,
    phase: Phase,
    phase_begun: Monotonic,
    /// Phases of the present hop.
    pub timings: Timings,
    /// Host and port that the present hop talks to.
    pub place: String,
    /// The address connected to.
    pub remote: Option<SocketAddr>,
    /// The certificate shown.
    pub certificate: Option<CertificateObservation>,
    /// Redirects followed so far.
    pub redirects: Vec<RedirectHop>,
    /// Bytes of the body that came over the wire in the present hop.
    pub wire_bytes: u64,
    /// The status of the present hop, once its head came.
    pub status: Option<u16>,
}

impl Trail {
    /// An empty trail that begins now.
    pub fn start(clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        Self {
            started: clock.now(),
            clock,
            begun: now,
            phase: Phase::Resolve,
            phase_begun: now,
            timings: Timings::default(),
            place: String::new(),
            remote: None,
            certificate: None,
            redirects: Vec::new(),
            wire_bytes: 0,
            status: None,
        }
    }

    /// When the exchange began.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// Time since the exchange began.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().since(self.begun)
    }

    /// What is under way.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// A new hop begins, on the same trail.
    pub fn next_hop(&mut self, place: String) {
        self.timings = Timings::default();
        self.place = place;
        self.remote = None;
        self.wire_bytes = 0;
        self.status = None;
    }

    /// A phase begins.
    pub fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_begun = self.clock.monotonic();
    }

    /// The present phase ends.
    pub fn leave(&mut self) {
        let took = self.clock.monotonic().since(self.phase_begun);
        self.timings.set(self.phase, took);
    }

    /// The present phase ended at `at`, where the next one begins.
    pub fn hand_over(&mut self, at: Monotonic, next: Phase) {
        self.timings.set(self.phase, at.since(self.phase_begun));
        self.phase = next;
        self.phase_begun = at;
    }

    /// An error of the present phase.
    pub fn fail(&mut self, kind: ProbeErrorKind) -> ProbeError {
        self.leave();
        ProbeError::new(self.phase, kind)
    }

    /// The present phase hit a deadline.
    pub fn timed_out(&mut self) -> ProbeError {
        let after = self.clock.monotonic().since(self.phase_begun);
        self.timed_out_after(after)
    }

    /// The present phase hit a deadline that is told to people as `after`.
    pub fn timed_out_after(&mut self, after: Duration) -> ProbeError {
        let place = match (self.phase, self.remote) {
            (Phase::Connect, Some(remote)) => remote.to_string(),
            _ => self.place.clone(),
        };
        self.fail(ProbeErrorKind::Timeout { phase: self.phase, place, after })
    }

    /// The earlier of `deadline` and `limit` from now.
    pub fn tighten(&self, deadline: Deadline, limit: Duration) -> Deadline {
        deadline.tightened(&*self.clock, limit)
    }

    /// The clock that times the exchange.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The complete observation.
    pub fn into_observation(self, answer: Answer) -> Observation {
        Observation {
            started: self.started,
            elapsed: self.elapsed(),
            timings: self.timings,
            remote: self.remote,
            certificate: self.certificate,
            answer,
        }
    }
}

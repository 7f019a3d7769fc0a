//! What is said and what is expected, line by line: shared by TCP and WebSocket.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// One move of a dialogue, every value in it final.
#[derive(Clone, Debug)]
pub enum DialogueMove {
    /// Say this.
    Send(Bytes),
    /// Listen until this holds of what came since the last move.
    Expect(Expectation),
    /// Switch to TLS.
    StartTls,
}

/// Something that must hold of what was heard. What it is, its maker knows.
#[derive(Clone)]
pub struct Expectation(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Expectation {
    /// An expectation that is fulfilled when `holds` says so.
    pub fn new(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Whether it is fulfilled.
    pub fn holds(&self, heard: &[u8]) -> bool {
        (self.0)(&String::from_utf8_lossy(heard))
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expectation")
    }
}

/// What was heard in a dialogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// One entry for each expectation that was fulfilled, in order.
    pub received: Vec<Bytes>,
    /// The expectation that was not, at which the dialogue ended.
    pub unmet: Option<Unmet>,
}

/// An expectation that was not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its position among all moves.
    pub position: usize,
    /// What came instead.
    pub came: Bytes,
    /// Why nothing more was waited for.
    pub ended: Ended,
}

/// Why a listener stopped listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The other side closed the connection.
    Closed,
    /// Nothing that fits came within this time.
    Silent(Duration),
    /// More came than is listened to.
    TooMuch,
}

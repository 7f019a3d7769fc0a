use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

/// An X-Ray trace id, `1-<8 hex: epoch seconds>-<24 hex>`; also a W3C trace id of 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId([u8; 16]);

/// A text that is no trace id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a trace id is 1-<8 hex digits>-<24 hex digits>")]
pub struct TraceIdError;

impl TraceId {
    /// The id of these 16 bytes, the first four being epoch seconds, big-endian.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// An id for a trace that starts at `at`, with 12 bytes of randomness.
    pub fn new(at: Timestamp, random: [u8; 12]) -> Self {
        let seconds = u32::try_from(at.as_secs()).unwrap_or(0).to_be_bytes();
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(seconds.iter().chain(&random)) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The form of a `traceparent` header: 32 hex digits.
    pub fn to_w3c(self) -> String {
        hex::encode(self.0)
    }

    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, TraceIdError> {
        let digits = match text.strip_prefix("1-") {
            Some(rest) if rest.len() == 33 && rest.as_bytes().get(8) == Some(&b'-') => {
                rest.replacen('-', "", 1)
            }
            Some(_) => return Err(TraceIdError),
            None => text.to_owned(),
        };
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_not_hex| TraceIdError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        let (seconds, rest) = digits.split_at(8);
        write!(f, "1-{seconds}-{rest}")
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for TraceId {
    type Error = TraceIdError;

    fn try_from(text: String) -> Result<Self, TraceIdError> {
        Self::parse(&text)
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> Self {
        id.to_string()
    }
}

/// One segment (or independently sent subsegment) of a trace, as its sender wrote it.
///
/// The document is kept whole and opaque; what is searched is read out beside it by the store.
/// Source: X-Ray Developer Guide, "Segment documents".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceSegment {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// 16 hex digits.
    pub id: Arc<str>,
    /// Epoch seconds, fractional, as X-Ray writes them.
    pub start_time: f64,
    /// Absent while the segment is in progress.
    pub end_time: Option<f64>,
    /// The whole JSON document.
    pub document: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_trace_id_are_read_and_others_are_refused() {
        let xray = "1-581cf771-a006649127e371903a2de979";
        let id = TraceId::parse(xray).unwrap();
        assert_eq!(id.to_string(), xray);
        assert_eq!(id.to_w3c(), "581cf771a006649127e371903a2de979");
        assert_eq!(TraceId::parse(&id.to_w3c()), Ok(id));
        for text in
            ["", "1-581cf771a-006649127e371903a2de979", "2-581cf771-a006649127e371903a2de979"]
        {
            assert_eq!(TraceId::parse(text), Err(TraceIdError), "{text}");
        }
    }

    #[test]
    fn a_new_id_starts_with_its_epoch_seconds() {
        let id = TraceId::new(Timestamp::from_secs(0x581c_f771), [7; 12]);
        assert!(id.to_string().starts_with("1-581cf771-0707"));
    }
}

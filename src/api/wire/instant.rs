use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::time::Timestamp;

/// The name by which the XML serializer knows an [`Instant`].
pub(super) const INSTANT: &str = "$coalmine::Instant";

/// An instant that is epoch seconds in JSON, tag 1 in CBOR and ISO 8601 in XML.
///
/// Source: Smithy, "timestampFormat trait", defaults of awsJson, rpcv2Cbor and awsQuery. Read from
/// any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) struct Instant(pub(in crate::api) Timestamp);

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = self.0.as_secs_f64();
        if serializer.is_human_readable() {
            serializer.serialize_newtype_struct(INSTANT, &seconds)
        } else {
            ciborium::tag::Required::<f64, 1>(seconds).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InstantVisitor).map(Self)
    }
}

struct InstantVisitor;

impl Visitor<'_> for InstantVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_secs(seconds))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Timestamp, E> {
        if seconds.is_finite() {
            Ok(Timestamp::from_secs_f64(seconds))
        } else {
            Err(E::custom("a timestamp must be finite"))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }
}

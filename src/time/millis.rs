//! Durations in documents: milliseconds as a number, to the microsecond. Fields end in `_ms`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes a duration as milliseconds.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Reads what [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(millis / 1e3).map_err(D::Error::custom)
}

/// The same for durations that may be absent.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Millis(#[serde(with = "super")] Duration);

    /// Writes a duration as milliseconds, its absence as null.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(Millis).serialize(serializer)
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Millis>::deserialize(deserializer)?.map(|millis| millis.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_milliseconds_and_comes_back() {
        #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
        struct Document {
            #[serde(rename = "elapsed_ms", with = "super")]
            elapsed: Duration,
            #[serde(rename = "wait_ms", with = "super::optional", default)]
            wait: Option<Duration>,
        }
        let document = Document { elapsed: Duration::from_micros(1_234_567), wait: None };
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(text, r#"{"elapsed_ms":1234.567,"wait_ms":null}"#);
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
        assert!(serde_json::from_str::<Document>(r#"{"elapsed_ms":-1}"#).is_err());
    }
}

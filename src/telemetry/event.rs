use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Scope;
use crate::time::Timestamp;

/// The bus that events go to when their sender names none.
pub const DEFAULT_EVENT_BUS: &str = "default";

/// One event of a bus, in EventBridge's envelope.
///
/// Source: EventBridge User Guide, "Event structure".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The bus it was put on; not part of the envelope that rules see.
    pub bus: Arc<str>,
    /// Unique id.
    pub id: Arc<str>,
    /// Who sent it: `aws.synthetics`.
    pub source: Arc<str>,
    /// What it is: `Synthetics Canary TestRun Failure`.
    pub detail_type: Arc<str>,
    /// When it happened.
    pub time: Timestamp,
    /// ARNs it concerns.
    pub resources: Vec<Arc<str>>,
    /// The rest, an object.
    pub detail: Value,
    /// X-Ray trace header, when the sender gave one.
    pub trace_header: Option<Arc<str>>,
}

impl Event {
    /// The envelope that rules match and targets receive.
    pub fn envelope(&self, scope: &Scope) -> Value {
        serde_json::json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": scope.account,
            "time": Timestamp::from_secs(self.time.as_secs()).to_rfc3339(),
            "region": scope.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_eventbridges_keys_in_its_order() {
        let event = Event {
            bus: DEFAULT_EVENT_BUS.into(),
            id: "i".into(),
            source: "aws.synthetics".into(),
            detail_type: "t".into(),
            time: Timestamp::from_millis(1_999),
            resources: vec![],
            detail: serde_json::json!({"a": 1}),
            trace_header: None,
        };
        let text = event.envelope(&Scope::default()).to_string();
        let expected = concat!(
            r#"{"version":"0","id":"i","detail-type":"t","source":"aws.synthetics","#,
            r#""account":"123456789012","time":"1970-01-01T00:00:01Z","region":"us-east-1","#,
            r#""resources":[],"detail":{"a":1}}"#,
        );
        assert_eq!(text, expected);
    }
}

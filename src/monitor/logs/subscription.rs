use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::document::{Distribution, LogDeliveryRow, SubscriptionRow};
use super::mask::LogMask;
use crate::query::filter_pattern::{FilterPattern, FilterPatternError};
use crate::telemetry::{LogBatch, Scope};
use crate::time::Timestamp;

/// A subscription filter, ready to look at events.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    name: String,
    pattern: FilterPattern,
    row: SubscriptionRow,
    level: Level,
}

/// Whose subscription it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Group,
    Account,
}

/// What a destination receives, before it is compressed.
///
/// Source: CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions".
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    message_type: String,
    owner: String,
    pub(super) log_group: String,
    pub(super) log_stream: String,
    subscription_filters: Vec<String>,
    pub(super) log_events: Vec<PayloadEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy_level: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PayloadEvent {
    id: String,
    pub(super) timestamp: i64,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extracted_fields: BTreeMap<String, String>,
    #[serde(flatten)]
    system: BTreeMap<String, String>,
}

impl Subscription {
    pub(super) fn new(
        name: &str,
        row: SubscriptionRow,
        level: Level,
    ) -> Result<Self, FilterPatternError> {
        let pattern = FilterPattern::parse(&row.pattern)?;
        Ok(Self { name: name.to_owned(), pattern, row, level })
    }

    /// What of these lines is to be delivered; nothing when none matches.
    pub(super) fn delivery(
        &self,
        scope: &Scope,
        lines: &LogBatch,
        (mask, now): (&LogMask, Timestamp),
    ) -> Option<LogDeliveryRow> {
        let matching = lines.events.iter().filter(|event| self.pattern.matches(&event.message));
        let events = matching.map(|event| {
            let fields = self.pattern.extract(&event.message).into_iter();
            let fields = fields.map(|(name, value)| {
                let name = name.trim_start_matches("$.").trim_start_matches('$').to_owned();
                (name, mask.apply(now, &value).into_owned())
            });
            let system = self.row.system_fields.iter();
            PayloadEvent {
                id: event_id(event.timestamp),
                timestamp: event.timestamp.as_millis(),
                message: mask.apply(now, &event.message).into_owned(),
                extracted_fields: fields.collect(),
                system: system.map(|f| (f.as_str().to_owned(), f.of(scope).to_owned())).collect(),
            }
        });
        let log_events = events.collect::<Vec<_>>();
        if log_events.is_empty() {
            return None;
        }
        let payload = Payload {
            message_type: "DATA_MESSAGE".to_owned(),
            owner: scope.account.to_string(),
            log_group: lines.group.to_string(),
            log_stream: lines.stream.to_string(),
            subscription_filters: vec![self.name.clone()],
            log_events,
            policy_level: match self.level {
                Level::Group => None,
                Level::Account => Some("ACCOUNT_LEVEL_POLICY".to_owned()),
            },
        };
        Some(LogDeliveryRow {
            destination_arn: self.row.destination_arn.clone(),
            partition_key: match self.row.distribution {
                Distribution::ByLogStream => lines.stream.to_string(),
                Distribution::Random => uuid::Uuid::new_v4().to_string(),
            },
            data: compressed(&payload),
            created: now,
        })
    }
}

/// What a destination receives when it is subscribed, so that it can be seen to be reached.
///
/// Source: CloudWatch Logs User Guide, "Subscription filters with Amazon Kinesis".
pub fn control_message(destination_arn: &str, now: Timestamp) -> LogDeliveryRow {
    let kind = match destination_arn.split(':').nth(2) {
        Some("kinesis") => "Kinesis stream",
        Some("firehose") => "Firehose stream",
        Some("lambda") => "Lambda function",
        _ => "destination",
    };
    let payload = Payload {
        message_type: "CONTROL_MESSAGE".to_owned(),
        owner: "CloudwatchLogs".to_owned(),
        log_group: String::new(),
        log_stream: String::new(),
        subscription_filters: Vec::new(),
        log_events: vec![PayloadEvent {
            id: String::new(),
            timestamp: now.as_millis(),
            message: format!("CWL CONTROL MESSAGE: Checking health of destination {kind}."),
            extracted_fields: BTreeMap::new(),
            system: BTreeMap::new(),
        }],
        policy_level: None,
    };
    LogDeliveryRow {
        destination_arn: destination_arn.to_owned(),
        partition_key: uuid::Uuid::new_v4().to_string(),
        data: compressed(&payload),
        created: now,
    }
}

/// 56 digits that sort by time, as the ids of stored events do.
fn event_id(at: Timestamp) -> String {
    let random = uuid::Uuid::new_v4().as_u128() % 10_u128.pow(36);
    format!("{:020}{random:036}", at.as_millis().cast_unsigned() ^ (1 << 63))
}

fn compressed(payload: &Payload) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail, and texts and numbers are always JSON.
    let json = serde_json::to_vec(payload).unwrap_or_default();
    let written = gzip.write_all(&json).and_then(|()| gzip.finish());
    STANDARD.encode(written.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::LogEvent;

    fn opened(row: &LogDeliveryRow) -> Value {
        let bytes = STANDARD.decode(&row.data).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn subscription(pattern: &str) -> Subscription {
        let row = SubscriptionRow {
            pattern: pattern.to_owned(),
            destination_arn: "arn:aws:kinesis:us-east-1:123456789012:stream/s".to_owned(),
            role_arn: None,
            distribution: Distribution::ByLogStream,
            created: Timestamp::EPOCH,
            system_fields: [crate::query::log_metric::SystemField::Region].into(),
        };
        Subscription::new("f", row, Level::Group).unwrap()
    }

    fn lines(messages: &[&str]) -> LogBatch {
        let event = |message: &&str| LogEvent {
            timestamp: Timestamp::from_millis(7),
            message: (*message).to_owned(),
        };
        let events = messages.iter().map(event).collect();
        LogBatch { group: "g".into(), stream: "s".into(), events }
    }

    #[test]
    fn matching_events_travel_in_the_published_shape() {
        let (scope, plain) = (Scope::default(), LogMask::default());
        let now = Timestamp::from_millis(9);
        let lines = lines(&["ERROR 5", "INFO 6"]);
        let row = subscription("[level=ERROR, n]").delivery(&scope, &lines, (&plain, now));
        let row = row.unwrap();
        assert_eq!((row.partition_key.as_str(), row.created), ("s", now));
        let mut payload = opened(&row);
        let id = payload["logEvents"][0]["id"].take();
        assert_eq!(id.as_str().unwrap().len(), 56);
        let expected = json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "g",
            "logStream": "s", "subscriptionFilters": ["f"],
            "logEvents": [{"id": null, "timestamp": 7, "message": "ERROR 5",
                "extractedFields": {"level": "ERROR", "n": "5"}, "@aws.region": "us-east-1"}],
        });
        assert_eq!(payload, expected);
    }

    #[test]
    fn nothing_travels_when_nothing_matches() {
        let plain = LogMask::default();
        let row = subscription("ERROR").delivery(
            &Scope::default(),
            &lines(&["INFO"]),
            (&plain, Timestamp::EPOCH),
        );
        assert_eq!(row, None);
    }

    #[test]
    fn a_control_message_has_no_group_and_no_filter() {
        let row = control_message("arn:aws:kinesis:x:1:stream/s", Timestamp::from_millis(5));
        let payload = opened(&row);
        assert_eq!(payload["messageType"], "CONTROL_MESSAGE");
        assert_eq!(payload["owner"], "CloudwatchLogs");
        assert_eq!(payload["subscriptionFilters"], json!([]));
        let message = payload["logEvents"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("CWL CONTROL MESSAGE: Checking health of destination Kinesis"));
    }
}

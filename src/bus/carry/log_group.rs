use serde_json::Value;

use super::{Carried, Carrier};
use crate::bus::deliver::Delivery;
use crate::bus::rule::Target;
use crate::telemetry::{AccountId, LogBatch, LogEvent, Region, Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Writes to a log group: one line, in a stream of the day.
///
/// Source: EventBridge User Guide, "Amazon CloudWatch Logs log groups as targets": with a
/// transformer the template gives `{"timestamp": .., "message": ".."}`.
/// Differs: the stream is named by the day, where AWS names it by a random id.
pub(super) async fn write(carrier: &Carrier, target: &Target, delivery: &Delivery) -> Carried {
    let Some((scope, group)) = group_of(&target.arn) else {
        return Carried::never("NO_RESOURCE", format!("{} is no log group", target.arn));
    };
    if carrier.store.logs().group(&scope, group).is_none() {
        return Carried::never("NO_RESOURCE", format!("the log group {group} does not exist"));
    }
    let now = carrier.clock.now();
    let (timestamp, message) = match &target.input_transformer {
        None => (delivery.came, delivery.payload.to_string()),
        Some(_) => match line_of(&delivery.payload) {
            Some(line) => line,
            None => {
                let why = "the template gives no object with a timestamp and a message";
                return Carried::never("INVALID_PARAMETER", why);
            }
        },
    };
    let day = now.to_rfc3339().chars().take(10).collect::<String>();
    let batch = TelemetryBatch {
        logs: vec![LogBatch {
            group: group.into(),
            stream: day.into(),
            events: vec![LogEvent { timestamp, message }],
        }],
        ..TelemetryBatch::new(scope)
    };
    match carrier.store.append(batch).await {
        Ok(_) => Carried::Done,
        Err(error) => Carried::later("THROTTLING", error.to_string()),
    }
}

fn group_of(arn: &str) -> Option<(Scope, &str)> {
    let mut parts = arn.splitn(7, ':');
    let (region, account) = (parts.nth(3)?, parts.next()?);
    let rest = match parts.next()? {
        "log-group" => parts.next()?,
        _ => return None,
    };
    let group = rest.strip_suffix(":*").unwrap_or(rest);
    let account = AccountId::new(account).ok()?;
    Some((Scope { account, region: Region::new(region) }, group))
}

fn line_of(payload: &str) -> Option<(Timestamp, String)> {
    let value: Value = serde_json::from_str(payload).ok()?;
    let timestamp = match value.get("timestamp")? {
        Value::Number(millis) => Timestamp::from_millis(millis.as_i64()?),
        Value::String(text) => match text.parse::<i64>() {
            Ok(millis) => Timestamp::from_millis(millis),
            Err(_text) => Timestamp::parse(text).ok()?,
        },
        _ => return None,
    };
    let message = match value.get("message")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some((timestamp, message))
}

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::document::{DestinationRow, LogDeliveryRow};
use super::rules::LogRules;
use super::subscription::Payload;
use crate::monitor::kind;
use crate::store::{AppendError, BucketError, ReadError, ResourceChanges, Store};
use crate::telemetry::{BatchId, LogBatch, LogEvent, Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// The bucket of what is meant for services that live elsewhere.
pub const OUTGOING_BUCKET: &str = "outgoing";

/// Source: CloudWatch Logs User Guide: deliveries are retried for up to 24 hours.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A payload larger than this, decompressed, is none of ours.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a destination's ARN says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A function, given an event.
    Function,
    /// A stream of records.
    Stream,
    /// A stream of records that ends in files.
    Firehose,
    /// Another log group of this server.
    LogGroup,
    /// A name for one of the others.
    Destination,
}

/// What an ARN that events can be delivered to names: its kind, and the name in it.
pub fn target_kind(arn: &str) -> Option<(TargetKind, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, _account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != "arn" {
        return None;
    }
    let named = |prefix: &str| resource.strip_prefix(prefix).filter(|name| !name.is_empty());
    match service {
        "lambda" => {
            let name = named("function:")?;
            Some((TargetKind::Function, name.split(':').next().unwrap_or(name)))
        }
        "kinesis" => Some((TargetKind::Stream, named("stream/")?)),
        "firehose" => Some((TargetKind::Firehose, named("deliverystream/")?)),
        "logs" => match named("destination:") {
            Some(name) => Some((TargetKind::Destination, name)),
            None => {
                let name = named("log-group:")?;
                Some((TargetKind::LogGroup, name.strip_suffix(":*").unwrap_or(name)))
            }
        },
        _ => None,
    }
}

/// Delivers events that were subscribed to: at least once, oldest first, until taken or a day old.
///
/// Log groups of this server take the events themselves. Functions and streams live elsewhere:
/// what they would receive is put as an object into [`OUTGOING_BUCKET`].
#[derive(Debug)]
pub(in crate::monitor) struct LogDeliverer {
    /// Where deliveries lie.
    pub(in crate::monitor) store: Store,
    /// Wakes it, and adds metrics to what log groups take.
    pub(in crate::monitor) rules: LogRules,
    /// Tells how old a delivery is.
    pub(in crate::monitor) clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
enum DeliveryFault {
    #[error("no destination can be reached by '{0}'")]
    Target(String),
    #[error("the log group '{0}' does not exist")]
    Group(String),
    #[error("the payload is damaged")]
    Payload,
    #[error("the object was not put")]
    Object(#[from] BucketError),
    #[error("the store did not take the events")]
    Append(#[from] AppendError),
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
}

impl LogDeliverer {
    /// Delivers until it is stopped.
    pub(in crate::monitor) async fn run(self, stop: CancellationToken) {
        loop {
            let left = match self.round(&stop).await {
                Ok(left) => left,
                Err(error) => {
                    tracing::warn!(%error, "deliveries of log events cannot be read");
                    true
                }
            };
            let retry = async {
                if left {
                    tokio::time::sleep(RETRY_AFTER).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.rules.next_delivery() => {}
                () = retry => {}
            }
        }
    }

    /// Tries every delivery once; says whether some are left.
    async fn round(&self, stop: &CancellationToken) -> Result<bool, ReadError> {
        let resources = self.store.resources();
        let mut rows = resources.everywhere::<LogDeliveryRow>(kind::LOG_DELIVERY).await?;
        rows.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        let mut left = false;
        for (scope, name, row) in rows {
            if stop.is_cancelled() {
                return Ok(true);
            }
            let delivered = self.deliver(&scope, &name, &row).await;
            let is_done = match &delivered {
                Ok(()) => true,
                Err(error) => {
                    let is_old = row.created < self.clock.now().minus(AGE_MAX);
                    tracing::warn!(%error, given_up = is_old, "log events not delivered");
                    is_old
                }
            };
            if is_done {
                let done = ResourceChanges::new().delete(kind::LOG_DELIVERY, &name);
                left |= resources.apply(&scope, done).await.is_err();
            } else {
                left = true;
            }
        }
        Ok(left)
    }

    async fn deliver(
        &self,
        scope: &Scope,
        name: &str,
        row: &LogDeliveryRow,
    ) -> Result<(), DeliveryFault> {
        let mut arn = row.destination_arn.clone();
        if let Some((TargetKind::Destination, own)) = target_kind(&arn) {
            let kind = kind::LOG_DESTINATION;
            let found = self.store.resources().get::<DestinationRow>(scope, kind, own).await?;
            arn = found.ok_or_else(|| DeliveryFault::Target(arn.clone()))?.target_arn;
        }
        let data = &row.data;
        let (folder, target, record) = match target_kind(&arn) {
            Some((TargetKind::LogGroup, group)) => {
                return self.hand_to_group(scope, (name, row), group).await;
            }
            Some((TargetKind::Function, target)) => {
                ("lambda", target, json!({"awslogs": {"data": data}}))
            }
            Some((TargetKind::Stream, target)) => {
                ("kinesis", target, json!({"partitionKey": row.partition_key, "data": data}))
            }
            Some((TargetKind::Firehose, target)) => ("firehose", target, json!({"data": data})),
            Some((TargetKind::Destination, _)) | None => return Err(DeliveryFault::Target(arn)),
        };
        let key = format!("{folder}/{target}/{name}.json");
        let put = self.store.buckets().put(OUTGOING_BUCKET, &key, record.to_string().into());
        Ok(put.await?)
    }

    async fn hand_to_group(
        &self,
        scope: &Scope,
        (name, row): (&str, &LogDeliveryRow),
        group: &str,
    ) -> Result<(), DeliveryFault> {
        let payload = open(&row.data).ok_or(DeliveryFault::Payload)?;
        let logs = self.store.logs();
        if logs.group(scope, group).is_none() {
            return Err(DeliveryFault::Group(group.to_owned()));
        }
        let stream = match payload.log_stream.as_str() {
            "" => "control",
            named => named,
        };
        match logs.create_stream(scope, group, stream).await {
            Ok(_) | Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let events = payload.log_events.into_iter().map(|event| LogEvent {
            timestamp: Timestamp::from_millis(event.timestamp),
            message: event.message,
        });
        let mut batch = TelemetryBatch::new(scope.clone());
        // The delivery's own id makes one that is tried again after an unclear failure count once.
        batch.id = Some(delivery_id(name));
        let (group, stream, events) = (group.into(), stream.into(), events.collect());
        batch.logs.push(LogBatch { group, stream, events });
        // Metrics only: groups that subscribe to each other must not pass events round for ever.
        self.rules.metrics(&mut batch);
        self.store.append(batch).await?;
        Ok(())
    }
}

fn delivery_id(name: &str) -> BatchId {
    let mut id = [0; 16];
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes().iter().zip(&mut id).for_each(|(from, to)| *to = *from);
    BatchId(id)
}

fn open(data: &str) -> Option<Payload> {
    let bytes = STANDARD.decode(data).ok()?;
    let mut json = Vec::new();
    let plain = flate2::read::GzDecoder::new(bytes.as_slice());
    plain.take(PAYLOAD_BYTES_MAX).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_what_is_delivered_to() {
        let start = |service: &str| format!("arn:aws:{service}:us-east-1:123456789012");
        for (arn, expected) in [
            (format!("{}:function:f:live", start("lambda")), Some((TargetKind::Function, "f"))),
            (format!("{}:stream/s", start("kinesis")), Some((TargetKind::Stream, "s"))),
            (format!("{}:deliverystream/d", start("firehose")), Some((TargetKind::Firehose, "d"))),
            (format!("{}:destination:d", start("logs")), Some((TargetKind::Destination, "d"))),
            (format!("{}:log-group:/a/b:*", start("logs")), Some((TargetKind::LogGroup, "/a/b"))),
            (format!("{}:queue", start("sqs")), None),
            ("stream/s".to_owned(), None),
        ] {
            assert_eq!(target_kind(&arn), expected, "{arn}");
        }
    }
}
